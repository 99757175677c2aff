"""Gaussian noise of one variance an image."""

import math
from typing import Literal

import numpy as np

from components.augment.corruption import Bounds, Corruption, Image, Mask
from components.levels import from_unit, to_unit


class GaussNoise(Corruption):
    """Lost image quality (paper 002, section 6.1). Severity: variance on the 0..255 scale.

    Each value of each channel is disturbed on its own; 16-bit images in proportion.
    """

    kind: Literal["gauss_noise"] = "gauss_noise"
    variance: Bounds = (10.0, 120.0)  # drawn once for the image

    def drawn(
        self, image: Image, mask: Mask | None, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Disturb with a variance drawn uniformly."""
        return self.fixed(image, mask, rng.uniform(*self.variance), rng)

    def fixed(
        self, image: Image, mask: Mask | None, severity: float, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Disturb with this variance."""
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        noise *= np.float32(math.sqrt(severity) / 255)
        unit = to_unit(image)
        return from_unit(unit + noise, image), mask
