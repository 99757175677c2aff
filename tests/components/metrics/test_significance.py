"""Welch's test, the best group of a table, and spread over seeds: by hand, scipy and paper 002."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from components.errors import DataError
from components.metrics.best_group import best_group, best_group_of
from components.metrics.seeds import Spread, spread
from components.metrics.welch import welch

few = settings(max_examples=60, deadline=None)
values = st.lists(st.integers(-1000, 1000).map(lambda i: i / 8), min_size=2, max_size=12)


def test_spread_is_the_mean_and_the_sample_standard_deviation() -> None:
    # deviations -1, 0, 1: squares sum to 2, over n - 1 = 2
    assert spread([0.5, 1.5, 2.5]) == Spread(1.5, 1.0, 3)


def test_one_seed_has_no_spread_and_says_that_it_is_one() -> None:
    assert spread([0.9]) == Spread(0.9, 0.0, 1)


def test_equal_values_spread_by_nothing_at_all_whatever_their_rounding() -> None:
    assert spread([0.1] * 7) == Spread(0.1, 0.0, 7)


@pytest.mark.parametrize("bad", [[], [0.5, math.nan], [math.inf]])
def test_a_spread_of_nothing_or_of_no_number_is_refused(bad: list[float]) -> None:
    with pytest.raises(DataError, match="E205"):
        spread(bad)


def test_welch_by_hand() -> None:
    # means 2 apart, each with standard error 1/2: t = 2 / sqrt(1/2) = 2.828, 6 degrees of freedom
    assert welch(3, 1, 4, 1, 1, 4) == pytest.approx(0.0300, abs=5e-5)


@few
@given(values, values)
def test_welch_equals_scipy(first: list[float], second: list[float]) -> None:
    a, b = spread(first), spread(second)
    if a.std == b.std == 0:
        return
    expected = stats.ttest_ind(first, second, equal_var=False).pvalue
    assert welch(a.mean, a.std, a.n, b.mean, b.std, b.n) == pytest.approx(expected, abs=1e-9)


@few
@given(values, values)
def test_welch_is_symmetric_and_has_no_unit(first: list[float], second: list[float]) -> None:
    a, b = spread(first), spread(second)
    p = welch(a.mean, a.std, a.n, b.mean, b.std, b.n)
    assert 0 <= p <= 1
    assert welch(b.mean, b.std, b.n, a.mean, a.std, a.n) == pytest.approx(p, abs=1e-12)
    scaled = welch(a.mean * 4, a.std * 4, a.n, b.mean * 4, b.std * 4, b.n)
    assert scaled == pytest.approx(p, abs=1e-12)


def test_without_any_spread_equal_means_agree_and_others_differ() -> None:
    assert welch(0.5, 0, 3, 0.5, 0, 5) == 1
    assert welch(0.5, 0, 3, 0.6, 0, 5) == 0


def test_one_group_without_spread_counts_the_others_alone() -> None:
    # a fixed value against 4 runs: a one-sample test with 3 degrees of freedom
    expected = 2 * stats.t.sf(2.0, 3)
    assert welch(1, 0, 9, 0, 1, 4) == pytest.approx(expected)


def test_tiny_spreads_do_not_vanish() -> None:
    assert welch(3e-200, 1e-200, 4, 1e-200, 1e-200, 4) == pytest.approx(0.0300, abs=5e-5)


@pytest.mark.parametrize(
    "figures", [(1, 0, 1, 1, 0, 5), (1, -1, 3, 1, 0, 5), (math.nan, 0, 3, 1, 0, 5)]
)
def test_welch_refuses_what_it_cannot_test(figures) -> None:
    with pytest.raises(DataError, match="E205 The first group"):
        welch(*figures)


def test_the_best_group_holds_the_best_and_whoever_may_be_as_good() -> None:
    groups = {"a": [0.90, 0.92, 0.94], "b": [0.89, 0.91, 0.92], "c": [0.50, 0.51, 0.52]}
    assert best_group(groups) == {"a", "b"}
    assert best_group(groups, higher_is_better=False) == {"c"}


def test_groups_of_one_run_are_best_only_with_the_best_mean() -> None:
    assert best_group({"a": [0.9], "b": [0.9], "c": [0.8999]}) == {"a", "b"}
    assert best_group({"a": [0.9], "b": [0.5, 1.0]}) == {"a"}


def test_no_groups_have_no_best() -> None:
    assert best_group({}) == frozenset()


def test_a_broken_group_is_named() -> None:
    with pytest.raises(DataError, match="E205 padim: Value 1 of 2 is nan"):
        best_group({"patchcore": [0.9, 0.8], "padim": [0.9, math.nan]})
    with pytest.raises(DataError, match="E205 padim"):
        best_group({"padim": []})
    with pytest.raises(DataError, match="level"):
        best_group({"padim": [0.5]}, alpha=0)


@few
@given(st.dictionaries(st.sampled_from("abcdef"), values, min_size=1))
def test_the_best_mean_is_always_in_and_a_stricter_level_only_adds(groups) -> None:
    loose, strict = best_group(groups, alpha=0.2), best_group(groups, alpha=0.01)
    best = max(spread(v).mean for v in groups.values())
    assert {name for name, v in groups.items() if spread(v).mean == best} <= loose
    assert loose <= strict
    assert best_group(dict(reversed(groups.items()))) == best_group(groups)
    mirrored = {name: [-v for v in found] for name, found in groups.items()}
    assert best_group(mirrored, higher_is_better=False) == best_group(groups)


# Paper 002, tables 6 and 9: mean and standard deviation of 8 experiments, in percent
WIRING_AUROC = {
    "CFlow": (46.1, 8.6),
    "DRAEM": (71.8, 2.3),
    "DSR": (75.9, 2.4),
    "EfficientAD": (79.7, 0.8),
    "PaDiM": (79.2, 1.3),
    "Patchcore": (77.2, 0.3),
}
CLIP_AUROC = {
    "CFlow": (49.3, 12.7),
    "DRAEM": (76.6, 3.6),
    "DSR": (81.1, 6.8),
    "EfficientAD": (76.8, 1.2),
    "PaDiM": (62.6, 2.0),
    "Patchcore": (73.3, 0.9),
}


@pytest.mark.parametrize(
    "table, expected",
    [
        (WIRING_AUROC, {"EfficientAD", "PaDiM"}),
        (CLIP_AUROC, {"DRAEM", "DSR", "EfficientAD"}),
    ],
)
def test_the_paper_names_the_same_best_groups(table, expected: set[str]) -> None:
    # section 5 says of both categories which methods share the best result
    printed = {name: Spread(mean, std, 8) for name, (mean, std) in table.items()}
    assert best_group_of(printed) == expected


def test_redrawn_runs_with_the_printed_spread_give_the_same_marks() -> None:
    rng = np.random.default_rng(0)
    groups = {}
    for name, (mean, std) in CLIP_AUROC.items():
        drawn = rng.standard_normal(8)
        groups[name] = list(mean + std * (drawn - drawn.mean()) / drawn.std(ddof=1))
    assert best_group(groups) == {"DRAEM", "DSR", "EfficientAD"}
