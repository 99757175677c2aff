"""Fronts whose knee is known by construction (Branke et al. 2004; Deb & Gupta 2011)."""

import numpy as np
import pytest

from components.select import Criterion, Row, SelectionParams, decide

GRID = np.linspace(0, 1, 41)


def radius(x, num_knees: int, height: float = 1.0):
    """5 + 10 (x - 1/2)^2 + height cos(2 K pi x) / K: least where the front comes nearest to 0."""
    bulge = height * np.cos(2 * num_knees * np.pi * x) / num_knees
    return 5 + 10 * (x - 0.5) ** 2 + bulge


def first_of(points: np.ndarray, reservation: float) -> tuple[int, bool]:
    criteria = tuple(
        Criterion(name=f"f{i}", goal="min", aspiration=0, reservation=reservation)
        for i in range(points.shape[1])
    )
    rows = [
        Row(f"{n:04d}", {f"f{i}": (float(v),) for i, v in enumerate(point)})
        for n, point in enumerate(points)
    ]
    decision = decide(rows, SelectionParams(criteria=criteria, num_draws=20))
    return int(decision.ranking[0].name), decision.knee


def deb2dk(num_knees: int) -> np.ndarray:
    r, angle = radius(GRID, num_knees), np.pi * GRID / 2
    return np.stack([r * np.sin(angle), r * np.cos(angle)], axis=1)


def do2dk(num_knees: int, skew: int) -> np.ndarray:
    r = (
        5
        + 10 * (GRID - 0.5) ** 2
        + np.cos(2 * num_knees * np.pi * GRID) * 2 ** (skew / 2) / (num_knees)
    )
    turn = np.pi * GRID / 2 ** (skew + 1) + (1 + (2**skew - 1) / 2 ** (skew + 2)) * np.pi
    return np.stack([r * (np.sin(turn) + 1), r * (np.cos(np.pi * GRID / 2 + np.pi) + 1)], axis=1)


def test_deb2dk_with_one_knee_has_it_in_the_middle() -> None:
    first, knee = first_of(deb2dk(1), 8.5)
    assert (GRID[first], knee) == (0.5, True)


def test_deb2dk_with_two_knees_has_one_on_either_side() -> None:
    first, knee = first_of(deb2dk(2), 8.5)
    assert knee
    assert abs(GRID[first] - 0.5) == pytest.approx(0.25, abs=0.05)


def test_do2dk_without_skew_has_its_knee_in_the_middle() -> None:
    first, knee = first_of(do2dk(1, 0), 8.5)
    assert (GRID[first], knee) == (0.5, True)


@pytest.mark.parametrize("skew", [0, 1])
def test_on_do2dk_the_first_lies_furthest_from_the_chord_of_the_extremes(skew: int) -> None:
    points = do2dk(1, skew)
    low, high = points.min(axis=0), points.max(axis=0)
    unit = (points - low) / (high - low)
    first, _ = first_of(unit, 1.0)
    assert first == int(np.argmin(unit.sum(axis=1)))


def test_deb3dk_with_one_knee_has_it_near_the_middle_of_both() -> None:
    grid = np.linspace(0, 1, 13)
    x, y = (each.ravel() for each in np.meshgrid(grid, grid))
    r, a, b = (radius(x, 1, 2.0) + radius(y, 1, 2.0)) / 2, np.pi * x / 2, np.pi * y / 2
    points = np.stack([r * np.sin(a) * np.sin(b), r * np.sin(a) * np.cos(b), r * np.cos(a)], axis=1)
    first, knee = first_of(points, 9.5)
    assert knee
    assert (x[first], y[first]) == (pytest.approx(0.5, abs=0.09), pytest.approx(0.5, abs=0.09))
