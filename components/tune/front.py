"""The best trials of a study: the front of its objectives, and the best by the first of them."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from components.records import TrialRecord
from components.search import Objective
from components.select.front import on_front
from components.tune.suggestion import DIRECTIONS


def front_of(trials: Sequence[TrialRecord]) -> tuple[int, ...]:
    """Return the numbers of the complete trials that no other is better than in every objective."""
    done = [t for t in trials if t.state == "complete" and t.objectives]
    if not done:
        return ()
    costs = np.array([[_cost(name, value) for name, value in t.objectives.items()] for t in done])
    return tuple(t.number for t, is_on in zip(done, on_front(costs), strict=True) if is_on)


def best_of(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the complete trial with the highest first objective, the earliest of equals."""
    done = [t for t in trials if t.state == "complete" and t.objective is not None]
    return max(done, key=lambda t: (t.objective or 0.0, -t.number), default=None)


def _cost(name: str, value: float) -> float:
    return -value if DIRECTIONS[cast("Objective", name)] == "maximize" else value
