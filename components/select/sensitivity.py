"""What would have changed the answer: the smallest single change that puts another row first.

Every level that is told is rounded away from today's and then tried by weighing the whole table
anew with it, so that whoever enters the printed number gets the row that is named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from components.select.flips import first_flip, outward
from components.select.knee import TIE
from components.select.limits import Estimate, Row, apply_limits
from components.select.loosen import limit_changes
from components.select.normalise import BEYOND, Array, levels, scaled, weights
from components.select.params import Criterion, SelectionParams
from components.select.stability import means_of
from components.select.weigh import Weighing, method_of, score_of, unit_values, weigh

MOST_WEIGHT = 16.0  # a weight that may be moved so far is called stable
WORST = 2.0  # spans of its levels that a figure of the leader is worsened by at most
NEAREST = 10  # rivals that are tried: those with the best scores


@dataclass(frozen=True)
class Change:
    """A change that flips the first place, in words, and its size (same unit within a kind)."""

    size: float
    words: str  # with {other} for the row that comes first then
    rows: tuple[Row, ...]
    params: SelectionParams


@dataclass(frozen=True)
class Scene:
    """The rows that were weighed, and who leads them."""

    kept: tuple[Row, ...]
    params: SelectionParams
    leader: int  # place among kept
    num_candidates: int
    seed: int

    @property
    def name(self) -> str:
        """The leader's name."""
        return self.kept[self.leader].name

    def leads(self, unit_RC: Array, weights_C: Array) -> bool:
        """Return whether nothing scores better than the leader; the draws are left as they were."""
        method, _ = method_of(unit_RC, weights_C, self.num_candidates)
        scores = score_of(method)(unit_RC, weights_C)
        return bool(scores[self.leader] >= scores.max() - TIE)


def what_would_change(
    rows: Sequence[Row],
    kept: Sequence[Row],
    params: SelectionParams,
    weighing: Weighing,
    seed: int,
) -> tuple[str, ...]:
    """Return, in words, what would put another row first: limits, weights, figures."""
    limits = limit_changes(rows, kept, params, weighing, seed)
    if weighing.leader is None:
        return limits or ("A better candidate: no single limit keeps the others out.",)
    if len(kept) < 2:
        return limits
    place = [row.name for row in kept].index(weighing.leader)
    scene = Scene(tuple(kept), params, place, len(weighing.ranking), seed)
    found = [*limits]
    if len(params.criteria) > 1:
        unmoved = f"No change of one weight up to {MOST_WEIGHT:g}-fold puts another first."
        found.append(_smallest(scene, _weights(scene)) or unmoved)
    found += [_smallest(scene, _worse(scene)), _smallest(scene, _rivals(scene))]
    return tuple(words for words in found if words)


def _smallest(scene: Scene, changes: Iterator[Change]) -> str:
    """Return the words of the smallest change that holds when the whole table is weighed anew."""
    for change in sorted(changes, key=lambda each: each.size):
        criteria, limits = change.params.criteria, change.params.limits
        kept, _ = apply_limits(change.rows, criteria, limits)
        other = weigh(kept, change.params, scene.seed).leader
        if other is not None and other != scene.name:
            return change.words.format(other=other)
    return ""


def _weights(scene: Scene) -> Iterator[Change]:
    criteria = scene.params.criteria
    unit = unit_values(means_of(scene.kept, criteria), criteria)
    for index, criterion in enumerate(criteria):
        for sign in (1, -1):
            powers = sign * np.eye(len(criteria))[index]

            def flips(step: float, powers: Array = powers) -> bool:
                moved = weights(criteria) * np.exp(step * powers)
                return not scene.leads(unit, moved / moved.mean())

            step = first_flip(flips, float(np.log(MOST_WEIGHT)))
            if step is None:
                continue
            factor = outward(float(np.exp(sign * step)), up=sign > 0, digits=3)
            changed = criterion.model_copy(update={"weight": criterion.weight * factor})
            words = (
                f"With {factor:.3g} times the weight on {criterion.name}, {{other}} comes first."
            )
            yield Change(step, words, scene.kept, _with(scene.params, index, changed))


