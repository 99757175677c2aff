"""Rotation about the centre, image and mask together."""

from typing import Literal

import numpy as np

from components.augment.corruption import Bounds, Corruption, Image, Mask
from components.data.images import opencv


class Rotate(Corruption):
    """A part that lies askew (paper 002, section 6.1). Severity: degrees.

    What turns in from outside is mirrored at the border, in the image and in the mask alike, so
    that a mirrored defect stays marked. Linear interpolation for the image, nearest for the mask.
    """

    kind: Literal["rotate"] = "rotate"
    degrees: Bounds = (-15.0, 15.0)  # counter-clockwise

    def drawn(
        self, image: Image, mask: Mask | None, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Turn by an angle drawn uniformly."""
        return turned(image, mask, rng.uniform(*self.degrees))

    def fixed(
        self, image: Image, mask: Mask | None, severity: float, rng: np.random.Generator
    ) -> tuple[Image, Mask | None]:
        """Turn by exactly ``severity`` degrees; the sense of turning is drawn."""
        return turned(image, mask, severity * float(rng.choice((-1.0, 1.0))))


def turned(image: Image, mask: Mask | None, degrees: float) -> tuple[Image, Mask | None]:
    """Rotate counter-clockwise about the centre of the pixel grid, keeping the size."""
    cv2 = opencv()
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    border = cv2.BORDER_REFLECT_101
    size = (width, height)
    moved = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    if mask is None:
        return moved, None
    levels = mask.astype(np.uint8)
    marked = cv2.warpAffine(levels, matrix, size, flags=cv2.INTER_NEAREST, borderMode=border)
    return moved, marked.astype(np.bool_)
