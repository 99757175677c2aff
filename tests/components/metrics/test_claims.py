"""What inspected parts allow one to claim, and thresholds that move to a test set."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from components.calibrate import threshold_at_fpr
from components.errors import DataError
from components.metrics.evidence import escape_upper_bound, needed_sentence, parts_needed
from components.metrics.operating_point import operating_point
from components.metrics.ranking import UndefinedMetricError
from components.metrics.transfer import FPRS, threshold_transfer

few = settings(max_examples=60, deadline=None)
counts = st.tuples(st.integers(0, 30), st.integers(0, 200)).map(lambda c: (c[0], sum(c)))


def test_59_parts_without_an_escape_prove_5_percent() -> None:
    # 0.95^59 = 0.0485 is below 0.05, 0.95^58 = 0.0510 is not
    assert escape_upper_bound(0, 59) < 0.05 < escape_upper_bound(0, 58)
    assert parts_needed(0, 0, 0.05) == 59
    assert parts_needed(0, 40, 0.05) == 19


def test_no_part_proves_nothing_and_all_missed_proves_nothing_good() -> None:
    assert escape_upper_bound(0, 0) == 1
    assert escape_upper_bound(7, 7) == 1


@few
@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_bound_is_the_binomial_one(seen: tuple[int, int], confidence: float) -> None:
    missed, total = seen
    bound = escape_upper_bound(missed, total, confidence)
    assert missed / max(total, 1) <= bound <= 1
    if missed < total:
        # at the bound so few escapes have exactly the probability 1 - confidence
        assert stats.binom.cdf(missed, total, bound) == pytest.approx(1 - confidence)
        test = stats.binomtest(missed, total, alternative="less")
        assert bound == pytest.approx(test.proportion_ci(confidence, "exact").high)


@few
@given(counts, st.sampled_from([0.02, 0.1, 0.5]))
def test_the_need_is_the_smallest_that_suffices(seen: tuple[int, int], claim: float) -> None:
    missed, total = seen
    more = parts_needed(missed, total, claim)
    assert escape_upper_bound(missed, total + more) <= claim
    assert more == 0 or escape_upper_bound(missed, total + more - 1) > claim


def test_the_sentence_says_what_is_shown_and_what_is_missing() -> None:
    assert needed_sentence(0, 40, 0.05) == (
        "0 of 40 defective parts escaped: at most 7.22 % escapes may be claimed at 95 % "
        "confidence; you need 19 more defective parts, all caught, to claim 5 %."
    )
    assert "you need 1 more defective part," in needed_sentence(0, 58, 0.05)
    assert needed_sentence(0, 59, 0.05).endswith("within the 5 % asked for.")


@pytest.mark.parametrize("missed, total, confidence", [(3, 2, 0.95), (-1, 2, 0.95), (0, 5, 1.0)])
def test_an_impossible_count_is_refused(missed: int, total: int, confidence: float) -> None:
    with pytest.raises(DataError, match="E206"):
        escape_upper_bound(missed, total, confidence)


@pytest.mark.parametrize("claim", [0, 1, -0.1, 1e-12])
def test_a_claim_that_no_number_of_parts_can_make_is_refused(claim: float) -> None:
    with pytest.raises(DataError, match="E206 A claim"):
        parts_needed(0, 10, claim)


SCORES = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
LABELS = [1, 0, 1, 1, 0, 0]


def test_a_threshold_counts_the_four_outcomes_and_itself_is_anomalous() -> None:
    point = operating_point(SCORES, LABELS, 0.7)
    outcomes = (point.num_caught, point.num_missed, point.num_overkill, point.num_passed)
    assert outcomes == (2, 1, 1, 2)
    assert point.tpr == point.recall == pytest.approx(2 / 3)
    assert point.fnr == pytest.approx(1 / 3)
    assert point.fpr == pytest.approx(1 / 3)
    assert point.precision == pytest.approx(2 / 3)
    assert point.accuracy == pytest.approx(4 / 6)


def test_a_threshold_above_all_scores_has_no_precision() -> None:
    point = operating_point(SCORES, LABELS, 1.0)
    assert point.precision is None
    assert (point.tpr, point.fpr, point.accuracy) == (0, 0, 0.5)


def test_rates_of_one_class_are_undefined() -> None:
    with pytest.raises(UndefinedMetricError, match="E114"):
        operating_point([0.1, 0.2], [0, 0], 0.1)


def test_a_declared_rate_of_training_normals_is_held_against_the_test_set() -> None:
    normals = [i / 100 for i in range(100)]  # at most 1, 5, 10 of them may be stopped
    thresholds = {f"{fpr:g}": threshold_at_fpr(normals, fpr) for fpr in FPRS}
    moved = threshold_transfer(thresholds, [0.5, 0.92, 0.97, 0.95, 0.99, 0.2], [0, 0, 0, 1, 1, 1])
    assert list(moved) == ["0.01", "0.05", "0.1"]
    # thresholds just above 0.98, 0.94 and 0.89
    assert [p.fpr for p in moved.values()] == pytest.approx([0, 1 / 3, 2 / 3])
    assert [p.tpr for p in moved.values()] == pytest.approx([1 / 3, 2 / 3, 2 / 3])
