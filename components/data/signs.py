"""What each layout is recognised by, from names of files and folders alone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from components.data.formats import (
    AutoVi,
    Btad,
    Elpv,
    Folder,
    Ksdd2,
    MvtecAd,
    MvtecLoco,
    Source,
    Visa,
)
from components.data.formats.defects_config import CONFIG_NAME
from components.data.formats.ksdd2 import is_truth
from components.data.formats.listing import image_files, subfolders
from components.data.formats.mvtec_loco import ANOMALY_FOLDERS
from components.data.formats.tree import TEST, TRUTH
from components.data.formats.visa import SPLIT_CSV, categories
from components.errors import DataError

_MASK_FOLDERS = ("masks", "mask", "ground_truth")


@dataclass(frozen=True)
class Layout:
    """One layout: what is looked for, why a folder fits (None: it does not), and its params."""

    kind: str
    looks_for: str
    why: Callable[[Path], str | None]
    source: Callable[[Path, str | None], Source]


def _as_elpv(root: Path) -> str | None:
    if not (root / "labels.csv").is_file() or not (root / "images").is_dir():
        return None
    return "labels.csv beside images/, as elpv-dataset ships them"


def _as_mvtec_ad(root: Path) -> str | None:
    types = _types(root)
    flat = any(image_files(folder)[0] for folder in subfolders(root / TRUTH))
    if not (root / "train/good").is_dir() or (_has_instances(root) and not flat):
        return None
    good = len(image_files(root / "train/good")[0])
    masks = "with" if subfolders(root / TRUTH) else "without"
    return f"train/good with {good} images, {len(types)} types of defect in test, {masks} masks"


def _as_mvtec_loco(root: Path) -> str | None:
    found = [name for name in _types(root) if name in ANOMALY_FOLDERS]
    found += ["validation/good"] if (root / "validation/good").is_dir() else []
    if not (root / "train/good").is_dir() or not _has_instances(root) or not found:
        return None
    return f"one mask a defect, and {', '.join(found)}"


def _as_autovi(root: Path) -> str | None:
    own = [name for name in _types(root) if name not in ANOMALY_FOLDERS]
    if not (root / "train/good").is_dir() or not _has_instances(root) or not own:
        return None
    config = CONFIG_NAME if (root / CONFIG_NAME).is_file() else f"no {CONFIG_NAME}"
    return f"one mask a defect, {config}, {len(own)} types of defect in test"


def _types(root: Path) -> list[str]:
    return [folder.name for folder in subfolders(root / TEST) if folder.name != "good"]


def _has_instances(root: Path) -> bool:
    """Return whether masks lie in a folder for each image, or their values have a meaning."""
    types = subfolders(root / TRUTH)
    return (root / CONFIG_NAME).is_file() or any(subfolders(folder) for folder in types)


def _as_btad(root: Path) -> str | None:
    if not (root / "train/ok").is_dir() or not (root / TEST).is_dir():
        return None
    num = [len(image_files(root / part)[0]) for part in ("train/ok", "test/ok", "test/ko")]
    return f"train/ok with {num[0]} images, test/ok with {num[1]}, test/ko with {num[2]}"


def _as_ksdd2(root: Path) -> str | None:
    parts = {part: image_files(root / part)[0] for part in ("train", TEST)}
    truths = {part: sum(map(is_truth, files)) for part, files in parts.items()}
    if not all(truths.values()):
        return None
    return (
        f"masks named _GT beside their images: {truths['train']} in train, {truths[TEST]} in test"
    )


def _as_visa(root: Path) -> str | None:
    if not (root / SPLIT_CSV).is_file():
        return None
    folders = [f.name for f in subfolders(root) if (f / "Data/Images").is_dir()]
    return f"{SPLIT_CSV} beside {len(folders)} folders with Data/Images"


def _visa(root: Path, category: str | None) -> Visa:
    known = categories(root / SPLIT_CSV)
    if category is None and len(known) == 1:
        return Visa(category=known[0])
    if category not in known:
        what = "no category is chosen" if category is None else f"no category {category!r}"
        message = f"{root / SPLIT_CSV}: {what}; it lists {', '.join(known) or 'none'}."
        raise DataError("E225", message, "Give one: --category NAME.")
    return Visa(category=category)


def _as_folder(root: Path) -> str | None:
    normal, types, masks = _classes(root)
    if not normal:
        return None
    reason = f"normal images in {', '.join(normal)}/, defect types {types}"
    return reason + (f", masks in {masks}/" if masks else ", no masks")


def _classes(root: Path) -> tuple[list[str], list[str], str | None]:
    """Return the names of folders of normals, of defect types, and of masks."""
    names = [folder.name for folder in subfolders(root)]
    normal = [name for name in names if name.lower() in Folder().normal]
    masks = next((name for name in names if name.lower() in _MASK_FOLDERS), None)
    return normal, sorted(n for n in names if n not in normal and n != masks), masks


LAYOUTS = (
    Layout("mvtec_ad", "train/good and test/<type>", _as_mvtec_ad, lambda *_: MvtecAd()),
    Layout(
        "mvtec_loco",
        "train/good, validation/good, ground_truth/<type>/<image>/",
        _as_mvtec_loco,
        lambda *_: MvtecLoco(),
    ),
    Layout(
        "autovi",
        f"train/good, ground_truth/<type>/<image>/ and {CONFIG_NAME}",
        _as_autovi,
        lambda *_: AutoVi(),
    ),
    Layout("btad", "train/ok, test/ok and test/ko", _as_btad, lambda *_: Btad()),
    Layout("visa", f"{SPLIT_CSV} and <category>/Data/Images", _as_visa, _visa),
    Layout(
        "ksdd2", "train/ and test/ with <id>_GT beside each image", _as_ksdd2, lambda *_: Ksdd2()
    ),
    Layout(
        "folder",
        "good/, ok/ or normal/ beside a folder for each type of defect",
        _as_folder,
        lambda root, _: Folder(masks=_classes(root)[2]),
    ),
    Layout("elpv", "labels.csv beside images/", _as_elpv, lambda *_: Elpv(cell_type="all")),
)
