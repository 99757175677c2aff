"""Pictures of single images: the photograph, its heat map and its mask, small and side by side."""

import base64
import re
from pathlib import Path

import numpy as np

from components.errors import PipelineError

LONGEST_SIDE_PX = 320
FOLDER = "pictures"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def save_case(
    run_dir: Path,
    image: np.ndarray,
    anomaly_map: np.ndarray,
    gt_mask: np.ndarray | None,
    name: str,
    threshold: float,
) -> tuple[str, str, str]:
    """Write ``pictures/<name>_{image,map,mask}.png`` and return their paths relative to the run.

    Args:
        run_dir: the run's folder.
        image: HxW or HxWx3 (RGB), uint8 or uint16; a dark one is stretched to be seen.
        anomaly_map: HxW raw scores, of any size (it is resized to the picture).
        gt_mask: HxW, non-zero where anomalous; None where the source has no mask.
        name: letters, digits, ``.``, ``-`` and ``_``; a file of this name is replaced.
        threshold: pixel threshold in the map's raw units, drawn as a contour.

    Returns:
        Paths of image, map and mask; ``""`` for the mask where there is none.

    Raises:
        PipelineError: the name is no plain file name (E181), or the map is not finite (E182).
    """
    if not _NAME.fullmatch(name):
        raise PipelineError("E181", f"{name!r} is no name for a picture.", "Use the image's id.")
    if not np.isfinite(anomaly_map).all():
        raise PipelineError("E182", f"The anomaly map of {name} holds NaN.", "Predict it again.")
    picture = _small(_eight_bits(image))
    made = {
        "image": picture,
        "map": overlay(picture, anomaly_map, threshold),
        "mask": None if gt_mask is None else _mask(gt_mask, picture),
    }
    paths = []
    for part, pixels in made.items():
        relative = f"{FOLDER}/{name}_{part}.png"
        if pixels is not None:
            _write(run_dir / relative, pixels)
        paths.append("" if pixels is None else relative)
    return paths[0], paths[1], paths[2]


def overlay(picture_HW3: np.ndarray, anomaly_map: np.ndarray, threshold: float) -> np.ndarray:
    """Return the picture (uint8 RGB) under its heat map, with the threshold's contour in white.

    The colours are inferno's, which grow evenly lighter; they run from the map's median to the
    larger of its maximum and the threshold, so that a map wholly below it stays dark.
    """
    import cv2
    from matplotlib import colormaps

    height, width = picture_HW3.shape[:2]
    heat = cv2.resize(anomaly_map.astype(np.float32), (width, height))
    low = float(np.median(heat))
    high = max(float(heat.max()), threshold, low + 1e-12)
    share_HW1 = np.clip((heat - low) / (high - low), 0, 1)[..., None]
    colours = colormaps["inferno"](share_HW1[..., 0])[..., :3] * 255
    grey = picture_HW3.mean(axis=2, keepdims=True)
    weight = 0.25 + 0.5 * share_HW1
    blended = np.ascontiguousarray(((1 - weight) * grey + weight * colours).astype(np.uint8))
    outline = (heat >= threshold).astype(np.uint8)
    contours, _ = cv2.findContours(outline, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    drawn: np.ndarray = cv2.drawContours(blended, contours, -1, (255, 255, 255), 1)
    return drawn


def data_uri(run_dir: Path, relative: str) -> str:
    """Return a PNG of the run as a data URI, or ``""`` where it is absent or lies outside."""
    path = (run_dir / relative).resolve()
    if not relative or not path.is_relative_to(run_dir.resolve()) or not path.is_file():
        return ""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _eight_bits(image: np.ndarray) -> np.ndarray:
    """Return uint8 RGB; 16 bits are stretched, for cameras fill only 10 or 12 of them."""
    pixels = image[..., None] if image.ndim == 2 else image
    if pixels.dtype != np.uint8:
        low, high = np.percentile(pixels, (0.5, 99.5))
        scaled = (pixels.astype(np.float32) - low) / max(float(high - low), 1.0)
        pixels = (np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]


def _small(picture_HW3: np.ndarray) -> np.ndarray:
    import cv2

    height, width = picture_HW3.shape[:2]
    scale = min(1.0, LONGEST_SIDE_PX / max(height, width))
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller: np.ndarray = cv2.resize(picture_HW3, shape, interpolation=cv2.INTER_AREA)
    return smaller


def _mask(gt_mask: np.ndarray, picture_HW3: np.ndarray) -> np.ndarray:
    """Return the mask at the picture's size; a defect of one pixel still shows."""
    import cv2

    height, width = picture_HW3.shape[:2]
    marked = (gt_mask != 0).astype(np.float32)
    smaller = cv2.resize(marked, (width, height), interpolation=cv2.INTER_AREA)
    return ((smaller > 0) * 255).astype(np.uint8)


def _write(path: Path, pixels: np.ndarray) -> None:
    """Write a PNG atomically: RGB as a palette of 128 colours, a third of the size."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    if pixels.ndim == 3:
        picture = picture.quantize(128, method=Image.Quantize.MEDIANCUT)
    part = path.with_name(f".{path.name}.part")
    picture.save(part, format="PNG", optimize=True)
    part.replace(path)
