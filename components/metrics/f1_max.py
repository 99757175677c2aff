"""Highest F1 over all thresholds."""

import numpy as np
from numpy.typing import ArrayLike

from components.metrics.ranking import Floats, Ranking, rank


def f1_max(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the highest F1 (0..1) that any threshold reaches; optimistic by construction.

    ``scores``: N floats; ``labels``: N of 0 or 1.

    Raises:
        DataError: a NaN, or lengths that differ.
        UndefinedMetricError: E114 one class only.
    """
    return float(f1_max_of(rank(scores, labels)))


def f1_max_of(ranking: Ranking) -> Floats:
    """Return the highest F1 of a ranking: a scalar array, or B values."""
    called = ranking.true_positives + ranking.false_positives
    f1: Floats = 2 * ranking.true_positives / (ranking.num_positives + called)
    return np.max(f1, axis=-1)
