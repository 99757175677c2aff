"""Bootstrap intervals over images, stratified so that every resample keeps both classes.

Resamples are counts, so that a metric of a thousand of them is one vectorised read.
Source: Efron & Tibshirani 1993, the percentile interval.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.metrics.ranking import Floats, Ints, Ranking, checked, rank_resampled

RankingMetric = Callable[[Ranking], Floats]

CELLS_AT_ONCE = 2_000_000  # keeps a block of resamples within tens of megabytes


def bootstrap(
    metric: RankingMetric,
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    num: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile interval of a metric over images.

    ``metric`` reads a ranking (``auroc_of`` and its kin); ``num`` resamples.

    Raises:
        DataError: E111 a NaN, E112 lengths differ. UndefinedMetricError: E114 one class only.
    """
    array, positive = checked(scores, labels)
    rng = np.random.default_rng(seed)
    values = [
        metric(rank_resampled(array, positive, counts)) for counts in draws(positive, num, rng)
    ]
    return percentiles(np.concatenate(values), confidence)


def paired_bootstrap(
    metric: RankingMetric,
    scores: ArrayLike,
    other_scores: ArrayLike,
    labels: ArrayLike,
    *,
    num: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the interval of ``metric(other) - metric(scores)`` with the same images redrawn.

    Raises:
        DataError: E111 a NaN, E112 lengths differ. UndefinedMetricError: E114 one class only.
    """
    first, positive = checked(scores, labels)
    second, _ = checked(other_scores, labels)
    rng = np.random.default_rng(seed)
    values = [
        metric(rank_resampled(second, positive, counts))
        - metric(rank_resampled(first, positive, counts))
        for counts in draws(positive, num, rng)
    ]
    return percentiles(np.concatenate(values), confidence)


def bootstrap_mean(
    values: ArrayLike, *, num: int = 1000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Return the interval of a plain mean over images (a rate, or a paired difference of one)."""
    array = np.asarray(values, float)
    rng = np.random.default_rng(seed)
    strata = np.ones(array.size, bool)
    means = [counts @ array / array.size for counts in draws(strata, num, rng)]
    return percentiles(np.concatenate(means), confidence)


def draws(strata: NDArray[np.bool_], num: int, rng: np.random.Generator) -> Iterator[Ints]:
    """Yield blocks of resamples (BxN counts); each stratum keeps its number of items."""
    block = max(1, CELLS_AT_ONCE // max(strata.size, 1))
    for start in range(0, num, block):
        size = min(block, num - start)
        counts = np.zeros((size, strata.size), np.int64)
        for stratum in (False, True):
            members = np.flatnonzero(strata == stratum)
            if members.size:
                counts[:, members] = _drawn(members.size, size, rng)
        yield counts


def _drawn(num_items: int, num_draws: int, rng: np.random.Generator) -> Ints:
    picks = rng.integers(num_items, size=(num_draws, num_items))
    cells = picks + num_items * np.arange(num_draws)[:, None]
    flat = np.bincount(cells.ravel(), minlength=num_draws * num_items)
    return flat.reshape(num_draws, num_items).astype(np.int64)


def percentiles(values: Floats, confidence: float) -> tuple[float, float]:
    """Return the two-sided percentile interval of resampled values."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
