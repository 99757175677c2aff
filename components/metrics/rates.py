"""Rates at a threshold, in a plant's words: escapes (missed defects) and overkill (false alarms).

A score **>=** the threshold is called anomalous.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.ranking import Floats, Ranking, UndefinedMetricError, checked_scores, rank


def tpr_at_tnr(scores: ArrayLike, labels: ArrayLike, tnr: float) -> float:
    """Return the highest true-positive rate (0..1) whose true-negative rate is at least ``tnr``.

    No interpolation: the rate is one that a threshold really reaches.
    Source: paper 002 (MVTec LOCO protocol), TPR at TNR 0.99 / 0.95 / 0.90.

    Raises:
        DataError: a NaN, lengths that differ, or ``tnr`` outside 0..1.
        UndefinedMetricError: E114 one class only.
    """
    return float(tpr_at_tnr_of(rank(scores, labels), tnr))


def tpr_at_tnr_of(ranking: Ranking, tnr: float) -> Floats:
    """Return the rate of a ranking: a scalar array, or B values."""
    if not 0 <= tnr <= 1:
        raise DataError("E112", f"TNR {tnr} is not within 0..1.")
    allowed = math.floor((1 - tnr) * ranking.num_negatives + 1e-9)
    within = ranking.false_positives <= allowed
    rate: Floats = np.max(ranking.true_positives * within, axis=-1) / ranking.num_positives
    return rate


def escape_rate(scores: ArrayLike, labels: ArrayLike, threshold: float) -> float:
    """Return the share (0..1) of anomalous images below the threshold: the false-negative rate.

    Raises:
        DataError: a NaN. UndefinedMetricError: E114 no anomalous image.
    """
    missed, total = escapes(scores, labels, threshold)
    return _share(missed, total, "anomalous", "escape rate")


def overkill_rate(scores: ArrayLike, labels: ArrayLike, threshold: float) -> float:
    """Return the share (0..1) of normal images at or above the threshold: the false-positive rate.

    Raises:
        DataError: a NaN. UndefinedMetricError: E114 no normal image.
    """
    alarms, total = overkills(scores, labels, threshold)
    return _share(alarms, total, "normal", "overkill rate")


def escapes(scores: ArrayLike, labels: ArrayLike, threshold: float) -> tuple[int, int]:
    """Return how many anomalous images are missed, and how many there are."""
    array, truth = checked_scores(scores), np.asarray(labels).astype(bool)
    return int((array[truth] < threshold).sum()), int(truth.sum())


def overkills(scores: ArrayLike, labels: ArrayLike, threshold: float) -> tuple[int, int]:
    """Return how many normal images raise an alarm, and how many there are."""
    array, truth = checked_scores(scores), np.asarray(labels).astype(bool)
    return int((array[~truth] >= threshold).sum()), int((~truth).sum())


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a proportion after ``k`` of ``n``.

    Source: Clopper & Pearson 1934, by quantiles of the beta distribution.

    Raises:
        DataError: E112 ``k`` of ``n`` is no proportion, or the confidence is outside 0..1.
    """
    from scipy.special import betaincinv

    if not 0 <= k <= n or n == 0:
        raise DataError("E112", f"{k} of {n} is no proportion.")
    if not 0 < confidence < 1:
        raise DataError("E112", f"Confidence {confidence} is not between 0 and 1.")
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return low, high


def _share(count: int, total: int, kind: str, name: str) -> float:
    if total == 0:
        raise UndefinedMetricError("E114", f"No {kind} image: the {name} is undefined.")
    return count / total
