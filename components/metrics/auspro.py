"""Area under the saturated per-region overlap curve."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from components.metrics.aupro import area_up_to
from components.metrics.pixel_ranking import PixelRanking, rank_regions
from components.metrics.regions import Region


def auspro(
    maps: Sequence[ArrayLike], truths: Sequence[Sequence[Region]], limit: float = 0.05
) -> float:
    """Return the mean saturated overlap of defect instances, 0..1, over false-positive rates.

    An instance with saturation s has the overlap min(1, pixels found / s). The mean is taken
    over all instances of all images, pooled; the false-positive rate over all pixels outside
    every instance. Pixels are predicted by ``score > threshold``; the curve has one point a
    distinct score, points are joined by straight lines, so that a tie between defective and
    other pixels is crossed linearly. Exact; integrated from 0 to ``limit`` and divided by it.
    ``maps``: N of HxW floats; ``truths``: the regions of each, none for a normal image.
    Source: Bergmann et al. 2022 (MVTec LOCO), section 4.

    Raises:
        DataError: E111 a NaN, E200 an infinity; E112 shapes differ, or ``limit`` is not within
            (0, 1]; E202 a region without a pixel.
        UndefinedMetricError: E114 no defective pixel, or no other.
    """
    return auspro_of(rank_regions(maps, truths), limit)


def auspro_of(pixels: PixelRanking, limit: float) -> float:
    """Return the area of ranked pixels; E112 as :func:`auspro`."""
    return area_up_to(pixels.ranking, pixels.saturated_weight, limit, "AUsPRO")
