"""Figures on one scale: 0 at the aspiration, 1 at the reservation, smaller is better.

Shapes: R rows, C criteria, D draws (ahead, where there are any).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.select.params import Criterion

Array = NDArray[np.float64]

BEYOND = 1e-6  # what a step beyond the aspiration is worth: enough to order two equals, no more


def scaled(values_RC: Array, criteria: Sequence[Criterion]) -> Array:
    """Return values (…xRxC, own units) on the scale they are compared on: logs for times."""
    logs = np.array([c.log for c in criteria])
    safe = np.where(logs, values_RC, 1.0)
    return np.where(logs, np.log(safe), values_RC)


def levels(criteria: Sequence[Criterion]) -> tuple[Array, Array]:
    """Return the aspirations and reservations (C each), on the scale of :func:`scaled`."""
    aspirations = np.array([c.aspiration for c in criteria], np.float64)
    reservations = np.array([c.reservation for c in criteria], np.float64)
    return scaled(aspirations, criteria), scaled(reservations, criteria)


def weights(criteria: Sequence[Criterion]) -> Array:
    """Return the weights (C), of mean 1."""
    array = np.array([c.weight for c in criteria], np.float64)
    return array / array.mean()


def to_unit(scaled_RC: Array, aspiration_C: Array, reservation_C: Array) -> Array:
    """Return unit values; beyond the aspiration nothing is gained but the order among equals.

    The small slope there keeps a dominated row below the one that dominates it.
    Source: Wierzbicki 1980, order-preserving achievement functions.
    """
    unit = (scaled_RC - aspiration_C) / (reservation_C - aspiration_C)
    return np.where(unit < 0, BEYOND * unit, unit)


def costs(values_RC: Array, criteria: Sequence[Criterion]) -> Array:
    """Return values with the sign turned where more is better, for dominance alone."""
    return values_RC * np.array([1.0 if c.goal == "min" else -1.0 for c in criteria])
