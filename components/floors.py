"""What a detector must beat to be worth anything, and whether it does."""

from collections.abc import Mapping, Sequence

import numpy as np

from components.metrics.auroc import auroc_of
from components.metrics.average_precision import average_precision_of
from components.metrics.ranking import rank
from components.records import ImageRecord, Prediction

STATISTICS = ("brightness", "contrast", "sharpness")


def single_statistic_floor(records: Sequence[ImageRecord]) -> dict[str, dict[str, float | None]]:
    """Return what the mean brightness, contrast or sharpness of an image alone would score.

    Each statistic is used in the direction that suits these very images best, which flatters the
    floor. Empty where there is only one class.
    """
    labels = np.array([record.gt_label for record in records])
    if len(np.unique(labels)) < 2:
        return {}
    floors: dict[str, dict[str, float | None]] = {}
    for name in STATISTICS:
        values = np.array([getattr(record, name) for record in records], float)
        rankings = [rank(sign * values, labels) for sign in (1, -1)]
        floors[name] = {
            "image_auroc": max(float(auroc_of(r)) for r in rankings),
            "image_ap": max(float(average_precision_of(r)) for r in rankings),
        }
    return floors


def equal_scores(predictions: Sequence[Prediction]) -> bool:
    """Return whether all scores are the same, up to float32 rounding, so that nothing is told."""
    scores = [p.pred_score for p in predictions]
    if len(scores) < 2:
        return False
    scale = max(abs(min(scores)), abs(max(scores)))
    return max(scores) - min(scores) <= 1e-6 * scale


def eligibility(
    metrics: Mapping[str, Sequence[float | None]],
    floor: Mapping[str, float | None],
    name: str = "image_auroc",
) -> str:
    """Return why a candidate may not be chosen, or "" where it may.

    Its mean over seeds must be defined and above the floor; both are read for one figure.
    """
    values = metrics.get(name, ())
    defined = [value for value in values if value is not None]
    if not values or len(defined) < len(values):
        return f"E114 {name} is undefined on the tune set: only one class, or not measured"
    mean, bound = float(np.mean(defined)), floor.get(name)
    if bound is not None and mean <= bound:
        return f"E121 {name} {mean:.3f} does not beat the floor of {bound:.3f}"
    return ""
