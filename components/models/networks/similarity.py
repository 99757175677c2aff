"""How alike two images are: structural similarity, and gradients compared at several scales.

Shapes: B images, C channels, H×W pixels, values in 0..1.
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

_C1, _C2 = 0.01**2, 0.03**2  # (K·L)² with the data range L = 1
_WINDOW_PX, _WINDOW_SIGMA = 11, 1.5  # as Wang et al. 2004; paper 004 names no window
_GMS_C = 0.0026  # of Xue et al. 2013, for gradients in 0..1
_SCALES = 4


def ssim(first_BCHW: Tensor, second_BCHW: Tensor) -> Tensor:
    """Return the mean structural similarity of each image, (B,), 1 where both are the same.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004:
    Gaussian window of 11 pixels and σ 1.5, borders left out, each channel by itself.
    """
    x, y = first_BCHW, second_BCHW
    mean_x, mean_y, xx, yy, xy = _windowed(torch.stack([x, y, x * x, y * y, x * y]))
    var_x, var_y = xx - mean_x * mean_x, yy - mean_y * mean_y
    covariance = xy - mean_x * mean_y
    light = (2 * mean_x * mean_y + _C1) / (mean_x * mean_x + mean_y * mean_y + _C1)
    structure = (2 * covariance + _C2) / (var_x + var_y + _C2)
    return (light * structure).flatten(1).mean(dim=1)


def _windowed(maps: Tensor) -> Tensor:
    """Return weighted means around each pixel that has a whole window around it.

    As products with two banded matrices: convolutions of single planes took six tenths of a
    training step on a CPU.
    """
    height, width = maps.shape[-2:]
    return _band(height, maps) @ maps @ _band(width, maps).T


def _band(size: int, like: Tensor) -> Tensor:
    """Return the window at each place that holds it whole: (size − 10) × size."""
    num = size - _WINDOW_PX + 1
    assert num > 0, f"images of {size} pixels are smaller than the window"
    places = torch.arange(size, device=like.device, dtype=like.dtype)
    centres = places[:num, None] + _WINDOW_PX // 2
    distances = (places[None, :] - centres).abs()
    weights = torch.exp(-(distances**2) / (2 * _WINDOW_SIGMA**2))
    weights = weights * (distances <= _WINDOW_PX // 2)
    return weights / weights.sum(dim=1, keepdim=True)


def msgms(first_BCHW: Tensor, second_BCHW: Tensor) -> Tensor:
    """Return the multi-scale gradient magnitude similarity, B × 1 × H × W, 1 where gradients agree.

    Zavrtanik et al., "Reconstruction by Inpainting for Visual Anomaly Detection", 2021, after Xue
    et al., "Gradient Magnitude Similarity Deviation", 2013: on the mean of the channels, at four
    scales by means of 2×2, each enlarged bilinearly. H and W are multiples of 8.
    """
    size = first_BCHW.shape[-2:]
    first, second = (x.mean(dim=1, keepdim=True) for x in (first_BCHW, second_BCHW))
    total = _gms(first, second)
    for _ in range(_SCALES - 1):
        first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
        coarse = _gms(first, second)
        total = total + F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return total / _SCALES


def _gms(first_B1HW: Tensor, second_B1HW: Tensor) -> Tensor:
    one, other = _gradient(first_B1HW), _gradient(second_B1HW)
    return (2 * one * other + _GMS_C) / (one * one + other * other + _GMS_C)


def _gradient(grey_B1HW: Tensor) -> Tensor:
    """Return gradient magnitudes by Prewitt's filter over three; borders are repeated outwards."""
    ramp = torch.tensor([1.0, 0.0, -1.0], device=grey_B1HW.device, dtype=grey_B1HW.dtype) / 3
    across = ramp.expand(3, 3)
    filters = torch.stack([across, across.T]).unsqueeze(1)
    gradients = F.conv2d(F.pad(grey_B1HW, (1, 1, 1, 1), mode="replicate"), filters)
    return gradients.square().sum(dim=1, keepdim=True).sqrt()
