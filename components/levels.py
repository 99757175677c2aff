"""Grey levels: integers of either bit depth to 0..1 and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Unit = NDArray[np.float32]  # grey levels in 0..1, HxW or HxWx3


def to_unit(image: NDArray[Any]) -> Unit:
    """Return a uint8 or uint16 image as float32 in 0..1."""
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def from_unit(unit: Unit, like: NDArray[Any]) -> NDArray[Any]:
    """Return 0..1 levels, clipped and rounded to the bit depth of ``like``."""
    full = float(np.iinfo(like.dtype).max)
    scaled = np.clip(unit * np.float32(full), 0, full)
    return np.rint(scaled, out=scaled).astype(like.dtype)
