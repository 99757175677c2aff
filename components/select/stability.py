"""How often each row wins when seeds, weights and levels are shaken, together and one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from components.select.limits import Estimate, Row
from components.select.normalise import Array, levels, scaled, to_unit, weights
from components.select.params import Criterion

Score = Callable[[Array, Array], Array]  # unit values …xRxC, weights …xC -> scores …xR

WEIGHT_SPREAD = 0.3  # standard deviation of a weight's logarithm: nobody knows one much better
LEVEL_SPREAD = 0.2  # standard deviation of a level, as a share of aspiration to reservation
LEAST_SPAN = 0.2  # of the declared span: shaken levels never meet
CAUSES = ("seeds", "weights", "levels")


@dataclass(frozen=True)
class Draws:
    """D shaken versions of a table, its weights and its levels; own units, scaled levels."""

    criteria: tuple[Criterion, ...]
    means: Array  # RxC: as measured
    values: Array  # DxRxC: means over redrawn seeds
    weights: Array  # DxC
    aspirations: Array  # DxC
    reservations: Array  # DxC

    def of(self, rows: Sequence[int]) -> "Draws":
        """Return the same draws of some rows."""
        return Draws(
            self.criteria,
            self.means[rows],
            self.values[:, rows],
            self.weights,
            self.aspirations,
            self.reservations,
        )


def draw(rows: Sequence[Row], criteria: Sequence[Criterion], num: int, seed: int) -> Draws:
    """Redraw seeds with replacement; shake weights and levels by their spreads.

    A row's seeds are drawn together over its criteria. Of an estimate the mean is redrawn from
    a normal distribution with its standard error, std / sqrt(num_seeds), each criterion by
    itself; of a ``log`` criterion its logarithm, so that a time stays above 0. The draws of a
    row depend on its place, so rows come sorted by name.
    """
    rng, normal = np.random.default_rng(seed), np.random.default_rng((seed, 1))
    most = max((len(row.values.get(c.name, ())) for row in rows for c in criteria), default=1)
    values = np.empty((num, len(rows), len(criteria)))
    for r, row in enumerate(rows):
        picks = rng.random((num, most))
        for c, criterion in enumerate(criteria):
            if criterion.name in row.estimates:
                z = normal.standard_normal(num)
                values[:, r, c] = _redrawn(row.estimates[criterion.name], criterion.log, z)
            else:
                own = np.array(row.values[criterion.name], np.float64)
                chosen = (picks[:, : own.size] * own.size).astype(int)
                values[:, r, c] = own[chosen].mean(axis=1)
    shaken = np.exp(rng.normal(0, WEIGHT_SPREAD, (num, len(criteria)))) * weights(criteria)
    aspiration, reservation = levels(criteria)
    span = reservation - aspiration
    moves = rng.normal(0, LEVEL_SPREAD, (2, num, len(criteria)))
    width = np.maximum(1.0 + moves[1] - moves[0], LEAST_SPAN)
    low = aspiration + moves[0] * span
    return Draws(
        criteria=tuple(criteria),
        means=means_of(rows, criteria),
        values=values,
        weights=shaken / shaken.mean(axis=1, keepdims=True),
        aspirations=low,
        reservations=low + width * span,
    )


def means_of(rows: Sequence[Row], criteria: Sequence[Criterion]) -> Array:
    """Return the means over seeds (RxC), in own units."""
    return np.array([[row.mean(c.name) for c in criteria] for row in rows], np.float64)


def win_shares(draws: Draws, score: Score, causes: Sequence[str] = CAUSES) -> Array:
    """Return for each row the share of draws (0..1) that it wins; ties share the draw.

    Rows that satisfy a draw's aspirations alike share it, whichever is further beyond them.
    ``causes`` of :data:`CAUSES` are shaken; what is not named stays as measured or declared.
    """
    aspiration, reservation = levels(draws.criteria)
    values = draws.values if "seeds" in causes else draws.means[None]
    low, high = aspiration[None], reservation[None]
    if "levels" in causes:
        low, high = draws.aspirations, draws.reservations
    unit = to_unit(scaled(values, draws.criteria), low[:, None, :], high[:, None, :])
    weighed = draws.weights if "weights" in causes else weights(draws.criteria)[None]
    scores = score(np.maximum(unit, 0.0), weighed[:, None, :])
    best = scores >= scores.max(axis=1, keepdims=True) - 1e-12
    shares: Array = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def _redrawn(estimate: Estimate, log: bool, z: Array) -> Array:
    error = estimate.std / np.sqrt(estimate.num_seeds)
    if log:
        redrawn: Array = estimate.mean * np.exp(z * error / estimate.mean)
        return redrawn
    return estimate.mean + z * error
