"""Image-level figures, all from one ranking, under the names that every table uses."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from components.metrics.auroc import auroc_of
from components.metrics.average_precision import average_precision_of
from components.metrics.f1_max import f1_max_of
from components.metrics.intervals import RankingMetric
from components.metrics.ranking import Floats, Ranking, rank
from components.metrics.rates import escapes, overkills, tpr_at_tnr_of

TNRS = (0.99, 0.95, 0.90)


def _tpr_reader(tnr: float) -> RankingMetric:
    def read(ranking: Ranking) -> Floats:
        return tpr_at_tnr_of(ranking, tnr)

    return read


RANKING_METRICS: dict[str, RankingMetric] = {
    "image_auroc": auroc_of,
    "image_ap": average_precision_of,
    "image_f1_max": f1_max_of,
    **{f"tpr_at_tnr_{tnr:.2f}": _tpr_reader(tnr) for tnr in TNRS},
}

Counter = Callable[[ArrayLike, ArrayLike, float], tuple[int, int]]
RATES: dict[str, Counter] = {"escape_rate": escapes, "overkill_rate": overkills}


def image_figures(
    scores: ArrayLike, labels: ArrayLike, threshold: float | None = None
) -> dict[str, float | None]:
    """Return every image-level figure without intervals, and the threshold itself if given.

    ``scores``: N raw scores; ``labels``: N of 0 or 1. Undefined figures are None.

    Raises:
        DataError: E111 a NaN; E112 lengths differ.
    """
    found: dict[str, float | None] = dict.fromkeys(RANKING_METRICS)
    if len(np.unique(labels)) == 2:
        ranking = rank(scores, labels)
        found = {name: float(read(ranking)) for name, read in RANKING_METRICS.items()}
    if threshold is not None:
        for name, count in RATES.items():
            k, n = count(scores, labels, threshold)
            found[name] = k / n if n else None
        found["threshold"] = threshold
    return found
