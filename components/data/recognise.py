"""Which layout a folder of images has, and why; nothing is guessed between two that fit."""

from collections.abc import Callable
from pathlib import Path

from components.data.formats import Elpv, Folder, MvtecAd, Source
from components.data.formats.listing import image_files, require_folder, subfolders
from components.errors import DataError

_MASK_FOLDERS = ("masks", "mask", "ground_truth")


def recognise(root: Path) -> tuple[Source, str]:
    """Return the layout's params and, in words, what they were recognised by.

    Raises:
        DataError: E101 no such folder; E109 no known layout fits, or more than one does.
    """
    require_folder(root)
    answers = [(look_for, judge(root)) for look_for, judge in _JUDGES.items()]
    fitting = [found for _, found in answers if found is not None]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        kinds = " and ".join(f"{source.kind} ({reason})" for source, reason in fitting)
        message = f"{root}: more than one layout fits: {kinds}."
        raise DataError("E109", message, "Write the station's 'source' by hand.")
    raise DataError(
        "E109",
        f"{root}: no known layout fits. Looked for: " + "; ".join(_JUDGES) + ".",
        "Sort the images into one of these.",
    )


def _as_elpv(root: Path) -> tuple[Source, str] | None:
    if not (root / "labels.csv").is_file() or not (root / "images").is_dir():
        return None
    return Elpv(cell_type="all"), "labels.csv beside images/, as elpv-dataset ships them"


def _as_mvtec_ad(root: Path) -> tuple[Source, str] | None:
    good = len(image_files(root / "train" / "good")[0])
    if not (root / "train" / "good").is_dir():
        return None
    types = [f.name for f in subfolders(root / "test") if f.name != "good"]
    masks = "with" if subfolders(root / "ground_truth") else "without"
    reason = f"train/good with {good} images, {len(types)} types of defect in test, {masks} masks"
    return MvtecAd(), reason


def _as_folder(root: Path) -> tuple[Source, str] | None:
    folders = subfolders(root)
    normal = [f for f in folders if f.name.lower() in Folder().normal]
    if not normal:
        return None
    masks = next((f.name for f in folders if f.name.lower() in _MASK_FOLDERS), None)
    types = sorted(f.name for f in folders if f not in normal and f.name != masks)
    reason = f"normal images in {', '.join(f.name for f in normal)}/, defect types {types}"
    return Folder(masks=masks), reason + (f", masks in {masks}/" if masks else ", no masks")


_JUDGES: dict[str, Callable[[Path], tuple[Source, str] | None]] = {
    "train/good and test/<type> (mvtec_ad)": _as_mvtec_ad,
    "good/, ok/ or normal/ beside a folder for each type of defect (folder)": _as_folder,
    "labels.csv beside images/ (elpv)": _as_elpv,
}
