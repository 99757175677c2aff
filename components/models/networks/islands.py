"""Simulated defects: islands of a foreign texture, shaped by thresholded gradient noise.

Zavrtanik et al., "DRAEM", ICCV 2021, section 3.3. ``rng`` lives on the CPU, so that draws agree
between devices. Shapes: B square images in 0..1 of side H = W.
"""

import math

import torch
from torch import Generator, Tensor

from components.models.networks.textures import Textures

_THRESHOLD = 0.5  # of noise that lies in about -1..1
_CELLS_LOG2 = 6  # cells a side: 2^0 to 2^5
_SHARE = 0.5  # of the images that get a defect


def disturbed(
    images_B3HW: Tensor, textures: Textures, opacity: tuple[float, float], rng: Generator
) -> tuple[Tensor, Tensor]:
    """Return images half of which have islands of texture, and masks B1HW of 0 and 1 (eq. 2)."""
    device = images_B3HW.device
    masks = island_masks(len(images_B3HW), images_B3HW.shape[-1], rng).to(device)
    low, high = opacity
    shown = low + (high - low) * torch.rand(len(images_B3HW), 1, 1, 1, generator=rng)
    foreign = textures.for_images(images_B3HW, rng)
    return images_B3HW + masks * shown.to(device) * (foreign - images_B3HW), masks


def island_masks(num: int, side: int, rng: Generator) -> Tensor:
    """Return masks num × 1 × side × side of 0 and 1, on the CPU; about half of them are empty."""
    masks = torch.zeros(num, 1, side, side)
    for mask in masks:
        if float(torch.rand((), generator=rng)) < _SHARE:
            mask[0] = (stretched(turned_noise(side, rng)) > _THRESHOLD).float()
    return masks


def stretched(noise_HW: Tensor) -> Tensor:
    """Return noise over the whole of -1..1 where nothing of it would pass the threshold."""
    low, high = noise_HW.amin(), noise_HW.amax()
    if high > _THRESHOLD or high == low:
        return noise_HW
    return 2 * (noise_HW - low) / (high - low) - 1


def turned_noise(side: int, rng: Generator) -> Tensor:
    """Return gradient noise H×W, about -1..1, of drawn cells, turned about the centre.

    Perlin, "Improving Noise", SIGGRAPH 2002: unit gradients on a lattice, quintic fade, times √2.
    The lattice is read at turned places, so that no corner of the square stays empty.
    """
    cells_2 = 2.0 ** torch.randint(_CELLS_LOG2, (2,), generator=rng)
    angle = math.pi * (float(torch.rand((), generator=rng)) - 0.5)
    line = (torch.arange(side) + 0.5) / side - 0.5
    down, across = torch.meshgrid(line, line, indexing="ij")
    cos, sin = math.cos(angle), math.sin(angle)
    turned = torch.stack([down * cos - across * sin, down * sin + across * cos], dim=-1)
    # A turned square reaches √2 / 2 from its centre: one more than that keeps all nodes positive.
    return lattice_noise((turned + 1) * cells_2, rng)


def lattice_noise(places_HW2: Tensor, rng: Generator) -> Tensor:
    """Return gradient noise at places ≥ 0 of a lattice with nodes at whole numbers: H×W."""
    num_down, num_across = (int(places_HW2[..., axis].max()) + 2 for axis in (0, 1))
    angles = 2 * math.pi * torch.rand(num_down, num_across, generator=rng)
    gradients = torch.stack([angles.sin(), angles.cos()], dim=-1)
    first = places_HW2.floor()
    way = places_HW2 - first
    fade = way**3 * (way * (way * 6 - 15) + 10)
    noise = torch.zeros(places_HW2.shape[:2])
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        offset = torch.tensor(corner)
        row, column = (first.long() + offset).unbind(dim=-1)
        weight = (offset * fade + (1 - offset) * (1 - fade)).prod(dim=-1)
        noise += weight * (gradients[row, column] * (way - offset)).sum(dim=-1)
    return math.sqrt(2) * noise
