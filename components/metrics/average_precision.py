"""Average precision."""

import numpy as np
from numpy.typing import ArrayLike

from components.metrics.ranking import Floats, Ranking, rank


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the precision averaged over the steps of recall, 0..1, without interpolation.

    ``scores``: N floats; ``labels``: N of 0 or 1. Source: Manning et al. 2008, section 8.4.

    Raises:
        DataError: a NaN, or lengths that differ.
        UndefinedMetricError: E114 one class only.
    """
    return float(average_precision_of(rank(scores, labels)))


def average_precision_of(ranking: Ranking) -> Floats:
    """Return the average precision of a ranking: a scalar array, or B values."""
    called = ranking.true_positives + ranking.false_positives
    precision = ranking.true_positives / np.maximum(called, 1)  # a resample may call nothing
    area: Floats = np.sum(ranking.hits * precision, axis=-1) / ranking.num_positives
    return area
