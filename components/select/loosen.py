"""What each limit does to the answer: where it would reject the first, whom it keeps from it."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from components.select.flips import outward
from components.select.front import on_front
from components.select.limits import Row, apply_limits
from components.select.normalise import costs, weights
from components.select.params import Limit, SelectionParams
from components.select.stability import means_of
from components.select.weigh import Weighing, method_of, score_of, unit_values, weigh

Bound = Literal["min", "max"]
MOST_TRIED = 50  # rows kept out by one limit that are let in, nearest first
MOST_NAMED = 3


def limit_changes(
    rows: Sequence[Row],
    kept: Sequence[Row],
    params: SelectionParams,
    weighing: Weighing,
    seed: int,
) -> tuple[str, ...]:
    """Return one or two sentences for each bound: tightened, and loosened."""
    found: list[str] = []
    for limit in params.limits:
        for bound in ("min", "max"):
            if getattr(limit, bound) is not None:
                found += _tightened(kept, params, limit, bound, weighing.leader, seed)
                found += _loosened(rows, kept, params, limit, bound, weighing.leader, seed)
    return tuple(found)


def _tightened(
    kept: Sequence[Row],
    params: SelectionParams,
    limit: Limit,
    bound: Bound,
    leader: str | None,
    seed: int,
) -> Iterator[str]:
    if leader is None:
        return
    mean = next(row for row in kept if row.name == leader).mean(limit.name)
    level = outward(mean, up=bound == "min")
    left = [
        row
        for row in kept
        if (row.mean(limit.name) > level if bound == "min" else row.mean(limit.name) < level)
    ]
    other = weigh(left, params, seed).leader
    side = "above" if bound == "min" else "below"
    then = f"Then {other} comes first." if other else "Then nothing is left."
    yield f"A limit of {limit.name} {side} {level:.4g} would reject {leader}. {then}"


def _loosened(
    rows: Sequence[Row],
    kept: Sequence[Row],
    params: SelectionParams,
    limit: Limit,
    bound: Bound,
    leader: str | None,
    seed: int,
) -> Iterator[str]:
    """Let in, one after another, the rows that this bound alone keeps out."""
    freed = _freed(rows, kept, params, limit, bound)
    for num, row in enumerate(freed[:MOST_TRIED], start=1):
        together = sorted([*kept, *freed[:num]], key=lambda each: each.name)
        if leader is not None and _leader_of_means(together, params) == leader:
            continue
        level = outward(row.mean(limit.name), up=bound == "max")
        looser = _replaced(params, limit, {bound: level})
        other = weigh(apply_limits(rows, params.criteria, looser.limits)[0], looser, seed).leader
        if other not in (leader, None):
            word = "up" if bound == "max" else "down"
            now = f"(limit {getattr(limit, bound):g})"
            yield f"With {limit.name} allowed {word} to {level:.4g} {now}, {other} comes first."
            return
    if freed and leader is not None:
        names = sorted(row.name for row in freed)
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        named = ", ".join(names[:MOST_NAMED])
        yield f"The limit of {limit.name} alone keeps out {named}{more}. None would come first."


def _freed(
    rows: Sequence[Row], kept: Sequence[Row], params: SelectionParams, limit: Limit, bound: Bound
) -> list[Row]:
    """Return the rows that the bound alone keeps out, nearest to it first."""
    without = _replaced(params, limit, {bound: None})
    names = {row.name for row in kept}
    back = apply_limits(rows, params.criteria, without.limits)[0]
    freed = [row for row in back if row.name not in names]
    return sorted(freed, key=lambda r: r.mean(limit.name), reverse=bound == "min")


def _replaced(
    params: SelectionParams, limit: Limit, change: dict[str, float | None]
) -> SelectionParams:
    changed = tuple(
        other.model_copy(update=change) if other == limit else other for other in params.limits
    )
    return params.model_copy(update={"limits": changed})


def _leader_of_means(rows: Sequence[Row], params: SelectionParams) -> str:
    """Return who leads when noise is left aside; weighing the draws is left to who may win."""
    means = means_of(rows, params.criteria)
    num = int(on_front(costs(means, params.criteria)).sum())
    unit, own = unit_values(means, params.criteria), weights(params.criteria)
    scores = score_of(method_of(unit, own, num)[0])(unit, own)
    return rows[int(np.argmax(scores))].name
