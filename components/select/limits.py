"""The table that is read, and the rows that may not be chosen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from components.records import Rejection
from components.select.params import Criterion, Limit


@dataclass(frozen=True)
class Estimate:
    """A figure known as a mean over seeds and their sample standard deviation alone."""

    mean: float
    std: float = 0.0
    num_seeds: int = 1


@dataclass(frozen=True)
class Row:
    """One candidate: for each figure its values, one a seed or a repeat, or an estimate of them.

    ``excluded`` says why it may not be chosen, where that is known before any limit.
    """

    name: str
    values: dict[str, tuple[float, ...]] = field(default_factory=dict)
    excluded: str = ""
    estimates: dict[str, Estimate] = field(default_factory=dict)

    def knows(self, figure: str) -> bool:
        """Return whether the figure was measured at all."""
        return bool(self.values.get(figure)) or figure in self.estimates

    def mean(self, figure: str) -> float:
        """Return the mean over seeds, in the figure's own unit."""
        if figure in self.estimates:
            return self.estimates[figure].mean
        values = self.values[figure]
        return math.fsum(values) / len(values)

    def least(self, figure: str) -> float:
        """Return the smallest value over seeds; of an estimate its mean."""
        return min(self.values.get(figure) or (self.mean(figure),))


def apply_limits(
    rows: Sequence[Row], criteria: Sequence[Criterion], limits: Sequence[Limit]
) -> tuple[tuple[Row, ...], tuple[Rejection, ...]]:
    """Return the rows that may be chosen, and every other one with its reasons."""
    kept, rejected = [], []
    for row in rows:
        reasons = [row.excluded] if row.excluded else _reasons(row, criteria, limits)
        if reasons:
            rejected.append(Rejection(name=row.name, reason="; ".join(reasons)))
        else:
            kept.append(row)
    return tuple(kept), tuple(rejected)


def _reasons(row: Row, criteria: Sequence[Criterion], limits: Sequence[Limit]) -> list[str]:
    needed = dict.fromkeys([c.name for c in criteria] + [limit.name for limit in limits])
    reasons = [f"{name} was not measured" for name in needed if not row.knows(name)]
    reasons += [
        f"{c.name} holds {row.least(c.name):g}, which has no logarithm"
        for c in criteria
        if c.log and row.knows(c.name) and row.least(c.name) <= 0
    ]
    measured = [limit for limit in limits if row.knows(limit.name)]
    return reasons + [text for limit in measured if (text := _broken(row, limit))]


def _broken(row: Row, limit: Limit) -> str:
    mean = row.mean(limit.name)
    if limit.min is not None and mean < limit.min:
        return f"{limit.name} {mean:.4g} is below the limit of {limit.min:g}"
    if limit.max is not None and mean > limit.max:
        return f"{limit.name} {mean:.4g} is above the limit of {limit.max:g}"
    return ""
