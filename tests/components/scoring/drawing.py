"""A tiny set in AutoVI's layout whose figures can be worked out by hand.

Two images of 10×10. ``good/000`` is normal. ``hoop/000`` has two instances of 10 pixels: row 0,
value 1, found whole at half its area (5 pixels); row 1, value 2, found whole at 4 pixels.

Scores: row 0 has 9 five times and 1 five times; row 1 has 8 twice and 2 eight times. Of the 180
other pixels 18 (all in good/000) score 5, the rest 0.

Overlap against FPR, by falling threshold: (1 + 0) / 2, then (1 + 2/4) / 2 = 0.75 at FPR 0; 0.75 at
FPR 0.1; 1 from there on. The rows touch: one component of 20 pixels, found to 7/20 at FPR 0.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

KINDS = [
    {
        "defect_name": "hoop",
        "pixel_value": 1,
        "saturation_threshold": 0.5,
        "relative_saturation": True,
    },
    {
        "defect_name": "cable",
        "pixel_value": 2,
        "saturation_threshold": 4,
        "relative_saturation": False,
    },
]
AUSPRO = {"0.01": 0.75, "0.05": 0.75, "0.1": 0.75, "0.3": 0.275 / 0.3, "1": 0.975}
AUPRO = {"0.01": 0.35, "0.05": 0.35, "0.1": 0.35, "0.3": 0.235 / 0.3, "1": 0.935}


def write_picture(path: Path, pixels: NDArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_npy(path: Path, pixels: NDArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, pixels)
    return path


def defect_map() -> NDArray[np.uint8]:
    found = np.zeros((10, 10), np.uint8)
    found[0] = [9] * 5 + [1] * 5
    found[1] = [8] * 2 + [2] * 8
    return found


def normal_map() -> NDArray[np.uint8]:
    found = np.zeros((10, 10), np.uint8)
    found[:2, :9] = 5
    return found


def instance(row: int, value: int) -> NDArray[np.uint8]:
    mask = np.zeros((10, 10), np.uint8)
    mask[row] = value
    return mask


def draw_truth(root: Path, *, tested: bool = True) -> Path:
    """Draw the object folder, with its test images or without."""
    masks = root / "ground_truth" / "hoop" / "000"
    write_picture(masks / "0.png", instance(0, 1))
    write_picture(masks / "1.png", instance(1, 2))
    (root / "defects_config.json").write_text(json.dumps(KINDS))
    if tested:
        for name in ("good", "hoop"):
            write_picture(root / "test" / name / "000.png", np.full((10, 10, 3), 90, np.uint8))
    return root


def draw_maps(folder: Path) -> Path:
    """Draw the maps of both images as 8-bit PNGs."""
    write_picture(folder / "good" / "000.png", normal_map())
    write_picture(folder / "hoop" / "000.png", defect_map())
    return folder


def draw_image_masks(root: Path) -> Path:
    """Draw the same image in MVTec AD's layout, where rows 0 and 3 are two components."""
    mask = np.zeros((10, 10), np.uint8)
    mask[0], mask[3] = 255, 255
    write_picture(root / "ground_truth" / "hoop" / "000_mask.png", mask)
    for name in ("good", "hoop"):
        write_picture(root / "test" / name / "000.png", np.full((10, 10), 90, np.uint8))
    return root
