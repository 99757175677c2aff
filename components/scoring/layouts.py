"""Which of three layouts a folder of ground truth has, told from its structure."""

from pathlib import Path
from typing import Literal, get_args

from components.data.formats.defects_config import CONFIG_NAME
from components.data.formats.listing import image_files, subfolders
from components.errors import DataError

Layout = Literal["autovi", "mvtec_loco", "mvtec_ad"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
GOOD = "good"
LOCO_TYPES = {"logical_anomalies", "structural_anomalies"}

_INSTANCES = "ground_truth/<defect>/<image id>/<k>.png"
_MASKS = "ground_truth/<defect>/<image id>_mask.png"


def recognise_truth(root: Path, layout: Layout | None = None) -> tuple[Layout, str]:
    """Return the layout of an object folder and why; a given one is held against the folder.

    Raises:
        DataError: E211 no folder, no ground truth in it, or not the layout that was given;
            E212 signs of two layouts.
    """
    instances, masks = _signs(root)
    if layout is not None:
        _hold(root, layout, instances, masks)
        return layout, "as given"
    if instances and masks:
        signs = f"{_where(instances, root)} and {_where(masks, root)}"
        raise DataError(
            "E212",
            f"{root} holds masks a defect instance and masks an image ({signs}).",
            f"Say which counts: --layout {' | '.join(LAYOUTS)}.",
        )
    if masks and (root / CONFIG_NAME).is_file():
        raise DataError(
            "E212",
            f"{root} holds {CONFIG_NAME} of a layout with masks a defect instance, but masks an "
            f"image ({_where(masks, root)}).",
            "Say which counts: --layout mvtec_ad ignores the file.",
        )
    if masks:
        return "mvtec_ad", f"masks an image, {_MASKS}"
    types = {folder.name for folder in subfolders(root / "ground_truth")} - {GOOD}
    if types <= LOCO_TYPES:
        return "mvtec_loco", f"masks an instance, {_INSTANCES}, of {' and '.join(sorted(types))}"
    return "autovi", f"masks an instance, {_INSTANCES}, with defect types as folders"


def _signs(root: Path) -> tuple[list[Path], list[Path]]:
    """Return the first folder of instance masks and the first mask of a whole image."""
    truth = root / "ground_truth"
    if not truth.is_dir():
        raise DataError("E211", f"{root} holds no folder ground_truth.", _nearby(root))
    types = [folder for folder in subfolders(truth) if folder.name != GOOD]
    instances = [f for kind in types for f in subfolders(kind)]
    masks = [f for kind in types for f in image_files(kind)[0]]
    if not instances and not masks:
        looked = f"looked for {_INSTANCES} and {_MASKS}"
        raise DataError("E211", f"{truth} holds no mask ({looked}).", "Give the object's folder.")
    return instances[:1], masks[:1]


def _hold(root: Path, layout: Layout, instances: list[Path], masks: list[Path]) -> None:
    wanted = masks if layout == "mvtec_ad" else instances
    if wanted:
        return
    looked = _MASKS if layout == "mvtec_ad" else _INSTANCES
    raise DataError(
        "E211",
        f"{root} is not of layout {layout}: no {looked} (found {_where(instances + masks, root)}).",
        "Leave --layout out, and it is told from the folder.",
    )


def _where(paths: list[Path], root: Path) -> str:
    return paths[0].relative_to(root).as_posix() if paths else "nothing"


def _nearby(root: Path) -> str:
    """Return which folder was probably meant."""
    if root.name == "ground_truth":
        return f"Give the folder above it: {root.parent}."
    below = [f for f in subfolders(root) if (f / "ground_truth").is_dir()] if root.is_dir() else []
    if below:
        return f"Give one object's folder: {', '.join(str(f) for f in below[:5])}."
    return "Give the dataset's folder of one object."
