"""Scores of unit values: the knee, its fall-back, and how ties are broken (higher is better)."""

from collections.abc import Sequence

import numpy as np

from components.select.normalise import Array

AUGMENTATION = 0.05  # of the sum in the Tchebycheff distance: rules out weakly dominated points
SOUND_CONDITION = 100.0  # above it the extreme points lie nearly in line and the plane is chance
TIE = 1e-9


def plane_distance(unit_RC: Array, weights_C: Array) -> Array:
    """Return how far each row (…xRxC) lies below the plane through the unit points.

    Source: Das 1999, normal-boundary distance, on the plane where a row is at the reservation
    of one criterion and at the aspiration of the others.
    """
    sums = (weights_C * unit_RC).sum(axis=-1)
    distance: Array = (1.0 - sums) / np.sqrt(unit_RC.shape[-1])
    return distance


def tchebycheff(unit_RC: Array, weights_C: Array) -> Array:
    """Return the negative augmented Tchebycheff distance to the aspiration point.

    Source: Steuer & Choo 1983.
    """
    weighted = weights_C * unit_RC
    distance: Array = weighted.max(axis=-1) + AUGMENTATION * weighted.sum(axis=-1)
    return -distance


def extreme_plane_distance(unit_RC: Array) -> Array | None:
    """Return distances below the plane through the front's own extreme points, or None.

    The extreme point of an axis is the row that is worst there for the least of the rest. None
    where fewer than C of them differ, they lie nearly in line, or an intercept is not positive.
    """
    num = unit_RC.shape[1]
    others = (
        [np.delete(unit_RC, axis, axis=1).max(axis=1) for axis in range(num)] if num > 1 else []
    )
    extreme = [int(np.lexsort((-unit_RC[:, axis], rest))[0]) for axis, rest in enumerate(others)]
    if len(set(extreme)) < num:
        return None
    corners = unit_RC[extreme]
    if np.linalg.cond(corners) > SOUND_CONDITION:
        return None
    normal = np.linalg.solve(corners, np.ones(num))
    if (normal <= 0).any():
        return None
    distance: Array = (1.0 - unit_RC @ normal) / np.linalg.norm(normal)
    return distance


def tradeoff(unit_RC: Array) -> Array:
    """Return for each row the least sacrifice per gain that leaving it for another costs.

    Source: Rachmawati & Srinivasan 2009. Infinite where no other row offers any gain.
    """
    step = unit_RC[:, None, :] - unit_RC[None, :, :]  # row, other: above 0 is gained by leaving
    gain, sacrifice = np.maximum(step, 0).sum(axis=-1), np.maximum(-step, 0).sum(axis=-1)
    ratio = np.where(gain > 0, sacrifice / np.where(gain > 0, gain, 1.0), np.inf)
    return ratio.min(axis=1)


def ranked(names: Sequence[str], scores_R: Array, unit_RC: Array) -> list[int]:
    """Return row indices, best first; equal scores by trade-off, then by name, never by place."""
    keys = _keys(scores_R, unit_RC)
    return sorted(range(len(names)), key=lambda i: (*keys[i], names[i]))


def tied(first: int, second: int, scores_R: Array, unit_RC: Array) -> bool:
    """Return whether neither the score nor the trade-off tells two rows apart."""
    keys = _keys(scores_R, unit_RC)
    return keys[first] == keys[second]


def _keys(scores_R: Array, unit_RC: Array) -> list[tuple[float, float]]:
    rounded, sacrifice = np.round(scores_R / TIE).tolist(), tradeoff(unit_RC).tolist()
    return [(-score, -round(ratio, 9)) for score, ratio in zip(rounded, sacrifice, strict=True)]
