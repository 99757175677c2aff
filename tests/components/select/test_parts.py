"""Normalisation, front, knee and trade-off, each by hand."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from components.select.front import on_front
from components.select.knee import extreme_plane_distance, plane_distance, tchebycheff, tradeoff
from components.select.normalise import levels, scaled, to_unit, weights
from components.select.params import Criterion, Limit, SelectionParams

AUROC = Criterion(name="auroc", goal="max", aspiration=1.0, reservation=0.8)
TIME = Criterion(name="time", goal="min", aspiration=10, reservation=1000, log=True)
EVEN = np.ones(2)


def unit(*rows: tuple[float, float]) -> np.ndarray:
    return to_unit(scaled(np.array(rows), (AUROC, TIME)), *levels((AUROC, TIME)))


def test_levels_are_0_and_1_and_a_time_is_compared_by_ratio() -> None:
    assert unit((1.0, 10), (0.8, 1000), (0.9, 100)) == pytest.approx(
        np.array([[0, 0], [1, 1], [0.5, 0.5]])
    )


def test_nothing_is_gained_beyond_the_aspiration() -> None:
    assert unit((1.0, 1))[0, 1] == pytest.approx(0, abs=1e-6)


def test_weights_have_mean_1() -> None:
    doubled = TIME.model_copy(update={"weight": 3.0})
    assert weights((AUROC, doubled)) == pytest.approx([0.5, 1.5])


def test_a_row_is_on_the_front_unless_another_is_better_and_nowhere_worse() -> None:
    costs = np.array([[1.0, 4], [2, 2], [3, 3], [4, 1], [1, 4]])
    assert on_front(costs).tolist() == [True, True, False, True, True]


@settings(max_examples=50, deadline=None)
@given(cells=st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12))
def test_the_front_equals_its_definition(cells) -> None:
    def beats(a, b) -> bool:
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    expected = [not any(beats(other, own) for other in cells) for own in cells]
    assert on_front(np.array(cells, float)).tolist() == expected


def test_distance_below_the_plane_is_positive_towards_the_aspiration() -> None:
    rows = np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]])
    assert plane_distance(rows, EVEN) == pytest.approx([1 / np.sqrt(2), 0, -1 / np.sqrt(2)])


def test_tchebycheff_takes_the_worst_criterion_and_a_little_of_all() -> None:
    assert tchebycheff(np.array([[0.4, 0.2]]), EVEN) == pytest.approx([-(0.4 + 0.05 * 0.6)])


def test_the_extreme_plane_equals_the_unit_plane_where_the_extremes_are_the_unit_points() -> None:
    rows = np.array([[0.0, 1.0], [0.3, 0.3], [1.0, 0.0]])
    assert extreme_plane_distance(rows) == pytest.approx(plane_distance(rows, EVEN))


def test_extremes_that_are_one_row_span_no_plane() -> None:
    assert extreme_plane_distance(np.array([[0.1, 0.2], [0.3, 0.9]])) is None


def test_a_plane_through_nearly_one_point_is_refused() -> None:
    assert extreme_plane_distance(np.array([[0.5, 0.5001], [0.5001, 0.5]])) is None
    assert extreme_plane_distance(np.array([[0.5, 0.8], [0.8, 0.5]])) is not None


def test_a_plane_with_a_negative_intercept_is_refused() -> None:
    # well conditioned, yet 1 / intercepts are (-0.045, 1.071, 0.670)
    rows = np.array([[0.7, 0.9, 0.1], [0.7, 0.4, 0.9], [1.0, 0.6, 0.6]])
    assert on_front(rows).all()
    assert extreme_plane_distance(rows) is None


def test_leaving_a_knee_costs_more_than_it_gains() -> None:
    rows = np.array([[0.0, 1.0], [0.1, 0.1], [1.0, 0.0]])
    sacrifice = tradeoff(rows)
    assert sacrifice[1] == pytest.approx(9)  # gains 0.1, gives 0.9
    assert sacrifice[0] == pytest.approx(1 / 9)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"goal": "max", "aspiration": 0.8, "reservation": 1.0}, "must be better than"),
        ({"goal": "min", "aspiration": 5, "reservation": 5}, "must be better than"),
        ({"goal": "min", "aspiration": 0, "reservation": 5, "log": True}, "above 0"),
        ({"goal": "min", "aspiration": 1, "reservation": 5, "weight": 0}, "greater than 0"),
    ],
)
def test_a_criterion_that_cannot_be_meant_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Criterion(name="x", **fields)


def test_a_limit_needs_a_bound() -> None:
    with pytest.raises(ValidationError, match="needs min or max"):
        Limit(name="x")
    with pytest.raises(ValidationError, match="above max"):
        Limit(name="x", min=2, max=1)


def test_a_criterion_named_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="named twice: auroc"):
        SelectionParams(criteria=(AUROC, AUROC))


def test_loading_params_imports_nothing_heavy() -> None:
    heavy = {"torch", "scipy", "optuna"}
    code = f"import sys, components.select; print(sorted({heavy} & set(sys.modules)))"
    root = Path(__file__).parents[3]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert told.stdout.strip() == "[]", told.stderr


def test_the_front_of_many_rows_is_that_of_its_definition() -> None:
    cells = np.random.default_rng(0).integers(0, 30, (400, 3)).astype(float)
    beaten = [((cells <= own).all(axis=1) & (cells < own).any(axis=1)).any() for own in cells]
    assert on_front(cells).tolist() == [not each for each in beaten]
