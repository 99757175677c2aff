"""Pixel-level figures, all from one sorted pass."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from components.metrics.aupro import aupro_of
from components.metrics.auroc import auroc_of
from components.metrics.average_precision import average_precision_of
from components.metrics.f1_max import f1_max_of
from components.metrics.pixel_ranking import rank_pixels


def pixel_figures(
    maps: Sequence[ArrayLike], masks: Sequence[ArrayLike], limit: float = 0.3
) -> dict[str, float]:
    """Return ``pixel_auroc``, ``pixel_ap``, ``pixel_f1_max`` and ``aupro``, each 0..1.

    ``maps``: N of HxW floats; ``masks``: N of HxW, not 0 = defective; normal images count with
    an empty mask. Memory: one float a pixel.

    Raises:
        DataError: E111 a NaN, E200 an infinity; E112 shapes differ.
        UndefinedMetricError: E114 no defective pixel, or no other.
    """
    pixels = rank_pixels(maps, masks)
    return {
        "pixel_auroc": float(auroc_of(pixels.ranking)),
        "pixel_ap": float(average_precision_of(pixels.ranking)),
        "pixel_f1_max": float(f1_max_of(pixels.ranking)),
        "aupro": aupro_of(pixels, limit),
    }


def pixel_auroc(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike]) -> float:
    """Return the AUROC over all pixels of a set, 0..1; arguments as :func:`pixel_figures`."""
    return float(auroc_of(rank_pixels(maps, masks).ranking))
