"""Maps and masks as one ranking of pixels, each defective region weighing the same.

Pixels are sorted once; pixel AUROC, AP, F1-max and AUPRO are then read from the same ranking.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.errors import DataError
from components.metrics.ranking import Floats, Ranking, one_class, rank_weighted


@dataclass(frozen=True)
class PixelRanking:
    """All pixels of a set, ranked; ``region_weight`` belongs to the ranking's U thresholds.

    A pixel of a region of A pixels weighs 1 / (A x regions), so the weights sum to 1.
    """

    ranking: Ranking
    region_weight: Floats  # U
    num_regions: int


def rank_pixels(maps: Sequence[ArrayLike], masks: Sequence[ArrayLike]) -> PixelRanking:
    """Rank the pixels of N maps (HxW floats) by N masks (HxW; not 0 = defective).

    Sizes may differ between images. Regions are the 8-connected components of a mask.

    Raises:
        DataError: E111 a NaN in a map; E112 a map and its mask differ in shape, or in number.
        UndefinedMetricError: E114 no defective pixel, or no other.
    """
    pairs = _checked_pairs(maps, masks)
    num_pixels = sum(mask.size for _, mask in pairs)
    num_defective = sum(int(np.count_nonzero(mask)) for _, mask in pairs)
    if num_defective in (0, num_pixels):
        raise one_class(num_pixels - num_defective, num_defective, "pixels")
    wide = any(anomaly_map.dtype == np.float64 for anomaly_map, _ in pairs)
    kind: np.dtype[np.floating] = np.dtype(np.float64 if wide else np.float32)
    positives, shares = np.empty(num_defective, kind), np.empty(num_defective)
    negatives = np.empty(num_pixels - num_defective, kind)
    at_positive = at_negative = num_regions = 0
    for anomaly_map, mask in pairs:
        inside, outside, share, regions = _parts(anomaly_map, mask)
        positives[at_positive : at_positive + inside.size] = inside
        shares[at_positive : at_positive + inside.size] = share
        negatives[at_negative : at_negative + outside.size] = outside
        at_positive += inside.size
        at_negative += outside.size
        num_regions += regions
    ranking, (weight,) = rank_weighted(positives, [shares], negatives)
    return PixelRanking(ranking, weight / num_regions, num_regions)


def _parts(
    anomaly_map: Floats, mask: NDArray[np.bool_]
) -> tuple[Floats, Floats, NDArray[np.float64], int]:
    """Split one map into defective and other pixels; each defective one with 1 / its region."""
    if not mask.any():
        return anomaly_map[:0].ravel(), anomaly_map.ravel(), np.empty(0), 0
    import cv2

    num, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    areas = stats[labels[mask], cv2.CC_STAT_AREA]
    return anomaly_map[mask], anomaly_map[~mask], 1.0 / areas, num - 1


def _checked_pairs(
    maps: Sequence[ArrayLike], masks: Sequence[ArrayLike]
) -> list[tuple[Floats, NDArray[np.bool_]]]:
    if len(maps) != len(masks):
        raise DataError("E112", f"{len(maps)} maps but {len(masks)} masks.")
    pairs = []
    for index, (raw, truth) in enumerate(zip(maps, masks, strict=True)):
        anomaly_map = np.asarray(raw)
        mask = np.ascontiguousarray(np.asarray(truth) != 0)
        if anomaly_map.shape != mask.shape or anomaly_map.ndim != 2:
            raise DataError(
                "E112",
                f"Map {index} has shape {anomaly_map.shape}, its mask {mask.shape}.",
                "Resize the map to its image.",
            )
        if anomaly_map.dtype.kind == "f" and np.isnan(anomaly_map).any():
            raise DataError("E111", f"Map {index} of {len(maps)} holds a NaN.", "Mend its source.")
        pairs.append((_as_float(anomaly_map), mask))
    return pairs


def _as_float(anomaly_map: NDArray) -> Floats:
    if anomaly_map.dtype in (np.float16, np.float32, np.float64):
        return anomaly_map
    return anomaly_map.astype(np.float64)
