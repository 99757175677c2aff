"""Thresholds from normals: exact, tie-proof, and honest about few normals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.calibrate import calibrate, threshold_at_fpr
from components.errors import DataError

RATES = {"deployed_fpr": 0.1, "declared_fprs": (0.01, 0.1)}

scores_of_normals = st.lists(st.integers(-50, 50), min_size=1, max_size=120)
rates = st.sampled_from([0.01, 0.05, 0.07, 0.1, 0.29, 0.3, 0.5, 0.9])


def share_stopped(scores: list[float] | np.ndarray, threshold: float) -> float:
    return float((np.asarray(scores) >= threshold).mean())


def test_one_of_ten_may_be_stopped_at_ten_percent() -> None:
    threshold = threshold_at_fpr(np.arange(10.0), 0.1)
    assert 8 < threshold < 8.001
    assert share_stopped(np.arange(10.0), threshold) == 0.1


def test_a_tie_at_the_edge_is_stopped_whole_or_not_at_all() -> None:
    # 3 of 10 share the highest score: at 20 % none of them may be stopped
    scores = [1, 2, 3, 4, 5, 6, 7, 9, 9, 9]
    assert threshold_at_fpr(scores, 0.2) > 9
    assert share_stopped(scores, threshold_at_fpr(scores, 0.3)) == 0.3


@settings(max_examples=200, deadline=None)
@given(scores=scores_of_normals, fpr=rates, divisor=st.sampled_from([1, 7]))
def test_the_share_holds_and_no_smaller_threshold_would_do(scores, fpr: float, divisor) -> None:
    array = np.array(scores) / divisor
    threshold = threshold_at_fpr(array, fpr)
    assert share_stopped(array, threshold) <= fpr
    just_below = array[array < threshold].max()
    assert threshold <= np.nextafter(np.float32(just_below), np.float32(np.inf))
    assert share_stopped(array, just_below) > fpr


@settings(max_examples=60, deadline=None)
@given(scores=scores_of_normals, seed=st.integers(0, 99), fpr=rates)
def test_order_does_not_matter(scores, seed: int, fpr: float) -> None:
    shuffled = np.random.default_rng(seed).permutation(scores)
    assert threshold_at_fpr(shuffled, fpr) == threshold_at_fpr(scores, fpr)


def test_float32_scores_decide_alike_in_either_precision() -> None:
    scores = np.random.default_rng(0).random(40).astype(np.float32)
    threshold = threshold_at_fpr(scores, 0.05)
    in_double = (scores.astype(np.float64) >= threshold).sum()
    assert (scores >= np.float32(threshold)).sum() == in_double == 2


def test_the_calibration_keeps_every_declared_rate() -> None:
    scores = np.arange(200.0)
    result = calibrate(scores, scores * 2, **RATES, split="tune")
    assert result.by_fpr == {
        "0.01": threshold_at_fpr(scores, 0.01),
        "0.1": threshold_at_fpr(scores, 0.1),
    }
    assert result.image_threshold == result.by_fpr["0.1"]
    assert result.pixel_threshold == threshold_at_fpr(scores * 2, 0.1)
    assert result.rule == "fpr<=0.1 on 200 held-out normals"
    assert (result.split, result.num_scores, result.fpr) == ("tune", 200, 0.1)


def test_too_few_normals_give_the_maximum_and_say_so() -> None:
    result = calibrate(np.arange(20.0), np.arange(20.0), **RATES, split="tune")
    assert 19 < result.by_fpr["0.01"] < 19.001
    assert "20 normals are too few to resolve fpr 0.01 (needs 100)" in result.rule


def test_the_rule_says_that_scores_were_cross_fitted() -> None:
    result = calibrate(np.arange(200.0), [1.0], **RATES, split="fit+tune", folds=3)
    assert result.rule == "fpr<=0.1 on 200 normals cross-fitted in 3 folds"
    assert result.cross_fit_folds == 3


@pytest.mark.parametrize(
    "scores, message", [([], "No normal scores"), ([1, np.nan], "NaN"), ([1, np.inf], "infinite")]
)
def test_scores_that_set_no_threshold_are_refused(scores, message: str) -> None:
    with pytest.raises(DataError, match=message):
        threshold_at_fpr(scores, 0.05)


@pytest.mark.parametrize("fpr", [0.0, 1.0, -0.1])
def test_an_impossible_rate_is_refused(fpr: float) -> None:
    with pytest.raises(DataError, match="E113"):
        threshold_at_fpr([1.0, 2.0], fpr)
