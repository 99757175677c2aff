"""The ranking of a set's pixels in bounded memory, for sets that do not fit.

A first reading lays thresholds where defective pixels score, a second counts all pixels between
them. Whatever lies strictly between two thresholds is taken as tied. That moves an area under a
curve by at most the weight of the defective pixels there, however the normal ones are spread:
the true curve and the straight line share a box of that height. See :class:`Sketch` for how small
the weight is kept; scores that carry more, such as ties, are thresholds and counted exactly.

Shapes: G thresholds, lowest first; 2G + 1 bins: even ones lie below threshold b / 2, odd ones on
threshold (b - 1) / 2.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.errors import DataError
from components.metrics.pixel_ranking import PixelRanking
from components.metrics.ranking import Floats, Ints, Ranking, one_class
from components.metrics.regions import Parts, Region, parts_of
from components.metrics.sketch import Sketch

Read = Callable[[], Iterable[tuple[ArrayLike, Sequence[Region]]]]
BLOCK_PX = 4_000_000  # pixels sorted at once


@dataclass
class _Totals:
    """What both readings must agree on."""

    num_images: int = 0
    num_inside: int = 0
    num_outside: int = 0
    num_components: int = 0
    num_channels: int = 0

    def add(self, parts: Parts) -> None:
        self.num_images += 1
        self.num_inside += parts.inside.size
        self.num_outside += parts.outside.size
        self.num_components += parts.num_components
        self.num_channels += parts.num_channels


def stream_regions(read: Read, num_steps: int) -> tuple[PixelRanking, int]:
    """Rank the pixels of images read one at a time; return the ranking and their number.

    Raises:
        DataError: E111 a NaN in a map, E200 an infinity; E112 shapes differ; E202 a region
            without a pixel; E203 ``num_steps`` below 1; E204 the readings differ.
        UndefinedMetricError: E114 no defective pixel, or no other.
    """
    if num_steps < 1:
        raise DataError("E203", f"{num_steps} steps to stream over.", "Give at least 1.")
    grid, first = _lay_grid(read, num_steps)
    second, tally = _Totals(), _Tally(grid)
    for parts in parts_of(read()):
        second.add(parts)
        tally.add(parts)
    if second != first:
        raise DataError(
            "E204",
            f"The second reading gave {second.num_images} images of "
            f"{second.num_inside + second.num_outside} pixels, the first {first.num_images} of "
            f"{first.num_inside + first.num_outside}, or other regions.",
            "read() must start again from the first image at every call.",
        )
    return tally.ranking(first), first.num_images


def _lay_grid(read: Read, num_steps: int) -> tuple[Floats, _Totals]:
    totals, sketch, kind = _Totals(), Sketch(num_steps), np.dtype(np.float32)
    for parts in parts_of(read()):
        totals.add(parts)
        sketch.add(parts)
        kind = np.result_type(kind, parts.outside.dtype, parts.inside.dtype)
    if not (totals.num_inside and totals.num_outside):
        raise one_class(totals.num_outside, totals.num_inside, "pixels")
    return sketch.grid().astype(kind), totals


@dataclass
class _Tally:
    """Counts of all pixels on and between the thresholds."""

    grid: Floats  # G

    def __post_init__(self) -> None:
        num_bins = 2 * self.grid.size + 1
        self.hits: Ints = np.zeros(num_bins, np.int64)
        self.components: Floats = np.zeros(num_bins)
        self.channels: Floats = np.zeros(num_bins)
        self.normal_below: Ints = np.zeros(num_bins + 1, np.int64)  # below each bin's lower end
        self.waiting: list[Parts] = []
        self.waiting_px = 0

    def add(self, parts: Parts) -> None:
        if parts.outside.base is not None:  # a view: the reader may use its array again
            parts = replace(parts, outside=parts.outside.copy())
        self.waiting.append(parts)
        self.waiting_px += parts.inside.size + parts.outside.size
        if self.waiting_px >= BLOCK_PX:
            self._count()

    def _count(self) -> None:
        outside = np.concatenate([p.outside for p in self.waiting], dtype=self.grid.dtype)
        outside.sort()
        self.normal_below[1:-1:2] += np.searchsorted(outside, self.grid, side="left")
        self.normal_below[2:-1:2] += np.searchsorted(outside, self.grid, side="right")
        self.normal_below[-1] += outside.size
        bins = self._bins(np.concatenate([p.inside for p in self.waiting], dtype=self.grid.dtype))
        size = self.hits.size
        self.hits += np.bincount(bins, minlength=size)
        components = np.concatenate([p.component_shares for p in self.waiting])
        channels = np.concatenate([p.channel_shares for p in self.waiting])
        self.components += np.bincount(bins, components, minlength=size)
        self.channels += np.bincount(bins, channels, minlength=size)
        self.waiting, self.waiting_px = [], 0

    def _bins(self, scores: Floats) -> NDArray[np.intp]:
        at = np.searchsorted(self.grid, scores)
        on = self.grid[np.minimum(at, self.grid.size - 1)] == scores
        return 2 * at + on

    def ranking(self, totals: _Totals) -> PixelRanking:
        """Return the ranking, each bin that holds a defective pixel as one threshold."""
        if self.waiting:
            self._count()
        bins = np.flatnonzero(self.hits)[::-1]
        reaching = totals.num_outside - self.normal_below
        hits = self.hits[bins]
        ranking = Ranking(
            thresholds=self.grid[np.maximum(bins - 1, 0) // 2],
            hits=hits,
            true_positives=np.cumsum(hits),
            false_positives=reaching[bins],
            false_positives_above=reaching[bins + 1],
            num_positives=totals.num_inside,
            num_negatives=totals.num_outside,
        )
        return PixelRanking(
            ranking,
            self.components[bins] / totals.num_components,
            self.channels[bins] / totals.num_channels,
            totals.num_components,
            totals.num_channels,
        )
