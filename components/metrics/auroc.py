"""Area under the receiver operating characteristic."""

import numpy as np
from numpy.typing import ArrayLike

from components.metrics.ranking import Floats, Ranking, rank


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the probability (0..1) that an anomalous image outscores a normal one.

    Ties count one half. ``scores``: N floats; ``labels``: N of 0 or 1.
    Source: Hanley & McNeil 1982, the Mann-Whitney form.

    Raises:
        DataError: a NaN, or lengths that differ.
        UndefinedMetricError: E114 one class only.
    """
    return float(auroc_of(rank(scores, labels)))


def auroc_of(ranking: Ranking) -> Floats:
    """Return the area of a ranking: a scalar array, or B values for B resamples."""
    overtaken = ranking.false_positives_above + ranking.false_positives  # twice, ties once
    lost = np.sum(ranking.hits * overtaken, axis=-1)
    area: Floats = 1 - lost / (2 * ranking.num_positives * ranking.num_negatives)
    return area
