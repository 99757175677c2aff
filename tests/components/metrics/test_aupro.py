"""AUPRO by hand, against its definition, and against anomalib."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from components.errors import DataError
from components.metrics.aupro import aupro


def from_the_definition(maps: list, masks: list, limit: float) -> float:
    """Threshold by threshold, region by region, with a trapezoid cut at the limit."""
    regions = []
    for index, mask in enumerate(masks):
        labels, num = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [(index, labels == k) for k in range(1, num + 1)]
    normal = np.concatenate([m[~mask] for m, mask in zip(maps, masks, strict=True)])
    points = [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate([m.ravel() for m in maps]))[::-1]:
        overlap = np.mean([(maps[i][region] >= threshold).mean() for i, region in regions])
        points.append(((normal >= threshold).mean(), overlap))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 >= limit or x1 == x0:
            continue
        end = min(x1, limit)
        at_end = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
        area += (end - x0) * (y0 + at_end) / 2
    return area / limit


def test_a_region_found_before_any_false_alarm_counts_whole() -> None:
    scores = np.array([[9.0, 8.0, 1.0, 2.0]])
    assert aupro([scores], [np.array([[1, 1, 0, 0]])]) == pytest.approx(1.0)


def test_regions_weigh_the_same_whatever_their_size() -> None:
    # a region of 1 pixel found first, one of 3 pixels found last: half of the overlap
    mask = np.array([[1, 0, 0, 0, 0, 1, 1, 1]])
    scores = np.array([[9.0, 5.0, 5.1, 5.2, 5.3, 1.0, 1.0, 1.0]])
    assert aupro([scores], [mask], limit=1.0) == pytest.approx(0.5)


def test_pixels_touching_at_a_corner_are_one_region() -> None:
    # diagonal pair = one region of 2, half found first; the far pixel = another, found first
    mask = np.array([[1, 0, 0, 0], [0, 1, 0, 1]])
    scores = np.array([[9.0, 2.0, 3.0, 4.0], [1.0, 0.0, 5.0, 9.0]])
    assert aupro([scores], [mask], limit=1.0) == pytest.approx(0.75)


def test_a_tie_is_crossed_in_a_straight_line_and_cut_at_the_limit() -> None:
    # one score for all: the curve is the diagonal, whose mean up to 0.3 is 0.15
    assert aupro([np.ones((4, 5))], [np.eye(4, 5)]) == pytest.approx(0.15)


@pytest.mark.parametrize("limit", [0.0, 1.5, -0.3])
def test_a_limit_outside_0_to_1_is_refused(limit: float) -> None:
    with pytest.raises(DataError, match="AUPRO limit"):
        aupro([np.array([[1.0, 2.0]])], [np.array([[0, 1]])], limit)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9999),
    levels=st.sampled_from([2, 5, 1000]),
    limit=st.sampled_from([0.05, 0.3, 1.0]),
)
def test_it_equals_the_definition(seed: int, levels: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    masks = [rng.random((7, 8)) < share for share in (0.0, 0.1, 0.3)]
    masks[1][2, 2] = True
    maps = [rng.integers(0, levels, (7, 8)) + mask * levels / 3 for mask in masks]
    expected = from_the_definition(maps, masks, limit)
    assert aupro(maps, masks, limit) == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_it_equals_anomalib() -> None:
    torch = pytest.importorskip("torch")
    anomalib = pytest.importorskip("anomalib.metrics.aupro")
    rng = np.random.default_rng(5)
    masks = np.zeros((3, 40, 40), bool)
    masks[0, 5:12, 5:20], masks[1, 30:35, 2:9], masks[1, 3:5, 3:5] = True, True, True
    maps = (rng.random((3, 40, 40)) + 0.5 * masks).astype(np.float32)
    metric = anomalib._AUPRO(fpr_limit=0.3)
    metric.update(torch.from_numpy(maps), torch.from_numpy(masks.astype(int)))
    assert aupro(list(maps), list(masks)) == pytest.approx(float(metric.compute()), abs=2e-4)
