"""Bootstrap intervals: what they cover, and that a resample is what it says."""

import time

import numpy as np
import pytest

from components.metrics.auroc import auroc, auroc_of
from components.metrics.average_precision import average_precision, average_precision_of
from components.metrics.f1_max import f1_max, f1_max_of
from components.metrics.intervals import bootstrap, bootstrap_mean, draws, paired_bootstrap
from components.metrics.ranking import rank_resampled
from components.metrics.rates import tpr_at_tnr, tpr_at_tnr_of


def scored(num: int, shift: float = 0.3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(num) % 2
    return (rng.random(num) + shift * labels).round(2), labels


def test_every_resample_keeps_the_number_of_each_class() -> None:
    positive = np.array([True, False, False, True, False])
    counts = np.concatenate(list(draws(positive, 50, np.random.default_rng(0))))
    assert counts.shape == (50, 5)
    assert (counts[:, positive].sum(axis=1) == 2).all()
    assert (counts[:, ~positive].sum(axis=1) == 3).all()


@pytest.mark.parametrize(
    "read, metric",
    [
        (auroc_of, auroc),
        (average_precision_of, average_precision),
        (f1_max_of, f1_max),
        (lambda r: tpr_at_tnr_of(r, 0.9), lambda s, y: tpr_at_tnr(s, y, 0.9)),
    ],
)
def test_a_vectorised_resample_equals_the_metric_of_the_repeated_images(read, metric) -> None:
    scores, labels = scored(40)
    counts = next(draws(labels == 1, 12, np.random.default_rng(1)))
    expected = [metric(np.repeat(scores, row), np.repeat(labels, row)) for row in counts]
    assert read(rank_resampled(scores, labels == 1, counts)) == pytest.approx(expected)


def test_the_interval_holds_the_figure_and_narrows_with_more_images() -> None:
    low, high = bootstrap(auroc_of, *scored(60), num=400)
    assert low < auroc(*scored(60)) < high
    narrow = bootstrap(auroc_of, *scored(600), num=400)
    assert narrow[1] - narrow[0] < (high - low) / 2


def test_about_95_percent_of_the_intervals_hold_the_truth() -> None:
    # two uniform scores, one shifted by 0.3: AUROC = 1 - 0.7^2 / 2 = 0.755
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        labels = np.arange(120) % 2
        low, high = bootstrap(auroc_of, rng.random(120) + 0.3 * labels, labels, num=200)
        held += low <= 0.755 <= high
    assert 87 <= held <= 100


def test_the_same_seed_gives_the_same_interval() -> None:
    assert bootstrap(auroc_of, *scored(50), seed=4) == bootstrap(auroc_of, *scored(50), seed=4)
    assert bootstrap(auroc_of, *scored(50), seed=4) != bootstrap(auroc_of, *scored(50), seed=5)


def test_a_detector_against_itself_differs_by_exactly_nothing() -> None:
    scores, labels = scored(50)
    assert paired_bootstrap(auroc_of, scores, scores, labels, num=100) == (0, 0)


def test_pairing_sees_a_small_difference_that_separate_intervals_do_not() -> None:
    scores, labels = scored(200)
    better = scores + 0.02 * labels
    low, high = paired_bootstrap(auroc_of, scores, better, labels)
    assert 0 < low < high
    assert bootstrap(auroc_of, scores, labels)[1] > bootstrap(auroc_of, better, labels)[0]


def test_the_mean_of_a_rate_has_the_binomial_spread() -> None:
    values = np.r_[np.ones(30), np.zeros(70)]
    low, high = bootstrap_mean(values, num=2000)
    assert (high - low) == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 100), rel=0.1)


def test_a_thousand_resamples_of_500_images_take_less_than_half_a_second() -> None:
    scores, labels = scored(500)
    started = time.process_time()
    bootstrap(auroc_of, scores, labels, num=1000)
    assert time.process_time() - started < 0.5
