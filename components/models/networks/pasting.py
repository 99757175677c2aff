"""CutPaste on tensors: a piece of each image, jittered, turned and put down elsewhere in it.

Li et al., "CutPaste", CVPR 2021, sections 2.1 and 2.2: a large patch, and a thin turned scar.
Every image of a batch draws its own piece; ``rng`` lives on the CPU, so that draws agree between
devices. Shapes: B square images in 0..1, C = 3 channels, H×W pixels.
"""

import math

import torch
from torch import Generator, Tensor

Range = tuple[float, float]

_REFERENCE_PX = 256  # the size of image for which scars are given in pixels


def paste_patches(
    images_BCHW: Tensor,
    rng: Generator,
    area: Range = (0.02, 0.15),
    aspect: Range = (0.3, 3.3),
    jitter: float = 0.1,
) -> tuple[Tensor, Tensor]:
    """Paste one upright patch into each image: the images and masks B1HW of what was covered.

    ``area`` is the patch's share of the image, ``aspect`` its width by its height, drawn evenly
    in the logarithm.
    """
    num, side = len(images_BCHW), images_BCHW.shape[-1]
    area_B = _uniform(area, num, rng) * side**2
    aspect_B = _uniform((math.log(aspect[0]), math.log(aspect[1])), num, rng).exp()
    sizes = (area_B / aspect_B).sqrt(), (area_B * aspect_B).sqrt()
    return _pasted(images_BCHW, *sizes, torch.zeros(num), jitter, rng)


def paste_scars(
    images_BCHW: Tensor,
    rng: Generator,
    width_px: Range = (2.0, 16.0),
    length_px: Range = (10.0, 25.0),
    degrees: Range = (-45.0, 45.0),
    jitter: float = 0.1,
) -> tuple[Tensor, Tensor]:
    """Paste one turned scar into each image: the images and masks B1HW of what was covered.

    Its sizes are pixels at 256 px.
    """
    num, scale = len(images_BCHW), images_BCHW.shape[-1] / _REFERENCE_PX
    length_B = _uniform(length_px, num, rng) * scale
    width_B = _uniform(width_px, num, rng) * scale
    angle_B = torch.deg2rad(_uniform(degrees, num, rng))
    return _pasted(images_BCHW, length_B, width_B, angle_B, jitter, rng)


def _pasted(
    images_BCHW: Tensor,
    height_B: Tensor,
    width_B: Tensor,
    angle_B: Tensor,
    jitter: float,
    rng: Generator,
) -> tuple[Tensor, Tensor]:
    side, device = images_BCHW.shape[-1], images_BCHW.device
    origin_BHW, inside_BHW = _origins(side, height_B, width_B, angle_B, rng)
    pieces_BCN = jittered(images_BCHW, jitter, rng).flatten(2)
    origin_B1N = origin_BHW.flatten(1).unsqueeze(1).to(device)
    moved_BCN = pieces_BCN.gather(2, origin_B1N.expand(-1, pieces_BCN.shape[1], -1))
    mask_B1HW = inside_BHW.unsqueeze(1).to(device)
    return torch.where(mask_B1HW, moved_BCN.view(images_BCHW.shape), images_BCHW), mask_B1HW


def _origins(
    side: int, height_B: Tensor, width_B: Tensor, angle_B: Tensor, rng: Generator
) -> tuple[Tensor, Tensor]:
    """Draw from where to where: each pixel's number in its source, and whether it is replaced.

    Every pixel asks where in the upright source it would lie, so that turned pieces have no holes.
    """
    height_B, width_B = height_B.clamp(1, side), width_B.clamp(1, side)
    cos, sin = angle_B.cos().abs(), angle_B.sin().abs()
    down_B = _place((height_B * cos + width_B * sin) / 2, side, rng)
    right_B = _place((height_B * sin + width_B * cos) / 2, side, rng)
    along, across = _turned_back(side, down_B, right_B, angle_B)
    inside_BHW = (along.abs() <= _each(height_B) / 2) & (across.abs() <= _each(width_B) / 2)
    rows = (along + _each(_place(height_B / 2, side, rng))).floor().clamp(0, side - 1)
    columns = (across + _each(_place(width_B / 2, side, rng))).floor().clamp(0, side - 1)
    return (rows * side + columns).long(), inside_BHW


def _turned_back(
    side: int, down_B: Tensor, right_B: Tensor, angle_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Return where each pixel lies from a centre, along and across a piece turned by an angle."""
    pixels = torch.arange(side) + 0.5
    down = (pixels - down_B[:, None])[:, :, None]
    right = (pixels - right_B[:, None])[:, None, :]
    cos, sin = _each(angle_B.cos()), _each(angle_B.sin())
    return down * cos + right * sin, right * cos - down * sin


def jittered(images_B3HW: Tensor, share: float, rng: Generator) -> Tensor:
    """Change brightness, contrast and saturation by factors in 1 ± ``share``, and the hue.

    The hue turns by up to ``share`` of a circle, around the axis of greys: grey stays grey.
    """
    num, device = len(images_B3HW), images_B3HW.device
    changes = _uniform((-share, share), 4 * num, rng).view(4, num, 1, 1, 1).to(device)
    brightness, contrast, saturation = 1 + changes[:3]
    bright = images_B3HW * brightness
    mean = bright.mean(dim=(1, 2, 3), keepdim=True)
    contrasted = mean + (bright - mean) * contrast
    grey = contrasted.mean(dim=1, keepdim=True)
    coloured = grey + (contrasted - grey) * saturation
    turn_B33 = hue_turn(2 * math.pi * changes[3].view(-1, 1, 1))
    return torch.einsum("bij,bjhw->bihw", turn_B33, coloured).clamp(0, 1)


def hue_turn(angle_B11: Tensor) -> Tensor:
    """Return the rotations of colours around the axis of greys, B×3×3 (Rodrigues' formula)."""
    cross = angle_B11.new_tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    along = angle_B11.new_full((3, 3), 1 / 3)
    cos, sin = angle_B11.cos(), angle_B11.sin()
    return along + cos * (torch.eye(3).to(along) - along) + sin * cross


def _uniform(ends: Range, num: int, rng: Generator) -> Tensor:
    return ends[0] + (ends[1] - ends[0]) * torch.rand(num, generator=rng)


def _place(reach_B: Tensor, side: int, rng: Generator) -> Tensor:
    """Draw a centre from which a reach to both sides stays within the image, where one does."""
    free = (side - 2 * reach_B).clamp_min(0)
    return (side - free) / 2 + free * torch.rand(len(reach_B), generator=rng)


def _each(values_B: Tensor) -> Tensor:
    return values_B[:, None, None]
