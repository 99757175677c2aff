"""Area under the per-region overlap curve."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.regions import PixelRanking, rank_pixels


def aupro(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float = 0.3) -> float:
    """Return the mean overlap of defective regions, 0..1, averaged over false-positive rates.

    Exact over all thresholds: the curve of overlap against the pooled pixel false-positive rate
    is integrated from 0 to ``limit``, with linear interpolation at the limit, and divided by it.
    ``maps``: N of HxW floats; ``masks``: N of HxW; regions are 8-connected components.
    Source: Bergmann et al. 2021, section 5.2.

    Raises:
        DataError: E111 a NaN; E112 shapes differ, or ``limit`` is not within (0, 1].
        UndefinedMetricError: E114 no defective pixel, or no other.
    """
    return aupro_of(rank_pixels(maps, masks), limit)


def aupro_of(pixels: PixelRanking, limit: float) -> float:
    """Return the area of ranked pixels.

    Each defective pixel lifts the curve by its weight: at once where no normal pixel shares its
    score, else along the stretch of false-positive rate that the tie spans.
    """
    if not 0 < limit <= 1:
        raise DataError("E112", f"AUPRO limit {limit} is not within (0, 1].")
    ranking = pixels.ranking
    start = np.minimum(ranking.false_positives_above / ranking.num_negatives, limit)
    end = ranking.false_positives / ranking.num_negatives
    stretch = np.maximum(end - start, np.finfo(float).tiny)
    reached = np.minimum(end, limit)
    area = (reached - start) ** 2 / (2 * stretch) + (limit - reached)
    return float(np.dot(pixels.region_weight, area) / limit)
