"""Textures foreign to an image: pictures of a folder, or cuts of the other training images.

Shapes: B square images in 0..1, H×W pixels.
"""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn import functional as F  # noqa: N812

from components.data.images import read_image, to_model_input
from components.errors import DataError
from components.models.networks.pasting import jittered

_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})
_CUT = (0.4, 1.0)  # side of what is shown, share of the picture's
_NUM_CHANGES = 3
_HUE = 50 / 360  # share of a circle, and of brightness, contrast and saturation


class Textures:
    """Draws one texture an image: turned, enlarged, and changed in three of seven ways.

    Raises:
        DataError: E318, a folder without a single image.
    """

    def __init__(self, folder: str | None) -> None:
        self.paths: list[Path] = []
        if folder is None:
            return
        root = Path(folder).expanduser()
        files = root.rglob("*")
        self.paths = sorted(p for p in files if p.suffix.lower() in _SUFFIXES and p.is_file())
        if not self.paths:
            raise DataError(
                "E318",
                f"{folder} (texture_folder) holds no images.",
                "Name a folder of textures, such as DTD's, or none: the training images then "
                "serve as textures.",
            )

    def for_images(self, images_B3HW: Tensor, rng: Generator) -> Tensor:
        """Return B3HW in 0..1, on the images' device."""
        cuts = turned_cuts(self._sources(images_B3HW, rng), rng)
        changed = [_changed(cut, rng) for cut in torch.split(cuts, 1)]
        return torch.cat(changed).clamp(0, 1)

    def _sources(self, images_B3HW: Tensor, rng: Generator) -> Tensor:
        num, side = len(images_B3HW), images_B3HW.shape[-1]
        if not self.paths:
            drawn = torch.randint(num, (num,), generator=rng)
            return images_B3HW[drawn.to(images_B3HW.device)]
        places = torch.randint(len(self.paths), (num,), generator=rng).tolist()
        planes = [
            torch.from_numpy(to_model_input(read_image(self.paths[place]), side))
            for place in places
        ]
        return torch.stack(planes).to(images_B3HW.device)


def turned_cuts(images_B3HW: Tensor, rng: Generator) -> Tensor:
    """Return a part of each image, enlarged to its size and turned; beyond borders it mirrors."""
    num = len(images_B3HW)
    side_B = _CUT[0] + (_CUT[1] - _CUT[0]) * torch.rand(num, generator=rng)
    angle_B = 2 * math.pi * torch.rand(num, generator=rng)
    centre_B2 = (1 - side_B[:, None]) * (2 * torch.rand(num, 2, generator=rng) - 1)
    cos, sin = side_B * angle_B.cos(), side_B * angle_B.sin()
    turn_B22 = torch.stack([cos, -sin, sin, cos], dim=1).reshape(num, 2, 2)
    theta_B23 = torch.cat([turn_B22, centre_B2[:, :, None]], dim=2).to(images_B3HW)
    grid = F.affine_grid(theta_B23, list(images_B3HW.shape), align_corners=False)
    return F.grid_sample(images_B3HW, grid, padding_mode="reflection", align_corners=False)


def _changed(image_13HW: Tensor, rng: Generator) -> Tensor:
    """Apply three different changes; the paper draws three of its list too."""
    for which in torch.randperm(len(_CHANGES), generator=rng)[:_NUM_CHANGES].tolist():
        image_13HW = _CHANGES[which](image_13HW.clamp(0, 1), rng)
    return image_13HW


def _between(low: float, high: float, rng: Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=rng))


def _gamma(image: Tensor, rng: Generator) -> Tensor:
    return image ** (2 ** _between(-1, 1, rng))


def _brightness(image: Tensor, rng: Generator) -> Tensor:
    return image * _between(0.8, 1.2, rng) + _between(-30 / 255, 30 / 255, rng)


def _hue(image: Tensor, rng: Generator) -> Tensor:
    return jittered(image, _HUE, rng)


def _solarised(image: Tensor, rng: Generator) -> Tensor:
    return torch.where(image >= _between(32 / 255, 128 / 255, rng), 1 - image, image)


def _posterised(image: Tensor, _rng: Generator) -> Tensor:
    return (image * 15).round() / 15  # 4 bits


def _inverted(image: Tensor, _rng: Generator) -> Tensor:
    return 1 - image


def _whole_range(image: Tensor, _rng: Generator) -> Tensor:
    low, high = image.amin(), image.amax()
    return (image - low) / (high - low).clamp_min(1e-6)


_CHANGES: tuple[Callable[[Tensor, Generator], Tensor], ...] = (
    _gamma,
    _brightness,
    _hue,
    _solarised,
    _posterised,
    _inverted,
    _whole_range,
)
