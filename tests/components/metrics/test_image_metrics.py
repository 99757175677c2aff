"""Image-level figures by hand and against scikit-learn and torchmetrics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from components.errors import DataError
from components.metrics.auroc import auroc
from components.metrics.average_precision import average_precision
from components.metrics.f1_max import f1_max
from components.metrics.ranking import UndefinedMetricError
from components.metrics.rates import clopper_pearson, escape_rate, overkill_rate, tpr_at_tnr

SCORES = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
LABELS = [1, 0, 1, 1, 0, 0]

rows = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=60).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


def test_auroc_counts_the_pairs_in_the_right_order() -> None:
    # 3 x 3 pairs: 0.9 beats all three normals, 0.7 and 0.6 two each
    assert auroc(SCORES, LABELS) == pytest.approx(7 / 9)


def test_auroc_of_equal_scores_is_one_half() -> None:
    assert auroc([1, 1, 1, 1], [0, 1, 0, 1]) == 0.5


def test_average_precision_averages_precision_at_each_hit() -> None:
    assert average_precision(SCORES, LABELS) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_f1_max_takes_the_best_threshold() -> None:
    # at 0.6: three hits among four calls
    assert f1_max(SCORES, LABELS) == pytest.approx(6 / 7)


def test_tpr_at_tnr_keeps_to_the_allowed_false_alarms() -> None:
    assert tpr_at_tnr(SCORES, LABELS, 0.99) == pytest.approx(1 / 3)
    assert tpr_at_tnr(SCORES, LABELS, 2 / 3) == pytest.approx(1.0)


def test_tpr_is_0_where_a_normal_image_scores_highest() -> None:
    assert tpr_at_tnr([0.2, 0.9], [1, 0], 0.95) == 0


def test_a_score_on_the_threshold_is_anomalous() -> None:
    assert escape_rate([0.5, 0.4], [1, 1], 0.5) == 0.5
    assert overkill_rate([0.5, 0.4], [0, 0], 0.5) == 0.5


def test_a_rate_of_nothing_is_undefined() -> None:
    with pytest.raises(UndefinedMetricError, match="No anomalous image"):
        escape_rate([0.5], [0], 0.5)
    with pytest.raises(UndefinedMetricError, match="No normal image"):
        overkill_rate([0.5], [1], 0.5)


def test_clopper_pearson_gives_the_textbook_interval() -> None:
    assert clopper_pearson(1, 10) == pytest.approx((0.00253, 0.44502), abs=1e-5)


def test_no_escape_among_59_parts_proves_less_than_five_percent_one_sided() -> None:
    low, high = clopper_pearson(0, 59, confidence=0.9)
    assert low == 0
    assert high == pytest.approx(1 - 0.05 ** (1 / 59))


@pytest.mark.parametrize("k, n", [(3, 2), (-1, 2), (0, 0)])
def test_an_impossible_count_is_refused(k: int, n: int) -> None:
    with pytest.raises(DataError, match="no proportion"):
        clopper_pearson(k, n)


@settings(max_examples=80, deadline=None)
@given(pairs=rows)
def test_figures_equal_scikit_learn_ties_included(pairs) -> None:
    scores, labels = (np.array(column) for column in zip(*pairs, strict=True))
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    reference = average_precision_score(labels, scores)
    assert average_precision(scores, labels) == pytest.approx(reference, abs=1e-12)
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert f1_max(scores, labels) == pytest.approx(f1.max(), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(pairs=rows, tnr=st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 1.0]))
def test_tpr_at_tnr_equals_a_search_over_thresholds(pairs, tnr: float) -> None:
    scores, labels = (np.array(column) for column in zip(*pairs, strict=True))
    rates = [
        (scores[labels == 1] >= t).mean()
        for t in (*np.unique(scores), np.inf)
        if (scores[labels == 0] < t).mean() >= tnr - 1e-12
    ]
    assert tpr_at_tnr(scores, labels, tnr) == pytest.approx(max(rates))


def test_auroc_and_average_precision_equal_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 300)
    scores = (rng.random(300) + 0.4 * labels).round(2).astype(np.float32) / 2
    at, bt = torch.from_numpy(scores), torch.from_numpy(labels)
    assert auroc(scores, labels) == pytest.approx(float(functional.binary_auroc(at, bt)), abs=1e-6)
    reference = float(functional.binary_average_precision(at, bt))
    assert average_precision(scores, labels) == pytest.approx(reference, abs=1e-6)
