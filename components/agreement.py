"""Whether synthetic defects rank candidates as real ones do: rank correlations with intervals.

Intervals are those of Bonett & Wright 2000, "Sample size requirements for estimating Pearson,
Kendall and Spearman correlations", Psychometrika 65: Fisher's z with a standard error of the
statistic's own.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from components.params import Params
from components.records import RankAgreement, SyntheticCheck

Floats = NDArray[np.float64]
Statistic = Literal["spearman", "kendall"]
LEAST = {"spearman": 4, "kendall": 5}  # candidates below which the standard error has no value


class SyntheticDemand(Params):
    """What a station asks of its synthetic defects before they alone may promote a model."""

    statistic: Statistic = "spearman"
    min: float = Field(ge=-1, le=1)  # the correlation must reach it
    min_candidates: int = Field(default=5, ge=3)


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, ties by mean ranks; None where one side is constant."""
    a, b = (_ranks(np.asarray(side, dtype=float)) for side in (first, second))
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale > 0 else None


def kendall(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Kendall's tau-b, which allows for ties; None where one side is constant."""
    a, b = (_signs(np.asarray(side, dtype=float)) for side in (first, second))
    scale = math.sqrt(float((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale > 0 else None


def _ranks(values_N: Floats) -> Floats:
    ordered = np.sort(values_N)
    below = np.searchsorted(ordered, values_N, side="left")
    up_to = np.searchsorted(ordered, values_N, side="right")
    return (below + up_to + 1) / 2


def _signs(values_N: Floats) -> Floats:
    """Return for each pair of items which one is higher."""
    return np.sign(values_N[:, None] - values_N[None, :])


def interval(
    statistic: Statistic, value: float, num: int, confidence: float
) -> tuple[float, float] | None:
    """Return the interval of a rank correlation over ``num`` items; None for too few of them.

    Agreement without a flaw is placed midway to the next lower value that ``num`` items allow (two
    neighbours exchanged): Fisher's z has no value at ±1, and few items can agree by chance.
    """
    if num < LEAST[statistic]:
        return None
    swapped = 6 / (num * (num**2 - 1)) if statistic == "spearman" else 2 / (num * (num - 1))
    inner = max(-(1 - swapped), min(1 - swapped, value))
    if statistic == "spearman":
        error = math.sqrt((1 + inner**2 / 2) / (num - 3))
    else:
        error = math.sqrt(0.437 / (num - 4))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * error
    low, high = math.tanh(math.atanh(inner) - reach), math.tanh(math.atanh(inner) + reach)
    return min(low, value), max(high, value)


def synthetic_check(
    pairs: Mapping[str, tuple[float, float]],
    *,
    metric: str,
    num_real_defects: int,
    basis: Literal["real", "synthetic"],
    confidence: float = 0.95,
) -> SyntheticCheck:
    """Return the agreement over candidates of (synthetic figure, real figure)."""
    first, second = [p[0] for p in pairs.values()], [p[1] for p in pairs.values()]
    measured: dict[Statistic, Callable[..., float | None]] = {
        "spearman": spearman,
        "kendall": kendall,
    }
    return SyntheticCheck(
        metric=metric,
        pairs=dict(pairs),
        num_real_defects=num_real_defects,
        basis=basis,
        agreements=tuple(
            _agreement(name, function(first, second) if len(first) > 1 else None, first, confidence)
            for name, function in measured.items()
        ),
    )


def _agreement(
    name: Statistic, value: float | None, items: Sequence[float], confidence: float
) -> RankAgreement:
    num = len(items)
    if value is None:
        note = (
            f"{num} candidates have both figures, and ranks need two"
            if num < 2
            else "all candidates are alike on one side"
        )
        return RankAgreement(statistic=name, value=None, num_candidates=num, note=note)
    ends = interval(name, value, num, confidence)
    return RankAgreement(
        statistic=name,
        value=value,
        ci_low=ends[0] if ends else None,
        ci_high=ends[1] if ends else None,
        num_candidates=num,
        note="" if ends else f"no interval below {LEAST[name]} candidates",
    )
