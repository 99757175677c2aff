"""Thresholds from normal images alone, in raw score units.

A score **>=** the threshold is called anomalous. No defect is ever looked at: a threshold states
which share of normal parts may be stopped (overkill), and escapes are then measured, not chosen.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.ranking import Floats, checked_scores
from components.records import Calibration


def threshold_at_fpr(normal_scores: ArrayLike, fpr: float) -> float:
    """Return the smallest threshold that stops at most a share ``fpr`` of these normals.

    Smallest in the scores' own precision: of float32 scores the next float32 is taken, so that a
    comparison in either precision decides alike. With fewer than 1 / ``fpr`` normals none may be
    stopped, and the threshold lies just above the highest score.

    Raises:
        DataError: E111 a NaN or infinite score; E113 no score, or ``fpr`` not between 0 and 1.
    """
    scores = _finite(normal_scores)
    if not 0 < fpr < 1:
        raise DataError("E113", f"A false-positive rate of {fpr} is not between 0 and 1.")
    falling = np.sort(scores)[::-1]
    last_below = falling[_allowed(fpr, scores.size)]
    if np.float32(last_below) == last_below and (scores == scores.astype(np.float32)).all():
        return float(np.nextafter(np.float32(last_below), np.float32(np.inf)))
    return float(np.nextafter(last_below, np.inf))


def _allowed(fpr: float, num: int) -> int:
    """Return the largest count whose share of ``num`` is at most ``fpr``, rounding aside."""
    count = math.floor(fpr * num)
    return count + 1 if (count + 1) / num <= fpr else count


def calibrate(
    normal_scores: ArrayLike,
    pixel_scores: ArrayLike,
    *,
    deployed_fpr: float,
    declared_fprs: Sequence[float],
    split: str,
    folds: int = 0,
) -> Calibration:
    """Return the thresholds that normals give which the detector did not learn from.

    ``normal_scores``: N raw image scores, cross-fitted where ``folds`` is not 0;
    ``pixel_scores``: M values of their anomaly maps (a sample, or each map's maximum), whose
    threshold is set at ``deployed_fpr`` too. ``split`` names the set that the scores came from.

    Raises:
        DataError: E111 a NaN or infinite score; E113 no scores, or a rate not between 0 and 1.
    """
    scores = _finite(normal_scores)
    return Calibration(
        image_threshold=threshold_at_fpr(scores, deployed_fpr),
        pixel_threshold=threshold_at_fpr(pixel_scores, deployed_fpr),
        rule=_rule(deployed_fpr, declared_fprs, scores.size, folds),
        fpr=deployed_fpr,
        by_fpr={f"{fpr:g}": threshold_at_fpr(scores, fpr) for fpr in declared_fprs},
        split=split,
        num_scores=scores.size,
        cross_fit_folds=folds,
    )


def _rule(deployed_fpr: float, declared_fprs: Sequence[float], num: int, folds: int) -> str:
    source = f"{num} normals cross-fitted in {folds} folds" if folds else f"{num} held-out normals"
    rule = f"fpr<={deployed_fpr:g} on {source}"
    coarse = sorted(fpr for fpr in {deployed_fpr, *declared_fprs} if _allowed(fpr, num) == 0)
    if not coarse:
        return rule
    rates = ", ".join(f"{fpr:g}" for fpr in coarse)
    return (
        f"{rule}; {num} normals are too few to resolve fpr {rates} "
        f"(needs {math.ceil(1 / coarse[0] - 1e-9)}): threshold just above the highest normal score"
    )


def _finite(scores: ArrayLike) -> Floats:
    array = checked_scores(scores)
    if array.size == 0:
        raise DataError("E113", "No normal scores to set a threshold from.", "Grant normals.")
    infinite = np.isinf(array)
    if infinite.any():
        index = int(np.argmax(infinite))
        raise DataError("E111", f"score {index} of {array.size} is infinite.", "Mend its source.")
    return array
