"""The decision: limits, front, knee or fall-back, stability; the same answer for the same table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.params import digest_of
from components.records import Ranked, SelectionDecision
from components.select.front import front_frequency, on_front
from components.select.knee import extreme_plane_distance, plane_distance, ranked, tchebycheff
from components.select.limits import Row, apply_limits
from components.select.normalise import Array, costs, levels, scaled, to_unit, weights
from components.select.params import Criterion, Limit, SelectionParams
from components.select.sensitivity import what_would_change
from components.select.stability import Draws, Score, draw, win_shares

KNEE = "knee (distance below the plane of the declared levels)"
FALL_BACK = "augmented Tchebycheff distance to the aspirations"
ALONE = "the only candidate left"
NOTHING = "no candidate left"
SHORTLIST_COVER = 0.9  # the shortlist is the smallest set that wins so many of the draws


@dataclass(frozen=True)
class Verdict:
    """What the weighing of a table gave, before it is put into a record."""

    method: str
    front: tuple[str, ...] = ()
    front_frequency: dict[str, float] | None = None
    ranking: tuple[Ranked, ...] = ()
    stability: dict[str, float] | None = None
    reasons: tuple[str, ...] = ()


def decide(
    table: Sequence[Row], params: SelectionParams, seed: int = 0, *, champion: str | None = None
) -> SelectionDecision:
    """Choose one row, or a shortlist where the noise does not allow one.

    The digest covers the table, the params and the answer; neither the order of rows nor the
    process changes it. ``champion``: the row that stays where it is inside the noise.
    """
    rows = sorted(table, key=lambda row: row.name)
    assert len({row.name for row in rows}) == len(rows), "rows are named once"
    kept, rejected = apply_limits(rows, params.criteria, params.limits)
    verdict = _weigh(kept, params, seed)
    winner, shortlist, why = _answer(verdict, params.confidence, champion)
    first = winner or (shortlist[0] if shortlist else None)
    order = [r.name for r in verdict.ranking]
    runner_up = next((name for name in (*shortlist, *order) if name != first), None)
    inputs = _inputs(rows, params, seed, champion)
    answer: dict[str, Any] = {
        "rejected": rejected,
        "front": verdict.front,
        "front_frequency": verdict.front_frequency or {},
        "ranking": verdict.ranking,
        "stability": verdict.stability or {},
        "knee": verdict.method == KNEE,
        "method": verdict.method,
        "winner": winner,
        "shortlist": shortlist,
        "runner_up": runner_up,
        "reasons": (*verdict.reasons, *why),
        "would_change": what_would_change(rows, kept, params, verdict.method, first, _first_of),
    }
    draft = SelectionDecision(**inputs, **answer, digest="")
    body = draft.model_dump(mode="json", exclude={"digest"})
    return draft.model_copy(update={"digest": digest_of(_rounded(body))})


def replay(decision: SelectionDecision) -> SelectionDecision:
    """Decide again from the record alone; an untouched record gives the same digest."""
    settings = dict(decision.settings)
    champion = settings.pop("champion", None)
    params = SelectionParams(
        criteria=tuple(Criterion(**c) for c in decision.criteria),
        limits=tuple(Limit(**limit) for limit in decision.limits),
        **settings,
    )
    rows = [
        Row(c["name"], {k: tuple(v) for k, v in c["values"].items()}, c["excluded"])
        for c in decision.candidates
    ]
    return decide(rows, params, decision.seed, champion=champion)


def score_of(method: str) -> Score:
    """Return the scoring that a method names."""
    return plane_distance if method == KNEE else tchebycheff


def _weigh(kept: Sequence[Row], params: SelectionParams, seed: int) -> Verdict:
    if not kept:
        return Verdict(NOTHING, reasons=("No candidate held the limits and the floors.",))
    criteria = params.criteria
    draws = draw(kept, criteria, params.num_draws, seed)
    frequency = front_frequency(costs(draws.values, criteria))
    means = _means(kept, criteria)
    standing = on_front(costs(means, criteria))
    chosen = np.flatnonzero((frequency >= params.front_share) | standing).tolist()
    names = [kept[i].name for i in chosen]
    unit = _unit(means[chosen], criteria)
    method, why = _method(unit, weights(criteria))
    score = score_of(method)
    shaken = Draws(draws.values[:, chosen], draws.unit[:, chosen], draws.weights)
    shares = win_shares(shaken, score)
    scores = score(unit, weights(criteria))
    order = ranked(names, scores, unit)
    return Verdict(
        method=method,
        front=tuple(row.name for row, stands in zip(kept, standing, strict=True) if stands),
        front_frequency={row.name: float(f) for row, f in zip(kept, frequency, strict=True)},
        ranking=tuple(_ranked(kept[chosen[i]], float(scores[i]), criteria) for i in order),
        stability={names[i]: float(shares[i]) for i in order},
        reasons=(why, *_own_ranges(names, unit, criteria)),
    )


def _method(unit: Array, weights_C: Array) -> tuple[str, str]:
    if len(unit) == 1:
        return ALONE, "Only one candidate is on the front; there is nothing to trade."
    if len(unit) < 3:
        return FALL_BACK, f"No knee: {len(unit)} candidates on the front, a knee needs 3."
    best = float(plane_distance(unit, weights_C).max())
    if best <= 0:
        return FALL_BACK, (
            f"No knee: the best candidate lies {-best:.3f} above the plane of the declared levels."
        )
    return KNEE, f"The knee lies {best:.3f} below the plane of the declared levels."


def _own_ranges(names: list[str], unit: Array, criteria: Sequence[Criterion]) -> tuple[str, ...]:
    """Say what the front's own ranges would choose, where they span a plane."""
    if len(names) < 3:
        return ()
    span = np.ptp(unit, axis=0)
    if (span == 0).any():
        return ()
    own = (unit - unit.min(axis=0)) / span
    distance = extreme_plane_distance(own)
    if distance is None:
        first = names[ranked(names, plane_distance(own, weights(criteria)), own)[0]]
        return (f"With the front's own ranges: {first} (its extreme points span no sound plane).",)
    return (f"With the front's own ranges: {names[ranked(names, distance, own)[0]]}.",)


