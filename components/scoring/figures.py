"""The figures of a reading, under the names of the report."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from components.metrics.auroc import auroc_of
from components.metrics.average_precision import average_precision_of
from components.metrics.f1_max import f1_max_of
from components.metrics.localisation import Localisation
from components.metrics.ranking import rank
from components.metrics.rates import tpr_at_tnr_of
from components.scoring.pairs import Pair
from components.scoring.reading import Reading
from components.scoring.report import DefectFigures


class ImageFigures(TypedDict):
    """Figures of image scores; None with one class only."""

    image_auroc: float | None
    image_ap: float | None
    image_f1_max: float | None
    tpr_at_tnr: dict[str, float | None]


class PixelFigures(TypedDict):
    """Figures of pixels; None where no defective pixel, or no other, is known."""

    auspro: dict[str, float | None]
    aupro: dict[str, float | None]
    pixel_auroc: float | None
    pixel_ap: float | None
    pixel_f1_max: float | None


def image_figures_of(reading: Reading, tnrs: Sequence[float]) -> ImageFigures:
    """Return the image-level figures of a reading.

    Raises:
        UndefinedMetricError: E114 one class only.
    """
    ranking = rank(reading.scores, reading.labels)
    return ImageFigures(
        image_auroc=float(auroc_of(ranking)),
        image_ap=float(average_precision_of(ranking)),
        image_f1_max=float(f1_max_of(ranking)),
        tpr_at_tnr={tnr_key(tnr): float(tpr_at_tnr_of(ranking, tnr)) for tnr in tnrs},
    )


def no_image_figures(tnrs: Sequence[float]) -> ImageFigures:
    """Return the figures of a set with one class only."""
    return ImageFigures(
        image_auroc=None,
        image_ap=None,
        image_f1_max=None,
        tpr_at_tnr={tnr_key(tnr): None for tnr in tnrs},
    )


def pixel_figures_of(found: Localisation) -> PixelFigures:
    """Return the pixel-level figures under the report's names."""
    return PixelFigures(
        auspro=dict(found.auspro),
        aupro=dict(found.aupro),
        pixel_auroc=found.pixel_auroc,
        pixel_ap=found.pixel_ap,
        pixel_f1_max=found.pixel_f1_max,
    )


def no_pixel_figures(limits: Sequence[float]) -> PixelFigures:
    """Return the figures of a set without a defective pixel."""
    undefined: dict[str, float | None] = {f"{limit:g}": None for limit in limits}
    return PixelFigures(
        auspro=undefined, aupro=dict(undefined), pixel_auroc=None, pixel_ap=None, pixel_f1_max=None
    )


def by_defect(pairs: Sequence[Pair], reading: Reading) -> dict[str, DefectFigures]:
    """Return the figures of each defect type, its images against all normal ones."""
    types = np.array([pair.image.defect for pair in pairs])
    scores, labels = np.array(reading.scores), np.array(reading.labels)
    regions = np.array(reading.num_regions)
    normal = labels == 0
    found: dict[str, DefectFigures] = {}
    for name in sorted(set(types[~normal].tolist())):
        own = types == name
        shown = own | normal
        found[name] = DefectFigures(
            num_images=int(own.sum()),
            num_regions=int(regions[own].sum()),
            image_auroc=float(auroc_of(rank(scores[shown], labels[shown])))
            if normal.any()
            else None,
        )
    return found


def tnr_key(tnr: float) -> str:
    """Return a rate as tables print it: two decimals ("0.90"), more only where it has more."""
    return f"{tnr:.2f}" if round(tnr, 2) == tnr else f"{tnr:g}"
