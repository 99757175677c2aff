"""Where a defect goes: points and boxes in the region, light and colour changes of a patch."""

from typing import NamedTuple

import numpy as np

from components.levels import Unit
from components.synthesize.visible import Mask


class Box(NamedTuple):
    """Rows ``top``..``bottom`` and columns ``left``..``right``, the ends left out, in pixels."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def rows_columns(self) -> tuple[slice, slice]:
        """The box as an index into an image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def random_point(region: Mask, rng: np.random.Generator) -> tuple[int, int]:
    """Return row and column of a pixel of the region, all alike likely."""
    flat = np.flatnonzero(region)
    row, column = divmod(int(flat[rng.integers(flat.size)]), region.shape[1])
    return row, column


def box_within(centre: tuple[int, int], size: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    """Return a box of ``size`` around a point, moved (or cut) to lie inside ``shape``."""
    height_px, width_px = min(size[0], shape[0]), min(size[1], shape[1])
    top = min(max(centre[0] - height_px // 2, 0), shape[0] - height_px)
    left = min(max(centre[1] - width_px // 2, 0), shape[1] - width_px)
    return Box(top, left, top + height_px, left + width_px)


def random_box(size: tuple[int, ...], shape: tuple[int, ...], rng: np.random.Generator) -> Box:
    """Return a box of ``size`` anywhere inside ``shape`` (cut to it where larger)."""
    height_px, width_px = min(size[0], shape[0]), min(size[1], shape[1])
    top = int(rng.integers(shape[0] - height_px + 1))
    left = int(rng.integers(shape[1] - width_px + 1))
    return Box(top, left, top + height_px, left + width_px)


def jittered(patch: Unit, jitter: float, rng: np.random.Generator) -> Unit:
    """Change brightness, contrast and (on colour) saturation by factors in 1 ± ``jitter``.

    Hue is left alone, so that a grey picture stays grey in three channels too.
    """
    brightness, contrast, saturation = rng.uniform(1 - jitter, 1 + jitter, size=3)
    if patch.ndim == 3:
        grey = patch.mean(axis=2, keepdims=True)
        patch = grey + (patch - grey) * np.float32(saturation)
    bright = patch * np.float32(brightness)
    mean = np.float32(bright.mean())
    shifted: Unit = mean + (bright - mean) * np.float32(contrast)
    return shifted
