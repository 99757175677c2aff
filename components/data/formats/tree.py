"""The tree that many data sets share: training normals, a folder of test images for each type.

A :class:`TreeShape` says what a layout calls its parts and how a mask finds its image.
"""

from dataclasses import dataclass, field
from pathlib import Path

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
from components.records import Split

TEST, TRUTH = "test", "ground_truth"


@dataclass(frozen=True)
class TreeShape:
    """What a layout calls its parts; masks lie in ``ground_truth/<type>/``."""

    normal: str = "good"  # the folder of normals within each part
    training: tuple[str, ...] = ("train",)
    per_instance: bool = False  # <type>/<image>/<k>.png, one file a defect; else <type>/<image>.png


@dataclass(frozen=True)
class _Masks:
    """The masks of one type: by image stem, without an image, where none belong, no images."""

    of: dict[str, list[Path]]
    left: list[Path] = field(default_factory=list)
    loose: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def read_tree(root: Path, category: str, shape: TreeShape | None = None) -> Listing:
    """List every image of a tree once, defects with their masks, in order of path.

    Without a shape it is MVTec AD's.

    Raises:
        DataError: E101 no such folder; E102 no normal image to train on.
    """
    shape = shape or TreeShape()
    require_folder(root)
    training = [_normals(root, part, Split.TRAIN, category, shape) for part in shape.training]
    looked_for = f"images in {shape.training[0]}/{shape.normal}"
    require_normals((e for listing in training for e in listing.entries), root, looked_for)
    types = [t for t in subfolders(root / TEST) if t.name != shape.normal]
    listings = [
        *training,
        _normals(root, TEST, Split.TEST, category, shape),
        *(_defects(root, folder.name, category, shape) for folder in types),
    ]
    entries = [entry for listing in listings for entry in listing.entries]
    notes = [text for listing in listings for text in listing.notes]
    return Listing(
        entries=tuple(sorted(entries, key=lambda entry: entry.image_path)),
        notes=(*notes, *_strays(root, {t.name for t in types}, shape)),
    )


def _normals(root: Path, part: str, split: Split, category: str, shape: TreeShape) -> Listing:
    images, others = image_files(root / part / shape.normal)
    entries = tuple(Entry(path, category, split, 0) for path in relative(images, root))
    return Listing(entries, note("files that are no images, ignored", relative(others, root)))


def _defects(root: Path, defect_type: str, category: str, shape: TreeShape) -> Listing:
    images, others = image_files(root / TEST / defect_type)
    folder = root / TRUTH / defect_type
    stems = {image.stem for image in images}
    masks = _by_folder(folder, stems) if shape.per_instance else _by_name(folder, stems)
    masks_of = {
        path: relative(masks.of.get(image.stem, ()), root)
        for image, path in zip(images, relative(images, root))
    }
    entries = tuple(
        Entry(path, category, Split.TEST, 1, defect_type, of) for path, of in masks_of.items()
    )
    owner = "folders of masks" if shape.per_instance else "masks"
    notes = (
        *note("files that are no images, ignored", relative([*others, *masks.others], root)),
        *note(f"{owner} without an image", relative(masks.left, root)),
        *note("masks outside a folder with their image's name", relative(masks.loose, root)),
        *(() if shape.per_instance else double_notes(masks_of)),
    )
    return Listing(entries, notes)


def _by_name(folder: Path, stems: set[str]) -> _Masks:
    masks, others = image_files(folder)
    paired = masks_by_stem(masks, stems)
    return _Masks(of=paired, left=paired.pop("", []), others=others)


def _by_folder(folder: Path, stems: set[str]) -> _Masks:
    """Give each image all masks in the folder of its name."""
    loose, others = image_files(folder)
    found = _Masks(of={}, loose=loose, others=others)
    for own in subfolders(folder):
        masks, odd = image_files(own)
        found.others.extend(odd)
        if own.name in stems:
            found.of[own.name] = masks
        else:
            found.left.append(own)
    return found


def _strays(root: Path, types: set[str], shape: TreeShape) -> tuple[str, ...]:
    """Name what lies where the layout has no place for it, so that nothing vanishes silently."""
    parts = (*shape.training, TEST)
    inside = [f for part in shape.training for f in subfolders(root / part)]
    odd_train = [f for f in inside if f.name != shape.normal]
    odd_masks = [f for f in subfolders(root / TRUTH) if f.name not in types]
    odd_parts = [f for f in subfolders(root) if f.name not in (*parts, TRUTH)]
    loose = [p for part in parts for p in image_files(root / part)[0]]
    words = f"folders in {' and '.join(shape.training)} that are not '{shape.normal}', ignored"
    return (
        *note(words, relative(odd_train, root)),
        *note("folders of masks without images", relative(odd_masks, root)),
        *note("images outside a folder of their type, ignored", relative(loose, root)),
        *note("folders that the layout has no place for, ignored", relative(odd_parts, root)),
    )