def _answer(
    verdict: Verdict, confidence: float, champion: str | None
) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    if not verdict.ranking:
        return None, (), ()
    stability = verdict.stability or {}
    best = verdict.ranking[0].name
    share = stability[best]
    if share >= confidence:
        return best, (), (f"{best} comes first in {share:.0%} of the draws.",)
    order = sorted(stability, key=lambda name: (-round(stability[name], 9), name))
    shortlist: list[str] = []
    while sum(stability[name] for name in shortlist) < SHORTLIST_COVER:
        shortlist.append(order[len(shortlist)])
    why = [f"{best} comes first in only {share:.0%} of the draws (wanted {confidence:.0%})."]
    if champion in shortlist:
        shortlist.remove(champion)
        shortlist.insert(0, champion)
        why.append(f"The champion {champion} is inside the noise and stays.")
    return None, tuple(shortlist), tuple(why)


def _first_of(kept: Sequence[Row], criteria: Sequence[Criterion], method: str) -> str:
    """Return the row that comes first on the means alone."""
    unit = _unit(_means(kept, criteria), criteria)
    names = [row.name for row in kept]
    return names[ranked(names, score_of(method)(unit, weights(criteria)), unit)[0]]


def _means(rows: Sequence[Row], criteria: Sequence[Criterion]) -> Array:
    return np.array([[row.mean(c.name) for c in criteria] for row in rows])


def _unit(means_RC: Array, criteria: Sequence[Criterion]) -> Array:
    return to_unit(scaled(means_RC, criteria), *levels(criteria))


def _ranked(row: Row, score: float, criteria: Sequence[Criterion]) -> Ranked:
    return Ranked(name=row.name, score=score, values={c.name: row.mean(c.name) for c in criteria})


def _inputs(
    rows: Sequence[Row], params: SelectionParams, seed: int, champion: str | None
) -> dict[str, Any]:
    return {
        "criteria": tuple(c.model_dump(mode="json") for c in params.criteria),
        "limits": tuple(limit.model_dump(mode="json") for limit in params.limits),
        "settings": params.model_dump(
            mode="json", include={"num_draws", "confidence", "front_share"}
        )
        | {"champion": champion},
        "seed": seed,
        "candidates": tuple(_candidate(row) for row in rows),
    }


def _candidate(row: Row) -> dict[str, Any]:
    values = {name: row.values[name] for name in sorted(row.values) if row.values[name]}
    return {
        "name": row.name,
        "values": {name: list(each) for name, each in values.items()},
        "mean": {name: float(np.mean(each)) for name, each in values.items()},
        "std": {name: float(np.std(each)) for name, each in values.items()},
        "n": {name: len(each) for name, each in values.items()},
        "excluded": row.excluded,
    }


def _rounded(value: Any) -> Any:
    """Round floats to 9 digits, below which machines may differ."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value
