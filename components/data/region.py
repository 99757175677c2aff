"""Where on the part things may happen: polygons in relative coordinates to a mask of pixels."""

import numpy as np

from components.data.images import Mask, opencv

Point = tuple[float, float]
Window = tuple[float, float, float, float]
WHOLE: Window = (0.0, 0.0, 1.0, 1.0)


def window_px(window: Window, height_px: int, width_px: int) -> tuple[int, int, int, int]:
    """Return a window's left, top, right, bottom in pixels (at least one pixel each way)."""
    left, top, right, bottom = window
    left_px = min(round(left * width_px), width_px - 1)
    top_px = min(round(top * height_px), height_px - 1)
    right_px = max(round(right * width_px), left_px + 1)
    return left_px, top_px, right_px, max(round(bottom * height_px), top_px + 1)


def region_mask(
    polygons: tuple[tuple[Point, ...], ...],
    height_px: int,
    width_px: int,
    window: Window = WHOLE,
) -> Mask:
    """Rasterise polygons, H×W bool, True inside or on the outline of any of them.

    Points are x, y in 0..1 of the picture that ``height_px`` and ``width_px`` measure; where that
    picture was cut out of a larger one, ``window`` says where, and points are in 0..1 of the
    larger one. No polygon at all means everywhere.
    """
    if not polygons:
        return np.ones((height_px, width_px), dtype=np.bool_)
    left, top, right, bottom = window
    origin = np.array([left, top])
    scale = np.array([width_px - 1, height_px - 1]) / np.array([right - left, bottom - top])
    canvas = np.zeros((height_px, width_px), dtype=np.uint8)
    for polygon in polygons:  # one by one: together, OpenCV would leave overlaps out
        points = np.rint((np.array(polygon) - origin) * scale).astype(np.int32)
        opencv().fillPoly(canvas, [points], 1)
    return canvas.astype(np.bool_)
