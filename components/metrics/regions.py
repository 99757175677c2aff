"""A map and its ground truth taken apart: defective pixels with their shares, and the others.

A curve of mean overlap is a sum over pixels: each pixel of a region lifts the curve by its share
of that region, at the false-positive rate where its score is reached.

Shapes: P defective pixels of an image, Q others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.errors import DataError
from components.metrics.ranking import Floats

Mask = NDArray[np.bool_]
Truth = Sequence["Region"]


@dataclass(frozen=True, eq=False)
class Region:
    """One ground-truth channel: a defect instance, found in full at ``saturation_px`` pixels.

    ``mask``: HxW; the regions of an image may overlap. A saturation above the region's area
    counts as its area. Source: Bergmann et al. 2022 (MVTec LOCO), section 4.
    """

    mask: Mask
    saturation_px: int

    def __post_init__(self) -> None:
        if self.saturation_px < 1:
            raise DataError(
                "E201",
                f"A region's saturation is {self.saturation_px} pixels.",
                "It is at least 1.",
            )
        if self.mask.ndim != 2 or self.mask.dtype != np.bool_:
            raise DataError(
                "E202",
                f"A region's mask is {self.mask.dtype} of shape {self.mask.shape}.",
                "Give booleans of height and width.",
            )


@dataclass(frozen=True)
class Parts:
    """One image taken apart: its defective pixels with their shares, and its other pixels.

    Shares sum to the number of components, and of channels; a pixel of several counts in each.
    """

    inside: Floats  # P
    component_shares: Floats  # P: 1 / area of the pixel's 8-connected component of the union
    channel_shares: Floats  # P: 1 / saturation for the best-scored pixels of each channel
    outside: Floats  # Q
    num_components: int
    num_channels: int


def parts_of(
    pairs: Iterable[tuple[ArrayLike, Truth]], num_maps: int | None = None
) -> Iterator[Parts]:
    """Take images apart, one at a time, each a map (HxW) and its regions.

    Raises:
        DataError: E111 a NaN in a map, E200 an infinity; E112 a map and a region differ in
            shape; E202 a region without a pixel.
    """
    for index, (raw, regions) in enumerate(pairs):
        name = _name(index, num_maps)
        yield _split(checked_map(raw, name), regions, name)


def parts_by_mask(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike]) -> Iterator[Parts]:
    """Take images apart by masks (not 0 = defective), each component a channel; raises likewise."""
    for index, (raw, truth) in enumerate(zip(maps, masks, strict=True)):
        found, mask = np.asarray(raw), np.asarray(truth) != 0
        if found.shape != mask.shape:
            raise _shapes(f"Map {index}", found.shape, "mask", mask.shape)
        checked = checked_map(found, _name(index, len(maps)))
        shares, num = component_shares(mask)
        yield Parts(checked[mask], shares, shares, _outside(checked, mask, num), num, num)


def checked_map(raw: ArrayLike, name: str) -> Floats:
    """Return a map as float32, or float64 where float32 would not hold its values.

    Raises:
        DataError: E111 a NaN, E200 an infinity, E112 not two axes; all say ``name``.
    """
    found = np.asarray(raw)
    if found.ndim != 2:
        raise DataError("E112", f"{name} has shape {found.shape}.", "Give height and width.")
    small = found.dtype == np.float16 or (found.dtype.kind in "uib" and found.itemsize <= 2)
    if found.dtype != np.float32:
        found = found.astype(np.float32 if small else np.float64, copy=False)
    if found.size and not (np.isfinite(found.min()) and np.isfinite(found.max())):
        nan = bool(np.isnan(found).any())
        code, what = ("E111", "a NaN") if nan else ("E200", "an infinite score")
        raise DataError(code, f"{name} holds {what}.", "Mend its source.")
    return found


def _split(anomaly_map: Floats, regions: Truth, name: str) -> Parts:
    union = np.zeros(anomaly_map.shape, np.bool_)
    for number, region in enumerate(regions):
        if region.mask.shape != union.shape:
            raise _shapes(name, anomaly_map.shape, f"region {number}", region.mask.shape)
        union |= region.mask
    if not regions:
        none = np.empty(0)
        return Parts(anomaly_map[:0].ravel(), none, none, anomaly_map.ravel(), 0, 0)
    shares, num = component_shares(union)
    inside, where = anomaly_map[union], np.flatnonzero(union)
    return Parts(
        inside=inside,
        component_shares=shares,
        channel_shares=_channel_shares(inside, where, regions, name),
        outside=_outside(anomaly_map, union, num),
        num_components=num,
        num_channels=len(regions),
    )


def _channel_shares(inside: Floats, where: NDArray, regions: Truth, name: str) -> Floats:
    """Give the s best-scored pixels of each region 1 / s; ``where``: P flat positions.

    Which of several pixels tied at the border is taken does not matter: only sums over equal
    scores are ever read.
    """
    shares = np.zeros(inside.size)
    for number, region in enumerate(regions):
        members = np.flatnonzero(region.mask.ravel()[where])
        if not members.size:
            raise DataError(
                "E202", f"{name}: its region {number} has no pixel.", "Leave the region out."
            )
        saturation = min(region.saturation_px, members.size)
        if saturation < members.size:
            best = np.argpartition(inside[members], members.size - saturation)
            members = members[best[-saturation:]]
        shares[members] += 1 / saturation
    return shares


def component_shares(mask: Mask) -> tuple[Floats, int]:
    """Return 1 / area of its 8-connected component for each pixel of a mask, and their number."""
    if not mask.any():
        return np.empty(0), 0
    import cv2

    bytes_HW = np.ascontiguousarray(mask).view(np.uint8)
    num, labels, stats, _ = cv2.connectedComponentsWithStats(bytes_HW, connectivity=8)
    return 1.0 / stats[labels[mask], cv2.CC_STAT_AREA], num - 1


def _outside(anomaly_map: Floats, mask: Mask, num_components: int) -> Floats:
    return anomaly_map[~mask] if num_components else anomaly_map.ravel()


def _name(index: int, num_maps: int | None) -> str:
    return f"Map {index}" + ("" if num_maps is None else f" of {num_maps}")


def _shapes(name: str, shape: tuple[int, ...], other: str, size: tuple[int, ...]) -> DataError:
    return DataError(
        "E112",
        f"{name} has shape {shape}, its {other} {size}.",
        "Resize the map to its image.",
    )
