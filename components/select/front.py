"""The Pareto front, and how often a row stands on it when the seeds are redrawn."""

import numpy as np
from numpy.typing import NDArray

from components.select.normalise import Array


def on_front(costs_RC: Array) -> NDArray[np.bool_]:
    """Return for each row (…xRxC costs, smaller is better) whether no other dominates it."""
    first, second = costs_RC[..., :, None, :], costs_RC[..., None, :, :]
    no_worse = (second <= first).all(axis=-1)
    better = (second < first).any(axis=-1)
    return ~np.any(no_worse & better, axis=-1)


def front_frequency(costs_DRC: Array) -> Array:
    """Return for each of R rows the share of draws (0..1) in which it is on the front."""
    return np.mean([on_front(costs_RC) for costs_RC in costs_DRC], axis=0)
