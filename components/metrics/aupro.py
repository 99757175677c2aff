"""Area under the per-region overlap curve."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.pixel_ranking import PixelRanking, rank_pixels
from components.metrics.ranking import Floats, Ranking


def aupro(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float = 0.3) -> float:
    """Return the mean overlap of defective regions, 0..1, averaged over false-positive rates.

    Exact over all thresholds: the curve of overlap against the pooled pixel false-positive rate
    is integrated from 0 to ``limit``, with linear interpolation at the limit, and divided by it.
    ``maps``: N of HxW floats; ``masks``: N of HxW; regions are 8-connected components.
    Source: Bergmann et al. 2021, section 5.2.

    Raises:
        DataError: E111 a NaN, E200 an infinity; E112 shapes differ, or ``limit`` is not within
            (0, 1].
        UndefinedMetricError: E114 no defective pixel, or no other.
    """
    return aupro_of(rank_pixels(maps, masks), limit)


def aupro_of(pixels: PixelRanking, limit: float) -> float:
    """Return the area of ranked pixels; E112 as :func:`aupro`."""
    return area_up_to(pixels.ranking, pixels.region_weight, limit, "AUPRO")


def area_up_to(ranking: Ranking, weight: Floats, limit: float, name: str) -> float:
    """Return the mean height, 0..1, of a curve over the false-positive rates 0 to ``limit``.

    ``weight`` (U, one a threshold of the ranking) says how far each lifts the curve: at once
    where no normal pixel shares the score, else in a straight line along the stretch of
    false-positive rate that the tie spans. Both are the straight lines between neighbouring
    points of the definition, which has one point a distinct score.

    Raises:
        DataError: E112 ``limit`` is not within (0, 1]; says ``name``.
    """
    if not 0 < limit <= 1:
        raise DataError("E112", f"{name} limit {limit} is not within (0, 1].")
    # later thresholds start beyond the limit: they lift nothing
    end = np.searchsorted(ranking.false_positives_above, limit * ranking.num_negatives)
    start = ranking.false_positives_above[:end] / ranking.num_negatives
    stop = ranking.false_positives[:end] / ranking.num_negatives
    reached = np.minimum(stop, limit)
    stretch = np.maximum(stop - start, np.finfo(float).tiny)
    area = (reached - start) ** 2 / (2 * stretch) + (limit - reached)
    return float(np.dot(weight[:end], area) / limit)
