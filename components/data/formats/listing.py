"""What a layout's reader hands over: every image once, with its masks, and what was left out."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from components.data.formats.defects_config import DefectKind
from components.data.images import EXTENSIONS
from components.errors import DataError
from components.records import Split

_NAMES_IN_A_NOTE = 5


@dataclass(frozen=True)
class Entry:
    """One image file as its layout describes it; paths are POSIX and relative to the root."""

    image_path: str
    category: str
    split: Split
    gt_label: int
    defect_type: str | None = None  # None where normal
    mask_paths: tuple[str, ...] = ()  # several: one a defect, where the layout's rule says so


@dataclass(frozen=True)
class MaskRule:
    """What the mask files of a layout mean: by default one file an image, of two values."""

    class_values: bool = False  # any value above zero is defective, and several are no problem
    kinds: Mapping[int, DefectKind] | None = None  # one file a defect, of its kind's pixel value
    named_by_kind: bool = False  # a defect's type is its kind's name, not the entry's


@dataclass(frozen=True)
class Listing:
    """All entries of a layout in order of path, and notes on what was not taken."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    mask_rule: MaskRule = MaskRule()


def subfolders(folder: Path) -> list[Path]:
    """Return the visible folders directly within ``folder``, by name ([] where there is none)."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def image_files(folder: Path, *, deep: bool = False) -> tuple[list[Path], list[Path]]:
    """Return the visible files named like images, and the others, by name."""
    if not folder.is_dir():
        return [], []
    found = sorted(folder.rglob("*") if deep else folder.iterdir())
    inside = [p.relative_to(folder).parts for p in found]
    files = [
        path
        for path, parts in zip(found, inside)
        if path.is_file() and not any(part.startswith(".") for part in parts)
    ]
    images = [p for p in files if p.suffix.lower() in EXTENSIONS]
    return images, [p for p in files if p.suffix.lower() not in EXTENSIONS]


def masks_by_stem(masks: Iterable[Path], stems: Iterable[str]) -> dict[str, list[Path]]:
    """Pair masks with image stems **by name**: ``<stem>`` or ``<stem>_mask``, never by order.

    Returns stem → masks; masks that fit no stem stand under ``""``.
    """
    known = set(stems)
    paired: dict[str, list[Path]] = {}
    for mask in masks:
        own = mask.stem if mask.stem in known else mask.stem.removesuffix("_mask")
        paired.setdefault(own if own in known else "", []).append(mask)
    return paired


def relative(paths: Iterable[Path], root: Path) -> tuple[str, ...]:
    """Return POSIX paths relative to ``root``."""
    return tuple(p.relative_to(root).as_posix() for p in paths)


def note(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return one note naming the first few files, or none where there are no names."""
    listed = sorted(names)
    if not listed:
        return ()
    more = len(listed) - _NAMES_IN_A_NOTE
    text = ", ".join(listed[:_NAMES_IN_A_NOTE]) + (f" and {more} more" if more > 0 else "")
    return (f"{len(listed)} {what}: {text}",)


def double_notes(paired: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Note the images that have more than one mask."""
    return note("images with more than one mask", (i for i, m in paired.items() if len(m) > 1))


def require_normals(entries: Iterable[Entry], where: Path, looked_for: str) -> None:
    """Raise E102 unless at least one entry is normal."""
    if not any(entry.gt_label == 0 for entry in entries):
        raise DataError(
            "E102",
            f"{where}: no normal image found (looked for {looked_for}).",
            "A detector learns from normal images: put some there.",
        )


def require_folder(root: Path) -> None:
    """Raise E101 unless the raw folder exists."""
    if not root.is_dir():
        raise DataError("E101", f"{root} is not a folder.", "Give the folder of the raw images.")


def build_folder(target: Path, fill: Callable[[Path], None]) -> Path:
    """Fill a folder beside ``target`` and put it in its place when it is whole."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    fill(part)
    if target.exists():
        shutil.rmtree(target)
    return part.rename(target)
