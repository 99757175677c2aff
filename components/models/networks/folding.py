"""Batch norms and one-sided paddings of a frozen backbone folded into its convolutions.

Exact up to rounding (features of Lite0 move by less than 1e-4): both are passes over memory that
change no ranking. What it is worth: ``python -m benchmarks.backbone``.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from timm.layers import Conv2dSame
from torch import nn
from torch.nn.functional import pad
from torch.nn.utils.fusion import fuse_conv_bn_eval

# timm's names. An inverted residual expands, filters by depth and projects; the first stage of
# the Lite family has no expansion, so its names stand for other places.
_INVERTED = (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3"))
_SEPARABLE = (("conv_dw", "bn1"), ("conv_pw", "bn2"))
_NUMBERED = (("conv_stem", "bn1"), ("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"))


def fold_batch_norms(network: nn.Module) -> None:
    """Fold the batch norms of a frozen EfficientNet, ResNet or sequence of layers, in place."""
    assert not network.training, "a batch norm that still learns cannot be folded"
    for module in list(network.modules()):
        for convolution, norm in _pairs(module):
            _fold(module, convolution, norm)


def fold_same_paddings(network: nn.Module) -> None:
    """Replace convolutions that pad at their far sides alone by ones that pad evenly, in place.

    TensorFlow's "same" padding of a stride of 2 copies each map for one more row and column. A
    kernel with a row and a column of zeros before its own sees the same values with plain padding.
    Maps need even sides at every stride, which images of a multiple of 32 px have.
    """
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Conv2dSame) and _is_halving(child):
                setattr(module, name, _padded_evenly(child))


def _is_halving(convolution: nn.Conv2d) -> bool:
    height, width = convolution.kernel_size
    is_plain = convolution.stride == (2, 2) and convolution.dilation == (1, 1)
    return is_plain and height == width and height % 2 == 1


def _padded_evenly(convolution: nn.Conv2d) -> nn.Conv2d:
    weight = convolution.weight
    plain = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size[0] + 1,
        stride=2,
        padding=convolution.kernel_size[0] // 2,
        groups=convolution.groups,
        bias=convolution.bias is not None,
        device="meta",
    )
    plain.weight = nn.Parameter(pad(weight.detach(), (1, 0, 1, 0)), weight.requires_grad)
    plain.bias = convolution.bias
    return plain.train(convolution.training)


def _pairs(module: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of a module's convolutions, each with the batch norm right after it."""
    children = dict(module.named_children())
    if isinstance(module, nn.Sequential):
        candidates = tuple(pairwise(children))
    elif "conv_dw" in children:
        candidates = _INVERTED if "conv_pwl" in children else _SEPARABLE
    else:
        candidates = _NUMBERED
    for convolution, norm in candidates:
        is_pair = isinstance(children.get(convolution), nn.Conv2d)
        if is_pair and isinstance(children.get(norm), nn.BatchNorm2d):
            yield convolution, norm


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    normalised: Any = module.get_submodule(norm)
    before: Any = module.get_submodule(convolution)
    activation = getattr(normalised, "act", None)  # timm may keep it inside the norm
    fused = fuse_conv_bn_eval(before, normalised)
    setattr(module, convolution, fused)
    setattr(module, norm, activation if activation is not None else nn.Identity())
