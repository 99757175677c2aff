"""All pixels of a set as one ranking, each defective region weighing the same.

Pixels are sorted once; AUsPRO, AUPRO, pixel AUROC, AP and F1-max are then read from the same
ranking. Shapes: U distinct scores of defective pixels, highest first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.ranking import Floats, Ranking, one_class, rank_weighted
from components.metrics.regions import Parts, Truth, parts_by_mask, parts_of


@dataclass(frozen=True)
class PixelRanking:
    """All pixels of a set, ranked; each array of weights, one a threshold, sums to 1."""

    ranking: Ranking
    region_weight: Floats  # U: by components, for the per-region overlap
    saturated_weight: Floats  # U: by channels, for the saturated per-region overlap
    num_regions: int  # components
    num_channels: int


def rank_pixels(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike]) -> PixelRanking:
    """Rank the pixels of N maps (HxW floats) by N masks (HxW; not 0 = defective).

    Sizes may differ between images. Regions are the 8-connected components of a mask, and its
    channels too.

    Raises:
        DataError: E111 a NaN in a map, E200 an infinity; E112 a map and its mask differ in
            shape, or in number.
        UndefinedMetricError: E114 no defective pixel, or no other.
    """
    _same_number(maps, masks, "masks")
    return rank_parts(parts_by_mask(maps, masks))


def rank_regions(maps: Sequence[ArrayLike], truths: Sequence[Truth]) -> PixelRanking:
    """Rank the pixels of N maps (HxW floats) by the regions of each; a normal image has none.

    Raises:
        DataError: E111 a NaN in a map, E200 an infinity; E112 a map and a region differ in
            shape, maps and truths in number; E202 a region without a pixel.
        UndefinedMetricError: E114 no defective pixel, or no other.
    """
    _same_number(maps, truths, "lists of regions")
    return rank_parts(parts_of(zip(maps, truths, strict=True), len(maps)))


def rank_parts(images: Iterable[Parts]) -> PixelRanking:
    """Rank images that were taken apart; memory: one float a pixel beside the parts."""
    parts = list(images)
    num_inside = sum(p.inside.size for p in parts)
    num_outside = sum(p.outside.size for p in parts)
    if not (num_inside and num_outside):
        raise one_class(num_outside, num_inside, "pixels")
    inside = np.concatenate([p.inside for p in parts])
    shares = (
        np.concatenate([p.component_shares for p in parts]),
        np.concatenate([p.channel_shares for p in parts]),
    )
    outside = np.concatenate([p.outside for p in parts])
    num_components = sum(p.num_components for p in parts)
    num_channels = sum(p.num_channels for p in parts)
    ranking, (components, channels) = rank_weighted(inside, shares, outside)
    return PixelRanking(
        ranking, components / num_components, channels / num_channels, num_components, num_channels
    )


def _same_number(maps: Sequence[ArrayLike], others: Sequence[object], what: str) -> None:
    if len(maps) != len(others):
        raise DataError("E112", f"{len(maps)} maps but {len(others)} {what}.")
