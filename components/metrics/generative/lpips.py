"""Learned perceptual distance, from feature maps and the weights of its linear heads."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.generative.features import Floats, checked_array

_EPS = 1e-10  # as the reference adds to each norm


def lpips(
    layers: Sequence[ArrayLike], other_layers: Sequence[ArrayLike], heads: Sequence[ArrayLike]
) -> Floats:
    """Return N distances (>= 0) between N pairs of images.

    ``layers``, ``other_layers``: for each layer NxCxHxW feature maps of the same network on the
    same preprocessing; ``heads``: for each layer C weights >= 0. Feature vectors are scaled to
    unit length at every place; their squared differences are weighted, averaged over places and
    summed over layers. Source: Zhang et al. 2018, equation 1.

    Raises:
        DataError: E207 numbers or shapes that do not fit, a negative weight, a NaN or infinity.
    """
    if not len(layers) == len(other_layers) == len(heads) > 0:
        counts = f"{len(layers)}, {len(other_layers)} and {len(heads)}"
        raise DataError("E207", f"{counts} layers and heads: one head a layer is needed.")
    triples = zip(layers, other_layers, heads, strict=True)
    parts = [_layer_distance(index, *triple) for index, triple in enumerate(triples)]
    total: Floats = np.sum(parts, axis=0)
    return total


def _layer_distance(index: int, first: ArrayLike, second: ArrayLike, head: ArrayLike) -> Floats:
    maps_NCHW = checked_array(first, f"feature maps of layer {index}", 4)
    other_NCHW = checked_array(second, f"other feature maps of layer {index}", 4)
    weights_C = checked_array(head, f"weights of head {index}", 1)
    if maps_NCHW.shape != other_NCHW.shape or maps_NCHW.shape[1] != weights_C.size:
        shapes = f"{maps_NCHW.shape}, {other_NCHW.shape} and {weights_C.shape}"
        raise DataError("E207", f"Layer {index} and its head have shapes {shapes}.")
    if (weights_C < 0).any():
        raise DataError("E207", f"Head {index} has a negative weight: the sum is no distance.")
    squared = (_unit(maps_NCHW) - _unit(other_NCHW)) ** 2
    distance: Floats = np.einsum("nchw,c->nhw", squared, weights_C).mean(axis=(1, 2))
    return distance


def _unit(maps_NCHW: Floats) -> Floats:
    norm = np.sqrt(np.sum(maps_NCHW**2, axis=1, keepdims=True))
    unit: Floats = maps_NCHW / (norm + _EPS)
    return unit
