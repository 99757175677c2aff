"""KolektorSDD2's layout: train/ and test/ with ``<id>.png`` beside ``<id>_GT.png``.

Božič et al., "Mixed supervision for surface-defect detection" (2021). Nothing but the mask tells
a defective surface: an image is normal where its ``_GT`` is empty.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from components.data.formats.listing import (
    Entry,
    Listing,
    double_notes,
    image_files,
    note,
    relative,
    require_folder,
    require_normals,
)
from components.data.images import ImageRejected, read_mask
from components.params import Params
from components.records import Split

SUFFIX = "_GT"
DEFECT_TYPE = "defect"
_PARTS = {"train": Split.TRAIN, "test": Split.TEST}


@dataclass
class _Found:
    """What the masks said, image by image."""

    entries: list[Entry] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


class Ksdd2(Params):
    """KolektorSDD2; its training set holds defective images too, which stay out of the fit."""

    kind: Literal["ksdd2"] = "ksdd2"
    path: str | None = None  # the data set's folder; None = already in data/raw

    def entries(self, root: Path) -> Listing:
        """List all images whose ``_GT`` can be read, which is done here to know their label.

        Raises:
            DataError: E101 no such folder; E102 no normal image.
        """
        require_folder(root)
        listings = [_part(root, part, split) for part, split in _PARTS.items()]
        entries = [entry for listing in listings for entry in listing.entries]
        require_normals(entries, root, f"images in train and test with an empty {SUFFIX} mask")
        return Listing(
            entries=tuple(sorted(entries, key=lambda entry: entry.image_path)),
            notes=tuple(text for listing in listings for text in listing.notes),
        )


def is_truth(path: Path) -> bool:
    """Return whether a file is a mask by its name, in either case."""
    return path.stem.upper().endswith(SUFFIX)


def _part(root: Path, part: str, split: Split) -> Listing:
    files, others = image_files(root / part)
    masks: dict[str, list[Path]] = defaultdict(list)
    for mask in filter(is_truth, files):
        masks[mask.stem[: -len(SUFFIX)]].append(mask)
    images = [path for path in files if not is_truth(path)]
    found = _Found()
    for image, path in zip(images, relative(images, root)):
        _judge(found, path, masks.get(image.stem, []), root, split)
    stems = {image.stem for image in images}
    left = [mask for stem, of in masks.items() if stem not in stems for mask in of]
    doubles = {e.image_path: e.mask_paths for e in found.entries}
    return Listing(
        tuple(found.entries),
        (
            *note("files that are no images, ignored", relative(others, root)),
            *note(
                f"images without a {SUFFIX} mask, so without a label, left out", found.unlabelled
            ),
            *note("masks that cannot be read, their images left out", found.unread),
            *note("masks without an image", relative(left, root)),
            *double_notes(doubles),
        ),
    )


def _judge(found: _Found, path: str, masks: list[Path], root: Path, split: Split) -> None:
    """Add one image to what was found, by what its masks show."""
    if not masks:
        found.unlabelled.append(path)
        return
    try:
        marked = any(read_mask(mask).any() for mask in masks)
    except ImageRejected as rejected:
        found.unread.append(rejected.path.relative_to(root).as_posix())
        return
    kind, of = (DEFECT_TYPE, relative(masks, root)) if marked else (None, ())
    found.entries.append(Entry(path, "ksdd2", split, int(marked), kind, of))
