"""Gaussian smoothing of anomaly maps for detectors that bring no map generator."""

import math

import torch
from torch import nn

from components.models.networks.features import SeparableBlur

_REACH_SIGMAS = 4  # as scipy cuts its Gaussians, with which the papers' code smooths


def gaussian_blur(sigma: float, side_px: int) -> nn.Module:
    """Return a blur of maps B1HW of ``side_px``; σ in pixels, 0 leaves maps as they are."""
    if sigma == 0:
        return nn.Identity()
    reach = min(math.ceil(_REACH_SIGMAS * sigma), side_px - 1)  # borders are reflected once
    profile = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * sigma**2))
    return SeparableBlur(torch.outer(profile, profile))
