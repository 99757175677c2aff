"""Distance to train: how far each synthetic image is from the nearest that was learnt from.

Small values say that training images were copied, large ones that nothing of them is left.
"""

import numpy as np
from numpy.typing import ArrayLike

from components.metrics.generative.features import (
    Floats,
    checked_distances,
    checked_features,
    same_width,
)

CELLS_AT_ONCE = 4_000_000  # a block of the distance matrix stays within 32 MB


def nearest_distances(features: ArrayLike, train_features: ArrayLike) -> Floats:
    """Return for each of N images the Euclidean distance to the nearest of M training images.

    ``features``: NxD, ``train_features``: MxD. The nearest is searched by products, its distance
    taken from the difference itself: a copy is at 0 exactly.

    Raises:
        DataError: E207 widths that differ, no image, a NaN or infinity.
    """
    queries = checked_features(features, "features")
    train = checked_features(train_features, "train features")
    same_width(queries, train)
    center = train.mean(axis=0)  # distances stay, and large common offsets cancel early
    queries, train = queries - center, train - center
    half_squares = 0.5 * np.einsum("md,md->m", train, train)
    block = max(1, CELLS_AT_ONCE // len(train))
    found = np.empty(len(queries))
    for start in range(0, len(queries), block):
        part = queries[start : start + block]
        nearest = np.argmin(half_squares - part @ train.T, axis=1)
        found[start : start + block] = np.linalg.norm(part - train[nearest], axis=1)
    return found


def distance_to_train(distances: ArrayLike) -> float:
    """Return the mean over N images of the smallest of M distances (NxM, e.g. LPIPS).

    Source: Sushko et al. 2021, as paper 001 reports it.

    Raises:
        DataError: E207 a negative or undefined distance, or none.
    """
    return float(checked_distances(distances, square=False).min(axis=1).mean())
