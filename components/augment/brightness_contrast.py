"""Brightness and contrast: one straight line over the grey levels."""

from typing import Literal

import numpy as np
from pydantic import Field

from components.augment.corruption import Bounds, Corruption, Image, Mask
from components.levels import from_unit, to_unit


class BrightnessContrast(Corruption):
    """Other light or exposure (paper 003, Table 3). Severity: the limit of both terms.

    ``out = (1 + contrast) * image + brightness * scale`` where scale is the largest grey level
    or, with ``brightness_by_max`` off, the image's mean.
    """

    kind: Literal["brightness_contrast"] = "brightness_contrast"
    brightness_limit: Bounds = (-0.2, 0.2)
    contrast_limit: Bounds = (-0.2, 0.2)
    brightness_by_max: bool = Field(default=True)

    def drawn(
        self, image: Image, mask: Mask | None, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Draw both terms uniformly and independently."""
        contrast = rng.uniform(*self.contrast_limit)
        brightness = rng.uniform(*self.brightness_limit)
        return self.adjust(image, brightness, contrast), mask

    def fixed(
        self, image: Image, mask: Mask | None, severity: float, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Shift both terms by exactly ``severity``; their two signs are drawn."""
        brightness, contrast = severity * rng.choice((-1.0, 1.0), size=2)
        return self.adjust(image, float(brightness), float(contrast)), mask

    def adjust(self, image: Image, brightness: float, contrast: float) -> Image:
        """Apply the line; grey levels are clipped to the depth's range and rounded."""
        unit = to_unit(image)
        scale = 1.0 if self.brightness_by_max else float(unit.mean())
        return from_unit(unit * np.float32(1 + contrast) + np.float32(brightness * scale), image)
