"""How often each row wins when seeds, weights and levels are shaken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from components.select.limits import Row
from components.select.normalise import Array, levels, scaled, to_unit, weights
from components.select.params import Criterion

Score = Callable[[Array, Array], Array]  # unit values …xRxC, weights …xC -> scores …xR

WEIGHT_SPREAD = 0.3  # standard deviation of a weight's logarithm: nobody knows one much better
LEVEL_SPREAD = 0.2  # standard deviation of a level, as a share of aspiration to reservation
LEAST_SPAN = 0.2  # of the declared span: shaken levels never meet


@dataclass(frozen=True)
class Draws:
    """D shaken versions of the table."""

    values: Array  # DxRxC: means over redrawn seeds, own units
    unit: Array  # DxRxC
    weights: Array  # DxC


def draw(rows: Sequence[Row], criteria: Sequence[Criterion], num: int, seed: int) -> Draws:
    """Redraw seeds with replacement; shake weights and levels by their spreads.

    A row's seeds are drawn together over its criteria. The draws of a row depend on its place,
    so rows come sorted by name.
    """
    rng = np.random.default_rng(seed)
    most = max(len(row.values[c.name]) for row in rows for c in criteria)
    values = np.empty((num, len(rows), len(criteria)))
    for r, row in enumerate(rows):
        picks = rng.random((num, most))
        for c, criterion in enumerate(criteria):
            own = np.array(row.values[criterion.name], np.float64)
            chosen = (picks[:, : own.size] * own.size).astype(int)
            values[:, r, c] = own[chosen].mean(axis=1)
    shaken = np.exp(rng.normal(0, WEIGHT_SPREAD, (num, len(criteria)))) * weights(criteria)
    aspiration, reservation = levels(criteria)
    span = reservation - aspiration
    moves = rng.normal(0, LEVEL_SPREAD, (2, num, len(criteria)))
    width = np.maximum(1.0 + moves[1] - moves[0], LEAST_SPAN)
    low = aspiration + moves[0] * span
    unit = to_unit(scaled(values, criteria), low[:, None, :], (low + width * span)[:, None, :])
    return Draws(values, unit, shaken / shaken.mean(axis=1, keepdims=True))


def win_shares(draws: Draws, score: Score) -> Array:
    """Return for each row the share of draws (0..1) that it wins; ties share the draw."""
    scores = score(draws.unit, draws.weights[:, None, :])
    best = scores >= scores.max(axis=1, keepdims=True) - 1e-12
    shares: Array = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares
