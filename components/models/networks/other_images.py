"""Images of anything else than the station's parts, for detectors that learn from such too."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from components.data.images import read_image, to_model_input
from components.errors import DataError

_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})
_GREY_SHARE = 0.3


def other_images(folder: str, image_size_px: int, seed: int) -> Iterator[Tensor]:
    """Yield single images 1×3×H×W in 0..1 from a folder and those below it, without end.

    Each is brought to twice the size, cut to its middle, and three in ten turn grey, as
    EfficientAd's authors do with ImageNet. Every round goes through all files in a new order.

    Raises:
        DataError: E312, a folder without a single image.
    """
    root = Path(folder).expanduser()
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
    if not paths:
        raise DataError(
            "E312",
            f"{folder} (penalty_folder) holds no images.",
            "Name a folder of other images, or none: the penalty is then left out.",
        )
    return _endless(paths, image_size_px, np.random.default_rng(seed))


def _endless(paths: list[Path], side: int, rng: np.random.Generator) -> Iterator[Tensor]:
    start = side // 2
    while True:
        for place in rng.permutation(len(paths)):
            planes = to_model_input(read_image(paths[place]), 2 * side)
            middle = planes[:, start : start + side, start : start + side]
            if rng.random() < _GREY_SHARE:
                middle = np.broadcast_to(middle.mean(axis=0, keepdims=True), middle.shape)
            yield torch.from_numpy(np.ascontiguousarray(middle)).unsqueeze(0)