def _worse(scene: Scene) -> Iterator[Change]:
    """Worsen one figure of the leader, past a limit where there is one on the way."""
    own = scene.kept[scene.leader]
    for index, criterion in enumerate(scene.params.criteria):

        def flips(step: float, index: int = index, criterion: Criterion = criterion) -> bool:
            level = _level(scene, scene.leader, index, step)
            moved = at_level(own, criterion, level)
            held, _ = apply_limits((moved,), scene.params.criteria, scene.params.limits)
            return not held or not _still_leads(scene, scene.leader, index, step)

        step = first_flip(flips, WORST)
        yield from _moved(scene, scene.leader, index, step, "would give way to {other}.", 1)


def _rivals(scene: Scene) -> Iterator[Change]:
    """Improve one figure of a row that is close behind, up to its aspiration."""
    criteria = scene.params.criteria
    unit = unit_values(means_of(scene.kept, criteria), criteria)
    method, _ = method_of(unit, weights(criteria), scene.num_candidates)
    order = np.argsort(-score_of(method)(unit, weights(criteria)), kind="stable").tolist()
    for row in [r for r in order if r != scene.leader][:NEAREST]:
        for index in np.flatnonzero(unit[row] > 0).tolist():

            def flips(step: float, row: int = row, index: int = index) -> bool:
                return not _still_leads(scene, row, index, -step)

            step = first_flip(flips, float(unit[row, index]))
            yield from _moved(scene, row, index, step, "would come first.", -1)


def _moved(
    scene: Scene, row: int, index: int, step: float | None, words: str, sign: int
) -> Iterator[Change]:
    """Yield the change that moves one figure of a row by a step, at the level that is printed."""
    if step is None:
        return
    criterion, own = scene.params.criteria[index], scene.kept[row]
    level = _level(scene, row, index, sign * step)
    level = outward(level, up=(sign > 0) == (criterion.goal == "min"))
    if criterion.log and level <= 0:
        return
    changed = list(scene.kept)
    changed[row] = at_level(own, criterion, level)
    now = own.mean(criterion.name)
    told = f"With {criterion.name} at {level:.4g} instead of {now:.4g}, {own.name} {words}"
    yield Change(step, told, tuple(changed), scene.params)


def _still_leads(scene: Scene, row: int, index: int, step: float) -> bool:
    """Return whether the leader stays when one figure of a row moves by a step of its span."""
    criteria = scene.params.criteria
    unit = unit_values(means_of(scene.kept, criteria), criteria)
    moved = _place(scene, row, index) + step
    unit[row, index] = moved if moved > 0 else BEYOND * moved
    return scene.leads(unit, weights(criteria))


def _place(scene: Scene, row: int, index: int) -> float:
    """Return where a figure lies: 0 at the aspiration, 1 at the reservation, below 0 beyond."""
    criteria = scene.params.criteria
    aspiration, reservation = levels(criteria)
    means = scaled(means_of(scene.kept[row : row + 1], criteria), criteria)[0]
    return float(((means - aspiration) / (reservation - aspiration))[index])


def _level(scene: Scene, row: int, index: int, step: float) -> float:
    """Return the figure, in its own unit, that lies a step of the span away from a row's."""
    aspiration, reservation = (each[index] for each in levels(scene.params.criteria))
    moved = aspiration + (_place(scene, row, index) + step) * (reservation - aspiration)
    return float(np.exp(moved) if scene.params.criteria[index].log else moved)


def at_level(row: Row, criterion: Criterion, level: float) -> Row:
    """Return the row with the mean of one figure moved to a level, its spread kept."""
    name, mean = criterion.name, row.mean(criterion.name)
    if name in row.estimates:
        old = row.estimates[name]
        std = old.std * level / mean if criterion.log else old.std
        estimates = row.estimates | {name: Estimate(level, std, old.num_seeds)}
        return replace(row, estimates=estimates)
    if criterion.log:
        values = tuple(value * level / mean for value in row.values[name])
    else:
        values = tuple(value + (level - mean) for value in row.values[name])
    return replace(row, values=row.values | {name: values})


def _with(params: SelectionParams, index: int, criterion: Criterion) -> SelectionParams:
    criteria = (*params.criteria[:index], criterion, *params.criteria[index + 1 :])
    return params.model_copy(update={"criteria": criteria})
