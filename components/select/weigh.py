"""Weighing the rows that hold the limits: front, knee or fall-back, ranking, stability."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from components.records import Ranked
from components.select.front import front_frequency, on_front
from components.select.knee import (
    extreme_plane_distance,
    plane_distance,
    ranked,
    tchebycheff,
    tied,
)
from components.select.limits import Row
from components.select.normalise import Array, costs, levels, scaled, to_unit, weights
from components.select.params import Criterion, SelectionParams
from components.select.stability import CAUSES, Score, draw, win_shares

KNEE = "knee (distance below the plane of the declared levels)"
FALL_BACK = "augmented Tchebycheff distance to the aspirations"
ALONE = "the only candidate left"
NOTHING = "no candidate left"
LEAST_POINTS = 3  # fewer bend nowhere


@dataclass(frozen=True)
class Weighing:
    """What the weighing of a table gave, before it is put into a record."""

    method: str
    front: tuple[str, ...] = ()
    front_frequency: dict[str, float] = field(default_factory=dict)
    ranking: tuple[Ranked, ...] = ()
    tie: bool = False  # the first two are equal in score and in trade-off
    stability: dict[str, float] = field(default_factory=dict)
    stability_by: dict[str, dict[str, float]] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    @property
    def leader(self) -> str | None:
        """The first of the ranking."""
        return self.ranking[0].name if self.ranking else None


def weigh(kept: Sequence[Row], params: SelectionParams, seed: int) -> Weighing:
    """Rank the rows (sorted by name, all of them measured) and say how stable the first is.

    Candidates are the rows on the front of the means, and those that noise lifts onto it in
    ``front_share`` of the draws.
    """
    if not kept:
        return Weighing(NOTHING, reasons=("No candidate held the limits and the floors.",))
    criteria = params.criteria
    draws = draw(kept, criteria, params.num_draws, seed)
    frequency = front_frequency(costs(draws.values, criteria))
    standing = on_front(costs(draws.means, criteria))
    chosen = np.flatnonzero((frequency >= params.front_share) | standing).tolist()
    names = [kept[i].name for i in chosen]
    unit = unit_values(draws.means[chosen], criteria)
    method, why = method_of(unit, weights(criteria), len(chosen))
    score = score_of(method)
    scores = score(unit, weights(criteria))
    order = ranked(names, scores, unit)
    kinds = {"all": CAUSES} | {cause: (cause,) for cause in CAUSES}
    shares = {kind: win_shares(draws.of(chosen), score, own) for kind, own in kinds.items()}
    by_kind = {kind: {names[i]: float(own[i]) for i in order} for kind, own in shares.items()}
    return Weighing(
        method=method,
        front=tuple(row.name for row, stands in zip(kept, standing, strict=True) if stands),
        front_frequency={row.name: float(f) for row, f in zip(kept, frequency, strict=True)},
        ranking=tuple(_ranked(kept[chosen[i]], float(scores[i]), criteria) for i in order),
        tie=len(order) > 1 and tied(order[0], order[1], scores, unit),
        stability=by_kind.pop("all"),
        stability_by=by_kind,
        reasons=(why, *_own_ranges(names, unit, criteria)),
    )


def unit_values(means_RC: Array, criteria: Sequence[Criterion]) -> Array:
    """Return means (own units) as unit values under the declared levels."""
    return to_unit(scaled(means_RC, criteria), *levels(criteria))


def method_of(unit_RC: Array, weights_C: Array, num_candidates: int) -> tuple[str, str]:
    """Return the method that may decide among the candidates, and why it is that one."""
    if num_candidates == 1:
        return ALONE, "Only one candidate is on the front; there is nothing to trade."
    if unit_RC.shape[1] == 1:
        return FALL_BACK, "No knee: a single criterion has nothing to trade."
    if num_candidates < LEAST_POINTS:
        return FALL_BACK, (
            f"No knee: {num_candidates} candidates on the front, a knee needs {LEAST_POINTS}."
        )
    best = float(plane_distance(unit_RC, weights_C).max())
    if best <= 0:
        return FALL_BACK, (
            f"No knee: the best candidate lies {-best:.3f} above the plane of the declared levels."
        )
    return KNEE, f"The knee lies {best:.3f} below the plane of the declared levels."


def score_of(method: str) -> Score:
    """Return the scoring that a method names."""
    return plane_distance if method == KNEE else tchebycheff


def _own_ranges(names: list[str], unit: Array, criteria: Sequence[Criterion]) -> tuple[str, ...]:
    """Say what the front's own ranges would choose, where they span a plane."""
    if len(names) < LEAST_POINTS:
        return ()
    satisfied = np.maximum(unit, 0.0)  # a range of what nobody gains from would weigh it anew
    span = np.ptp(satisfied, axis=0)
    if (span == 0).any():
        return ()
    own = (satisfied - satisfied.min(axis=0)) / span
    distance = extreme_plane_distance(own)
    if distance is None:
        first = names[ranked(names, plane_distance(own, weights(criteria)), own)[0]]
        return (f"With the front's own ranges: {first} (its extreme points span no sound plane).",)
    return (f"With the front's own ranges: {names[ranked(names, distance, own)[0]]}.",)


def _ranked(row: Row, score: float, criteria: Sequence[Criterion]) -> Ranked:
    return Ranked(name=row.name, score=score, values={c.name: row.mean(c.name) for c in criteria})
