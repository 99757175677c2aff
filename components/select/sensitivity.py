"""The smallest single change of a limit, a weight or a figure that would flip the first place."""

from collections.abc import Callable, Sequence

import numpy as np

from components.select.limits import Row, apply_limits
from components.select.params import Criterion, Limit, SelectionParams

FirstOf = Callable[[Sequence[Row], Sequence[Criterion], str], str]

FACTORS = np.geomspace(1.02, 16, 60)  # how far a weight is moved before it is called stable
SHARES = np.linspace(0.02, 1, 50)  # how far a figure is moved, as a share of its levels' span


def what_would_change(
    rows: Sequence[Row],
    kept: Sequence[Row],
    params: SelectionParams,
    method: str,
    first: str | None,
    first_of: FirstOf,
) -> tuple[str, ...]:
    """Return, in words, what would put another row first: limits, then weights, then figures."""
    if first is None:
        return ("A looser limit or a better candidate: none was left to choose from.",)
    limits = [text for limit in params.limits for text in _limit(rows, kept, params, limit, first)]
    if len(kept) < 2 or first_of(kept, params.criteria, method) != first:
        return tuple(limits)

    def now_first(changed: Sequence[Row], criteria: Sequence[Criterion]) -> str:
        return first_of(changed, criteria, method)

    weights = _weight(kept, params.criteria, first, now_first)
    figures = _figure(kept, params.criteria, first, now_first)
    return (*limits, *weights, *figures)


Now = Callable[[Sequence[Row], Sequence[Criterion]], str]


def _limit(
    rows: Sequence[Row], kept: Sequence[Row], params: SelectionParams, limit: Limit, first: str
) -> list[str]:
    """Say where the limit would reject the first, and whom it alone keeps out."""
    mean = next(row for row in kept if row.name == first).mean(limit.name)
    found = []
    if limit.min is not None:
        found.append(f"A limit of {limit.name} above {mean:.4g} would reject {first}.")
    if limit.max is not None:
        found.append(f"A limit of {limit.name} below {mean:.4g} would reject {first}.")
    others = tuple(other for other in params.limits if other != limit)
    freed, _ = apply_limits(rows, params.criteria, others)
    names = {row.name for row in kept}
    back = sorted(row.name for row in freed if row.name not in names)
    if back:
        found.append(f"The limit of {limit.name} alone keeps out {', '.join(back)}.")
    return found


def _weight(
    kept: Sequence[Row], criteria: Sequence[Criterion], first: str, now: Now
) -> tuple[str, ...]:
    """Return the smallest change of one weight that flips the first place."""
    for factor in FACTORS:
        for index, criterion in enumerate(criteria):
            for times in (factor, 1 / factor):
                changed = list(criteria)
                weight = criterion.weight * float(times)
                changed[index] = criterion.model_copy(update={"weight": weight})
                other = now(kept, changed)
                if other != first:
                    word = f"{factor:.2g} times the" if times > 1 else f"1/{factor:.2g} of the"
                    return (f"With {word} weight on {criterion.name}, {other} comes first.",)
    return ("No change of one weight up to 16-fold puts another first.",)


def _figure(
    kept: Sequence[Row], criteria: Sequence[Criterion], first: str, now: Now
) -> tuple[str, ...]:
    """Return the smallest worsening of one figure of the first that flips the first place."""
    for share in SHARES:
        for criterion in criteria:
            changed = [
                _worse(row, criterion, float(share)) if row.name == first else row for row in kept
            ]
            if criterion.log and min(changed[0].values[criterion.name]) <= 0:
                continue
            other = now(changed, criteria)
            if other != first:
                level = next(row for row in changed if row.name == first).mean(criterion.name)
                return (f"At {criterion.name} {level:.4g}, {first} would give way to {other}.",)
    return ()


def _worse(row: Row, criterion: Criterion, share: float) -> Row:
    """Return the row with one figure moved towards and beyond the reservation."""
    values = np.array(row.values[criterion.name])
    if criterion.log:
        moved = values * (criterion.reservation / criterion.aspiration) ** share
    else:
        moved = values + share * (criterion.reservation - criterion.aspiration)
    return Row(row.name, row.values | {criterion.name: tuple(float(v) for v in moved)})
