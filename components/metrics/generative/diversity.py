"""How much synthetic images differ from each other, overall and around each training image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.generative.features import Floats, checked_distances


@dataclass(frozen=True)
class ClusterDiversity:
    """Mean and sample standard deviation over clusters of their mean pairwise distance.

    ``mean`` is None where no cluster has two images, ``std`` where fewer than two clusters have.
    """

    mean: float | None
    std: float | None
    num_clusters: int  # with at least two images
    num_left_out: int  # clusters of one image, where nothing can differ


def mean_pairwise_distance(distances: ArrayLike) -> float:
    """Return the mean distance of all pairs among N images (NxN, symmetric): the LPIPS of a set.

    Raises:
        DataError: E207 fewer than two images, or a matrix that holds no distances.
    """
    matrix = checked_distances(distances, square=True)
    if len(matrix) < 2:
        raise DataError("E207", "One image differs from no other.", "Give at least two.")
    return _mean_of_pairs(matrix)


def intra_cluster_distance(distances: ArrayLike, clusters: ArrayLike) -> ClusterDiversity:
    """Return how much the images of a cluster differ, averaged over clusters.

    ``distances``: NxN (LPIPS for the metric of that name); ``clusters``: N integers, commonly
    the index of the nearest training image, so that memorised images show as 0.
    Source: Ojha et al. 2021, section 4.2 (intra-cluster LPIPS).

    Raises:
        DataError: E207 a matrix that holds no distances, or another number of clusters' labels.
    """
    matrix = checked_distances(distances, square=True)
    labels = np.asarray(clusters)
    if labels.shape != (len(matrix),) or labels.dtype.kind not in "iu":
        given = f"cluster labels of shape {labels.shape}, kind {labels.dtype}"
        raise DataError("E207", f"{len(matrix)} images but {given}.", "Give one integer an image.")
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    means = [_mean_of_pairs(matrix[np.ix_(m, m)]) for m in members if m.size > 1]
    return ClusterDiversity(
        mean=float(np.mean(means)) if means else None,
        std=float(np.std(means, ddof=1)) if len(means) > 1 else None,
        num_clusters=len(means),
        num_left_out=len(members) - len(means),
    )


def _mean_of_pairs(matrix: Floats) -> float:
    return float(matrix[np.triu_indices(len(matrix), k=1)].mean())
