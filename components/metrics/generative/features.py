"""Checks that every generative metric makes of what it is given."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.errors import DataError

Floats = NDArray[np.float64]


def checked_array(values: ArrayLike, name: str, num_axes: int) -> Floats:
    """Return a non-empty float64 array of ``num_axes`` axes without NaN or infinity.

    Raises:
        DataError: E207 says what is wrong; of a bad value, the index on the first axis.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != num_axes or array.size == 0:
        raise DataError("E207", f"{name} have shape {array.shape}, not {num_axes} filled axes.")
    good = np.isfinite(array)
    if not good.all():
        index = int(np.argmin(good.reshape(len(array), -1).all(axis=1)))
        raise DataError("E207", f"{name} hold a NaN or infinity at index {index}.", "Mend it.")
    return array


def checked_features(features: ArrayLike, name: str, *, min_rows: int = 1) -> Floats:
    """Return NxD features as float64.

    Raises:
        DataError: E207 not two axes, fewer than ``min_rows`` rows, a NaN or infinity.
    """
    array = checked_array(features, name, 2)
    if len(array) < min_rows:
        raise DataError("E207", f"{name}: {len(array)} images, {min_rows} are needed.", "Add some.")
    return array


def checked_distances(distances: ArrayLike, *, square: bool) -> Floats:
    """Return an NxM matrix of distances; a square one is also symmetric.

    Raises:
        DataError: E207 a negative or undefined distance, a shape or asymmetry that is none.
    """
    array = checked_array(distances, "distances", 2)
    if (array < 0).any():
        raise DataError("E207", "A distance is negative.", "Give distances, not similarities.")
    if not square:
        return array
    if array.shape[0] != array.shape[1]:
        raise DataError("E207", f"Distances of one set to itself have shape {array.shape}.")
    if not np.allclose(array, array.T, rtol=1e-5, atol=1e-8):
        raise DataError("E207", "Distances of a set to itself are not symmetric.")
    return array


def same_width(first: Floats, second: Floats) -> None:
    """Raise E207 where two sets of features were not measured by the same extractor."""
    if first.shape[1] != second.shape[1]:
        widths = f"{first.shape[1]} and {second.shape[1]}"
        raise DataError("E207", f"Features of {widths} values an image.", "Use one extractor.")
