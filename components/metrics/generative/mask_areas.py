"""Whether synthetic defects are as large as real ones: two sets of mask areas on a log scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.generative.features import Floats, checked_array


@dataclass(frozen=True)
class AreaComparison:
    """Two distributions of mask areas; ``shares`` and ``other_shares`` each sum to 1."""

    edges_px: tuple[float, ...]  # B + 1 bin edges, evenly spaced in log area
    shares: tuple[float, ...]  # B
    other_shares: tuple[float, ...]  # B
    log10_wasserstein: float  # 0.3: typically a factor of two apart


def compare_mask_areas(
    areas_px: ArrayLike, other_areas_px: ArrayLike, num_bins: int = 20
) -> AreaComparison:
    """Compare N and M mask areas (pixels, > 0) by a shared histogram and a distance.

    Areas in pixels are comparable only between images of the same size; give shares of the image
    otherwise. The distance is the 1-Wasserstein distance of log10 area.

    Raises:
        DataError: E207 no area, one that is not above 0, or no bin.
    """
    first, second = _logs(areas_px, "areas"), _logs(other_areas_px, "other areas")
    if num_bins < 1:
        raise DataError("E207", f"A histogram of {num_bins} bins.")
    low = min(first.min(), second.min())
    high = max(first.max(), second.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, num_bins + 1)
    return AreaComparison(
        edges_px=tuple(float(e) for e in 10**edges),
        shares=_shares(first, edges),
        other_shares=_shares(second, edges),
        log10_wasserstein=_wasserstein(first, second),
    )


def _logs(areas_px: ArrayLike, name: str) -> Floats:
    areas = checked_array(areas_px, name, 1)
    if (areas <= 0).any():
        index = int(np.argmax(areas <= 0))
        raise DataError("E207", f"{name}: {areas[index]:g} at index {index}.", "Drop empty masks.")
    return np.log10(areas)


def _shares(logs: Floats, edges: Floats) -> tuple[float, ...]:
    counts, _ = np.histogram(logs, edges)
    return tuple(float(c) for c in counts / logs.size)


def _wasserstein(first: Floats, second: Floats) -> float:
    """Return the area between the two distribution functions."""
    places = np.sort(np.concatenate([first, second]))
    below = [np.searchsorted(np.sort(part), places[:-1], side="right") for part in (first, second)]
    gap = np.abs(below[0] / first.size - below[1] / second.size)
    return float(np.sum(gap * np.diff(places)))
