"""What would change the answer: each printed number flips it, one just short of it does not."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.select import Criterion, Limit, Row, SelectionParams, decide
from components.select.flips import first_flip, outward

AUROC = Criterion(name="auroc", goal="max", aspiration=1.0, reservation=0.8)
TIME = Criterion(name="time", goal="min", aspiration=0, reservation=100)
PARAMS = SelectionParams(criteria=(AUROC, TIME), num_draws=20)


def row(name: str, auroc: float, time: float) -> Row:
    return Row(name, {"auroc": (auroc,), "time": (time,)})


# unit sums: fast 0.9 + 0.1 = 1.0, knee 0.2 + 0.4 = 0.6, exact 0.1 + 0.6 = 0.7
ROWS = [row("fast", 0.82, 10), row("knee", 0.96, 40), row("exact", 0.98, 60)]


def leader(rows: list[Row] = ROWS, params: SelectionParams = PARAMS) -> str:
    return decide(rows, params).ranking[0].name


def told(rows: list[Row] = ROWS, params: SelectionParams = PARAMS, start: str = "") -> list[str]:
    return [words for words in decide(rows, params).would_change if start in words]


def test_the_smallest_change_of_a_weight_is_exact() -> None:
    # w 0.2 + 0.4 = w 0.1 + 0.6 at w = 2
    (words,) = told(start="times the weight")
    found = re.fullmatch(r"With (.*) times the weight on (\w+), (\w+) comes first\.", words)
    assert found is not None
    factor, name, other = found.groups()
    assert (name, other) == ("auroc", "exact")
    assert float(factor) == pytest.approx(2, abs=0.011)
    heavier = AUROC.model_copy(update={"weight": float(factor)})
    assert leader(params=PARAMS.model_copy(update={"criteria": (heavier, TIME)})) == "exact"
    lighter = AUROC.model_copy(update={"weight": 1.98})
    assert leader(params=PARAMS.model_copy(update={"criteria": (lighter, TIME)})) == "knee"


def test_the_smallest_worsening_of_the_first_is_exact() -> None:
    # it leads by 0.1: 10 of the time's 100, or 0.02 of AUROC's 0.2
    (words,) = told(start="give way")
    found = re.fullmatch(
        r"With (\w+) at (.*) instead of (.*), knee would give way to exact\.", words
    )
    assert found is not None
    name, level, _ = found.groups()
    limit = {"time": 50.0, "auroc": 0.94}[name]
    assert float(level) == pytest.approx(limit, rel=2e-3)
    worse = replace(ROWS[1], values=ROWS[1].values | {name: (float(level),)})
    assert leader([ROWS[0], worse, ROWS[2]]) == "exact"


def test_the_smallest_improvement_of_a_rival_is_exact() -> None:
    (words,) = told(start="would come first")
    found = re.fullmatch(r"With (\w+) at (.*) instead of (.*), exact would come first\.", words)
    assert found is not None
    name, level, now = found.groups()
    assert float(level) == pytest.approx({"time": 50.0, "auroc": 1.0}[name], rel=2e-3)
    assert float(now) == {"time": 60.0, "auroc": 0.98}[name]


def test_a_limit_says_where_it_rejects_the_first_and_who_follows() -> None:
    limited = PARAMS.model_copy(update={"limits": (Limit(name="time", max=90),)})
    assert told(params=limited, start="A limit of") == [
        "A limit of time below 40 would reject knee. Then fast comes first."
    ]


def test_a_limit_says_how_far_it_must_be_loosened_for_another_to_come_first() -> None:
    limited = PARAMS.model_copy(update={"limits": (Limit(name="time", max=30),)})
    assert leader(params=limited) == "fast"
    (words,) = told(params=limited, start="allowed")
    assert words == "With time allowed up to 40 (limit 30), knee comes first."
    looser = PARAMS.model_copy(update={"limits": (Limit(name="time", max=40),)})
    assert leader(params=looser) == "knee"


def test_a_limit_that_keeps_nobody_from_winning_is_said_too() -> None:
    limited = PARAMS.model_copy(update={"limits": (Limit(name="time", max=50),)})
    assert told(params=limited, start="alone") == [
        "The limit of time alone keeps out exact. None would come first."
    ]


def test_where_nothing_is_left_the_limit_that_lets_one_in_is_named() -> None:
    limited = PARAMS.model_copy(update={"limits": (Limit(name="auroc", min=0.99),)})
    assert decide(ROWS, limited).would_change == (
        "With auroc allowed down to 0.98 (limit 0.99), exact comes first.",
    )


def test_where_two_limits_keep_everybody_out_no_single_one_is_blamed() -> None:
    limits = (Limit(name="auroc", min=0.99), Limit(name="time", max=1))
    decision = decide(ROWS, PARAMS.model_copy(update={"limits": limits}))
    assert decision.would_change == ("A better candidate: no single limit keeps the others out.",)


def test_a_figure_that_meets_its_limit_first_flips_there() -> None:
    limited = PARAMS.model_copy(update={"limits": (Limit(name="auroc", min=0.955),)})
    (words,) = told(params=limited, start="give way")
    assert "auroc at 0.954" in words
    assert words.endswith("knee would give way to exact.")


def test_a_single_criterion_has_no_weight_to_move() -> None:
    alone = PARAMS.model_copy(update={"criteria": (TIME,)})
    assert told(params=alone, start="weight") == []


@given(st.floats(0.01, 0.99))
def test_the_first_flip_is_found_to_a_billionth(boundary: float) -> None:
    found = first_flip(lambda step: step >= boundary, 1.0)
    assert found == pytest.approx(boundary, abs=1e-9)
    assert found is not None and found >= boundary


def test_of_two_flips_the_first_is_found() -> None:
    assert first_flip(lambda x: 0.2 <= x <= 0.3 or x > 0.9, 1.0) == pytest.approx(0.2)
    assert first_flip(lambda _: False, 1.0) is None


@given(st.floats(-1e6, 1e6).filter(lambda v: abs(v) > 1e-9), st.booleans())
def test_a_level_is_rounded_away_and_never_nearer(value: float, up: bool) -> None:
    rounded = outward(value, up=up)
    assert rounded >= value if up else rounded <= value
    assert rounded == pytest.approx(value, rel=2e-3)
    assert float(f"{rounded:.4g}") == rounded
