"""Batch norms of a frozen backbone folded into the convolutions before them.

Exact up to rounding (features of Lite0 move by less than 1e-4): a frozen batch norm is one more
pass over memory that changes no ranking. What it is worth: ``python -m benchmarks.backbone``.
"""

from typing import Any

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# timm's names: an inverted residual expands, filters by depth and projects; the first stage of
# the Lite family has no expansion, so its names stand for other places.
_STEM = (("conv_stem", "bn1"),)
_INVERTED = (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3"))
_SEPARABLE = (("conv_dw", "bn1"), ("conv_pw", "bn2"))


def fold_batch_norms(features: Any) -> None:
    """Fold every batch norm of timm's features-only EfficientNet, in place; it must be frozen."""
    assert not features.training, "a batch norm that still learns cannot be folded"
    _fold(features, _STEM)
    for stage in features.blocks:
        for block in stage:
            _fold(block, _INVERTED if hasattr(block, "conv_pwl") else _SEPARABLE)


def _fold(module: Any, pairs: tuple[tuple[str, str], ...]) -> None:
    for convolution, norm in pairs:
        normalised = getattr(module, norm)
        activation: nn.Module = normalised.act  # timm keeps the activation inside the norm
        setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), normalised))
        setattr(module, norm, activation)
