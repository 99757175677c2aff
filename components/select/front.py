"""The Pareto front, and how often a row stands on it when the seeds are redrawn."""

import numpy as np
from numpy.typing import NDArray

from components.select.normalise import Array

SMALL = 64  # so many rows are compared pair by pair


def on_front(costs_RC: Array) -> NDArray[np.bool_]:
    """Return for each row (RxC costs, smaller is better) whether no other dominates it.

    Who dominates a row comes before it in lexicographic order: the first of the open rows is on
    the front, and what it dominates is no longer open (Kung, Luccio & Preparata 1975, section 2).
    """
    front = np.zeros(len(costs_RC), np.bool_)
    still = np.lexsort(costs_RC.T[::-1]) if len(costs_RC) > SMALL else np.arange(len(costs_RC))
    while len(still) > SMALL:
        front[still[0]] = True
        others = still[1:]
        still = others[~_beaten(costs_RC[others], costs_RC[still[:1]])]
    front[still] = ~_beaten(costs_RC[still], costs_RC[still])
    return front


def front_frequency(costs_DRC: Array) -> Array:
    """Return for each of R rows the share of draws (0..1) in which it is on the front.

    A row whose best draws another beats with its worst is never on it; such rows are left out
    first, and whatever they dominate is dominated by the one that beat them as well.
    """
    frequency = np.zeros(costs_DRC.shape[1])
    open_rows = np.flatnonzero(~_beaten(costs_DRC.min(axis=0), costs_DRC.max(axis=0)))
    fronts = [on_front(costs_RC) for costs_RC in costs_DRC[:, open_rows]]
    frequency[open_rows] = np.mean(fronts, axis=0)
    return frequency


def _beaten(own_RC: Array, others_RC: Array) -> NDArray[np.bool_]:
    """Return for each own row whether one of the others is nowhere worse and somewhere better."""
    own, other = own_RC[:, None, :], others_RC[None, :, :]
    no_worse, better = (other <= own).all(axis=-1), (other < own).any(axis=-1)
    return np.any(no_worse & better, axis=1)
