"""What every metric promises, run over all of them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DataError
from components.metrics.aupro import aupro
from components.metrics.auroc import auroc
from components.metrics.average_precision import average_precision
from components.metrics.f1_max import f1_max
from components.metrics.pixel import pixel_auroc, pixel_figures
from components.metrics.ranking import UndefinedMetricError
from components.metrics.rates import tpr_at_tnr


def tpr_at_tnr_95(scores: np.ndarray, labels: np.ndarray) -> float:
    return tpr_at_tnr(scores, labels, 0.95)


ImageMetric = Callable[[np.ndarray, np.ndarray], float]
IMAGE_METRICS: list[ImageMetric] = [auroc, average_precision, f1_max, tpr_at_tnr_95]
PIXEL_METRICS = [pixel_auroc, aupro]
image_metric = pytest.mark.parametrize("metric", IMAGE_METRICS, ids=lambda m: m.__name__)
pixel_metric = pytest.mark.parametrize("metric", PIXEL_METRICS, ids=lambda m: m.__name__)

few = settings(max_examples=40, deadline=None)
# whole numbers make ties common and keep every transform below exact
scored = st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


def arrays(rows: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    scores, labels = zip(*rows, strict=True)
    return np.array(scores, float), np.array(labels, int)


@image_metric
@few
@given(rows=scored, seed=st.integers(0, 99))
def test_order_of_the_images_does_not_matter(metric: ImageMetric, rows, seed: int) -> None:
    scores, labels = arrays(rows)
    order = np.random.default_rng(seed).permutation(len(rows))
    assert metric(scores[order], labels[order]) == pytest.approx(metric(scores, labels), abs=1e-12)


@image_metric
@few
@given(rows=scored)
def test_a_rising_transform_of_the_scores_changes_nothing(metric: ImageMetric, rows) -> None:
    scores, labels = arrays(rows)
    assert metric(scores**3 + 7, labels) == metric(scores, labels)


@image_metric
@few
@given(rows=scored)
def test_a_figure_lies_between_0_and_1(metric: ImageMetric, rows) -> None:
    assert 0 <= metric(*arrays(rows)) <= 1


@image_metric
def test_perfect_separation_gives_1(metric: ImageMetric) -> None:
    assert metric(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1])) == 1


@image_metric
def test_a_nan_is_refused_and_its_index_named(metric: ImageMetric) -> None:
    with pytest.raises(DataError, match=r"E111 score 2 of 3 is NaN"):
        metric(np.array([0.1, 0.2, np.nan]), np.array([0, 1, 1]))


@image_metric
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_undefined_and_says_which_is_missing(metric: ImageMetric, label: int) -> None:
    with pytest.raises(UndefinedMetricError, match="E114") as caught:
        metric(np.array([0.1, 0.2]), np.array([label, label]))
    counts = "0 normal, 2 anomalous" if label else "2 normal, 0 anomalous"
    assert counts in caught.value.message


@image_metric
def test_lengths_that_differ_are_refused(metric: ImageMetric) -> None:
    with pytest.raises(DataError, match="E112"):
        metric(np.array([0.1, 0.2, 0.3]), np.array([0, 1]))


@image_metric
def test_a_label_that_is_no_label_is_refused(metric: ImageMetric) -> None:
    with pytest.raises(DataError, match="E112"):
        metric(np.array([0.1, 0.2, 0.3]), np.array([0, 1, 2]))


def drawn_set(seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Four maps of different sizes with whole-numbered (tied) scores, three with defects."""
    rng = np.random.default_rng(seed)
    shapes = [(5, 7), (6, 6), (4, 9), (8, 3)]
    maps = [rng.integers(0, 6, shape).astype(np.float32) for shape in shapes]
    masks = [rng.random(shape) < 0.2 for shape in shapes[:3]] + [np.zeros(shapes[3], bool)]
    masks[0][0, 0] = True
    return maps, masks


@pixel_metric
@few
@given(seed=st.integers(0, 9999))
def test_pixels_neither_order_nor_transform_matters(metric, seed: int) -> None:
    maps, masks = drawn_set(seed)
    value = metric(maps, masks)
    assert 0 <= value <= 1
    assert metric(maps[::-1], masks[::-1]) == pytest.approx(value, abs=1e-12)
    assert metric([m**3 + 1 for m in maps], masks) == pytest.approx(value, abs=1e-12)


@few
@given(seed=st.integers(0, 9999))
def test_the_shared_pass_agrees_with_each_metric_alone(seed: int) -> None:
    maps, masks = drawn_set(seed)
    flat = np.concatenate([m.ravel() for m in maps])
    truth = np.concatenate([m.ravel() for m in masks])
    figures = pixel_figures(maps, masks)
    assert figures == {
        "pixel_auroc": pytest.approx(auroc(flat, truth)),
        "pixel_ap": pytest.approx(average_precision(flat, truth)),
        "pixel_f1_max": pytest.approx(f1_max(flat, truth)),
        "aupro": aupro(maps, masks),
    }


@pixel_metric
def test_a_nan_in_a_map_is_refused_and_the_map_named(metric) -> None:
    maps, masks = drawn_set(0)
    maps[2][1, 1] = np.nan
    with pytest.raises(DataError, match="Map 2 of 4 holds a NaN"):
        metric(maps, masks)


@pixel_metric
def test_a_map_of_another_shape_than_its_mask_is_refused(metric) -> None:
    maps, masks = drawn_set(0)
    maps[1] = maps[1].T[:3]
    with pytest.raises(DataError, match=r"Map 1 has shape \(3, 6\), its mask \(6, 6\)"):
        metric(maps, masks)


@pixel_metric
@pytest.mark.parametrize("fill", [False, True])
def test_masks_of_one_kind_are_undefined(metric, fill: bool) -> None:
    maps, masks = drawn_set(0)
    with pytest.raises(UndefinedMetricError, match="E114"):
        metric(maps, [np.full_like(mask, fill) for mask in masks])
