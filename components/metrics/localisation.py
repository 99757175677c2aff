"""Every localisation figure of a set, from one ranking of its pixels."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from components.metrics.aupro import aupro_of
from components.metrics.auroc import auroc_of
from components.metrics.auspro import auspro_of
from components.metrics.average_precision import average_precision_of
from components.metrics.f1_max import f1_max_of
from components.metrics.pixel_ranking import PixelRanking, rank_regions
from components.metrics.regions import Region
from components.metrics.streaming import stream_regions

LIMITS = (0.01, 0.05, 0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Localisation:
    """Figures within 0..1; ``auspro`` and ``aupro`` are keyed by limit: "0.05", "1"."""

    auspro: dict[str, float]
    aupro: dict[str, float]
    pixel_auroc: float
    pixel_ap: float
    pixel_f1_max: float
    num_regions: int  # ground-truth channels
    num_images: int


def localisation_figures(
    maps: Sequence[ArrayLike],
    truths: Sequence[Sequence[Region]],
    limits: Sequence[float] = LIMITS,
) -> Localisation:
    """Return all figures, exact, of N maps (HxW floats) and the regions of each.

    AUPRO takes the 8-connected components of the union of an image's regions. A normal image
    has no regions. Memory: one float a pixel beside the maps.

    Raises:
        DataError: E111 a NaN, E200 an infinity; E112 shapes or numbers differ, or a limit is
            not within (0, 1]; E202 a region without a pixel.
        UndefinedMetricError: E114 no defective pixel, or no other.
    """
    return _figures(rank_regions(maps, truths), len(maps), limits)


def streamed_localisation(
    read: Callable[[], Iterable[tuple[ArrayLike, Sequence[Region]]]],
    limits: Sequence[float] = LIMITS,
    *,
    num_steps: int = 200_000,
) -> Localisation:
    """Return all figures of images that are read one at a time, within 1e-4 of the exact ones.

    ``read()`` gives the images from the first on, each a map and its regions; it is called
    twice. Memory does not grow with the number of images. ``num_steps`` thresholds are laid
    where defective pixels score; with no more distinct scores than that, figures are exact.

    Raises:
        DataError: as :func:`localisation_figures`; E203 ``num_steps`` below 1; E204 the second
            reading differs from the first.
        UndefinedMetricError: E114 no defective pixel, or no other.
    """
    pixels, num_images = stream_regions(read, num_steps)
    return _figures(pixels, num_images, limits)


def _figures(pixels: PixelRanking, num_images: int, limits: Sequence[float]) -> Localisation:
    return Localisation(
        auspro={f"{limit:g}": auspro_of(pixels, limit) for limit in limits},
        aupro={f"{limit:g}": aupro_of(pixels, limit) for limit in limits},
        pixel_auroc=float(auroc_of(pixels.ranking)),
        pixel_ap=float(average_precision_of(pixels.ranking)),
        pixel_f1_max=float(f1_max_of(pixels.ranking)),
        num_regions=pixels.num_channels,
        num_images=num_images,
    )
