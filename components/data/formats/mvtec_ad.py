"""MVTec AD's layout: train/good, test/<type>, ground_truth/<type>/<stem>_mask.png."""

from pathlib import Path
from typing import Literal

from components.data.formats.listing import (
    Entry,
    Listing,
    double_notes,
    image_files,
    masks_by_stem,
    note,
    relative,
    require_folder,
    require_normals,
    subfolders,
)
from components.params import Params
from components.records import Split

_GOOD = "good"


class MvtecAd(Params):
    """One category of a data set in MVTec AD's layout (Bergmann et al. 2019)."""

    kind: Literal["mvtec_ad"] = "mvtec_ad"
    path: str | None = None  # the category's folder; None = DEFECTLOOP_DATA, resolved by the flow

    def entries(self, root: Path) -> Listing:
        """List ``train/good`` and ``test/<type>`` with their masks.

        Raises:
            DataError: E101 no such folder; E102 no normal image in train/good.
        """
        return read_tree(root, category=root.name)


def read_tree(root: Path, category: str) -> Listing:
    """List a tree of MVTec AD's shape (see :meth:`MvtecAd.entries`)."""
    require_folder(root)
    train, train_notes = _normals(root, "train", Split.TRAIN, category)
    require_normals(train, root, "images in train/good")
    good, good_notes = _normals(root, "test", Split.TEST, category)
    types = [t for t in subfolders(root / "test") if t.name != _GOOD]
    listings = [_defects(root, folder.name, category) for folder in types]
    entries = [*train, *good, *(entry for listing in listings for entry in listing.entries)]
    notes = [*train_notes, *good_notes, *(n for listing in listings for n in listing.notes)]
    return Listing(
        entries=tuple(sorted(entries, key=lambda entry: entry.image_path)),
        notes=(*notes, *_strays(root, {t.name for t in types})),
    )


def _normals(
    root: Path, part: str, split: Split, category: str
) -> tuple[list[Entry], tuple[str, ...]]:
    images, others = image_files(root / part / _GOOD)
    entries = [Entry(path, category, split, 0) for path in relative(images, root)]
    return entries, note("files that are no images, ignored", relative(others, root))


def _defects(root: Path, defect_type: str, category: str) -> Listing:
    images, others = image_files(root / "test" / defect_type)
    masks, mask_others = image_files(root / "ground_truth" / defect_type)
    paired = masks_by_stem(masks, (image.stem for image in images))
    masks_of = {
        path: relative(paired.get(image.stem, ()), root)
        for image, path in zip(images, relative(images, root))
    }
    entries = tuple(
        Entry(path, category, Split.TEST, 1, defect_type, masks) for path, masks in masks_of.items()
    )
    notes = (
        *note("files that are no images, ignored", relative([*others, *mask_others], root)),
        *note("masks without an image", relative(paired.get("", ()), root)),
        *double_notes(masks_of),
    )
    return Listing(entries, notes)


def _strays(root: Path, types: set[str]) -> tuple[str, ...]:
    """Name what lies where the layout has no place for it, so that nothing vanishes silently."""
    odd_train = [f for f in subfolders(root / "train") if f.name != _GOOD]
    odd_masks = [f for f in subfolders(root / "ground_truth") if f.name not in types]
    loose = [p for part in ("train", "test") for p in image_files(root / part)[0]]
    return (
        *note("folders in train that are not 'good', ignored", relative(odd_train, root)),
        *note("folders of masks without images", relative(odd_masks, root)),
        *note("images outside a folder of their type, ignored", relative(loose, root)),
    )
