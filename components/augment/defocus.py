"""Defocus: convolution with a disk whose edge is softened."""

from typing import Literal

import numpy as np

from components.augment.corruption import Bounds, Corruption, Image, Mask
from components.data.images import opencv
from components.levels import Unit, from_unit, to_unit


class Defocus(Corruption):
    """A lens out of focus (paper 003, Table 3). Severity: the disk's radius in pixels."""

    kind: Literal["defocus"] = "defocus"
    radius_px: Bounds = (3.0, 10.0)  # drawn as whole pixels
    alias_blur: Bounds = (0.1, 0.5)  # standard deviation of the softening, px

    def drawn(
        self, image: Image, mask: Mask | None, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Blur with a whole-numbered radius and an edge softness, both drawn uniformly."""
        low, high = self.radius_px
        radius_px = float(rng.integers(round(low), round(high), endpoint=True))
        return _convolve(image, disk(radius_px, rng.uniform(*self.alias_blur))), mask

    def fixed(
        self, image: Image, mask: Mask | None, severity: float, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Blur with this radius (px); the edge softness is drawn."""
        return _convolve(image, disk(severity, rng.uniform(*self.alias_blur))), mask


def disk(radius_px: float, alias_blur: float) -> Unit:
    """Return a disk of that radius, smoothed by a small Gaussian, of sum 1.

    Float32, odd and square. A 3x3 Gaussian softens radii up to 8 px, a 5x5 one larger radii
    (the Defocus of albumentations 1.x, which paper 003 used).
    """
    cv2 = opencv()
    half = int(radius_px) + 2
    offsets = np.arange(-half, half + 1)
    inside = offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius_px**2
    kernel = inside.astype(np.float32) / np.float32(inside.sum())
    width = 3 if radius_px <= 8 else 5
    if alias_blur == 0:
        return kernel
    softened: Unit = cv2.GaussianBlur(kernel, (width, width), alias_blur)
    return softened


def _convolve(image: Image, kernel: Unit) -> Image:
    cv2 = opencv()
    # Float32 is also the fastest way: 8-bit convolution takes twice the time of it.
    blurred = cv2.filter2D(to_unit(image), -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    return from_unit(blurred, image)
