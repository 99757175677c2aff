"""Rank correlations by hand and against SciPy, and what few candidates can prove."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.agreement import Statistic, interval, kendall, spearman, synthetic_check

figures = st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), min_size=3, max_size=12)


def test_one_exchange_of_neighbours_by_hand() -> None:
    # ranks 1 2 3 4 and 1 3 2 4: sum of squared differences 2, 1 - 6 * 2 / (4 * 15) = 0.8;
    # one of six pairs is turned: (5 - 1) / 6
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert kendall([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(4 / 6)


def test_a_side_without_differences_ranks_nothing() -> None:
    assert spearman([1, 1, 1], [1, 2, 3]) is None
    assert kendall([1, 2, 3], [5, 5, 5]) is None


@settings(deadline=None)  # the first call imports SciPy
@given(first=figures, data=st.data())
def test_both_are_those_of_scipy_with_ties(first: list[float], data: st.DataObject) -> None:
    from scipy import stats

    num = len(first)
    second = data.draw(st.lists(st.sampled_from([0.0, 0.3, 0.6]), min_size=num, max_size=num))
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert spearman(first, second) is None
        return
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert kendall(first, second) == pytest.approx(stats.kendalltau(first, second).statistic)


def test_the_interval_by_hand() -> None:
    # rho 0.6, n 12: error sqrt((1 + 0.18) / 9) = 0.3621, z 0.6931 -+ 1.96 * 0.3621
    low, high = interval("spearman", 0.6, 12, 0.95) or (0, 0)
    assert (low, high) == (pytest.approx(-0.0165, abs=1e-3), pytest.approx(0.8860, abs=1e-3))


def test_four_candidates_in_perfect_order_prove_little_and_ten_a_lot() -> None:
    few, many = interval("spearman", 1.0, 4, 0.95), interval("spearman", 1.0, 10, 0.95)
    assert few is not None
    assert many is not None
    assert few[0] < 0
    assert many[0] > 0.9
    assert few[1] == many[1] == 1.0


@given(
    value=st.floats(-1, 1), num=st.integers(5, 200), which=st.sampled_from(["spearman", "kendall"])
)  # fmt: skip
def test_an_interval_holds_its_value_and_stays_within_one(
    value: float, num: int, which: Statistic
) -> None:
    low, high = interval(which, value, num, 0.95) or (0, 0)
    assert -1 <= low <= value <= high <= 1


def test_too_few_candidates_have_no_interval_and_say_so() -> None:
    check = synthetic_check(
        {"a": (0.5, 0.6), "b": (0.7, 0.9), "c": (0.8, 0.95)},
        metric="image_auroc", num_real_defects=3, basis="synthetic",
    )  # fmt: skip
    found = check.of("spearman")
    assert (found.value, found.ci_low) == (pytest.approx(1.0), None)
    assert found.note == "no interval below 4 candidates"


def test_without_real_figures_nothing_is_claimed() -> None:
    check = synthetic_check({}, metric="m", num_real_defects=0, basis="synthetic")
    assert [a.value for a in check.agreements] == [None, None]
