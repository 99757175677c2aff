"""Sensor noise of a high ISO setting, in hue, luminance and saturation (HLS)."""

from typing import Literal

import numpy as np

from components.augment.corruption import Bounds, Corruption, Image, Mask
from components.data.images import opencv
from components.levels import Unit, from_unit, to_unit


class IsoNoise(Corruption):
    """Camera sensor noise (paper 003, Table 3; albumentations 1.x). Severity: intensity.

    With s the standard deviation of the luminance L in 0..1, each pixel's luminance becomes
    ``L + k/255 * (1 - L)``, k ~ Poisson(255 * s * intensity), and its hue turns by
    N(0, (360° * color_shift * intensity)²). Grey images have the luminance part alone.
    """

    kind: Literal["iso_noise"] = "iso_noise"
    color_shift: Bounds = (0.01, 0.05)  # share of the hue circle
    intensity: Bounds = (0.1, 0.5)

    def drawn(
        self, image: Image, mask: Mask | None, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Draw colour shift and intensity uniformly, once for the image."""
        color_shift = rng.uniform(*self.color_shift)
        return _noisy(image, color_shift, rng.uniform(*self.intensity), rng), mask

    def fixed(
        self, image: Image, mask: Mask | None, severity: float, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Noise of this intensity with the mid-range colour shift."""
        return _noisy(image, sum(self.color_shift) / 2, severity, rng), mask


def _noisy(image: Image, color_shift: float, intensity: float, rng: np.random.Generator) -> Image:
    unit = to_unit(image)
    if image.ndim == 2:
        return from_unit(brightened(unit, intensity, rng), image)
    cv2 = opencv()
    hls = cv2.cvtColor(unit, cv2.COLOR_RGB2HLS)  # hue in 0..360, the others in 0..1
    hls[..., 1] = brightened(hls[..., 1], intensity, rng)
    turn = rng.standard_normal(image.shape[:2], dtype=np.float32)
    hls[..., 0] = (hls[..., 0] + turn * np.float32(360 * color_shift * intensity)) % 360
    return from_unit(cv2.cvtColor(hls, cv2.COLOR_HLS2RGB), image)


def brightened(luminance: Unit, intensity: float, rng: np.random.Generator) -> Unit:
    """Return luminance (0..1) with Poisson noise that fades towards white."""
    rate = 255 * float(luminance.std()) * intensity
    counts = rng.poisson(rate, size=luminance.shape).astype(np.float32)
    return luminance + counts / np.float32(255) * (1 - luminance)
