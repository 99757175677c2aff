"""Fréchet distance between two sets of features, and its closed form for two Gaussians.

With centred features X (NxD) and Y (MxD), scaled so that their covariances are XᵀX and YᵀY, the
trace of the square root of the product of covariances is the nuclear norm of X Yᵀ. No covariance
is formed and no matrix root is taken, so few images of many features lose no digits.
"""

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.generative.features import (
    Floats,
    checked_array,
    checked_features,
    same_width,
)


def frechet_distance(features: ArrayLike, other_features: ArrayLike) -> float:
    """Return the squared Fréchet distance (>= 0) of Gaussians fitted to NxD and MxD features.

    With the pooled features of Inception v3 this is the FID; with others it is not, so name the
    extractor beside the figure. Covariances are sample covariances (ddof = 1).
    Source: Heusel et al. 2017, equation 6 (squared, as it is reported).

    Raises:
        DataError: E207 fewer than two images a set, widths that differ, a NaN or infinity.
    """
    first = checked_features(features, "features", min_rows=2)
    second = checked_features(other_features, "other features", min_rows=2)
    same_width(first, second)
    return _between(*_fitted(first), *_fitted(second))


def frechet_of_gaussians(
    mean: ArrayLike, covariance: ArrayLike, other_mean: ArrayLike, other_covariance: ArrayLike
) -> float:
    """Return the same distance from stored means (D) and covariances (DxD).

    Raises:
        DataError: E207 shapes that do not fit, or a covariance that is not symmetric positive.
    """
    center = checked_array(mean, "means", 1)
    other_center = checked_array(other_mean, "other means", 1)
    root = _root(covariance, center.size)
    other_root = _root(other_covariance, other_center.size)
    if center.size != other_center.size:
        raise DataError("E207", f"Means of {center.size} and {other_center.size} features.")
    return _between(center, root, other_center, other_root)


def _between(mean: Floats, factor: Floats, other_mean: Floats, other_factor: Floats) -> float:
    """Return the distance of two Gaussians with covariances FᵀF."""
    spread = np.sum(factor**2) + np.sum(other_factor**2)
    shared = np.linalg.svd(factor @ other_factor.T, compute_uv=False).sum()
    return max(0.0, float(np.sum((mean - other_mean) ** 2) + spread - 2 * shared))


def _fitted(features: Floats) -> tuple[Floats, Floats]:
    """Return the mean and a factor F (at most DxD) with FᵀF = the sample covariance."""
    mean = features.mean(axis=0)
    factor: Floats = (features - mean) / np.sqrt(len(features) - 1)
    if len(factor) > factor.shape[1]:
        factor = np.asarray(np.linalg.qr(factor, mode="r"))
    return mean, factor


def _root(covariance: ArrayLike, size: int) -> Floats:
    matrix = checked_array(covariance, "covariances", 2)
    if matrix.shape != (size, size) or not np.allclose(matrix, matrix.T):
        raise DataError("E207", f"A covariance of shape {matrix.shape} for {size} features.")
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -1e-8 * max(values[-1], np.finfo(float).tiny):
        raise DataError("E207", "A covariance has a negative variance.", "Estimate it again.")
    root: Floats = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    return root
