"""AUsPRO by hand and against its definition, threshold by threshold."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import DataError
from components.metrics.aupro import aupro
from components.metrics.auspro import auspro
from components.metrics.ranking import UndefinedMetricError
from components.metrics.regions import Region

few = settings(max_examples=40, deadline=None)


def region(mask: list | np.ndarray, saturation_px: int) -> Region:
    return Region(np.array(mask, bool), saturation_px)


def from_the_definition(maps: list, truths: list, limit: float) -> float:
    """One point a threshold, by ``score > threshold``; straight lines between; cut at the limit."""
    normal = np.concatenate(
        [
            m[~np.any([np.zeros(m.shape, bool), *(one.mask for one in regions)], axis=0)]
            for m, regions in zip(maps, truths, strict=True)
        ]
    )
    points = []
    for threshold in [*np.unique(np.concatenate([m.ravel() for m in maps]))[::-1], -np.inf]:
        overlaps = [
            min(1.0, np.count_nonzero((m > threshold) & one.mask) / one.saturation_px)
            for m, regions in zip(maps, truths, strict=True)
            for one in regions
        ]
        points.append((np.mean(normal > threshold), np.mean(overlaps)))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 < limit and x1 > x0:
            end = min(x1, limit)
            at_end = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
            area += (end - x0) * (y0 + at_end) / 2
    return area / limit


def drawn(seed: int, levels: int) -> tuple[list[np.ndarray], list[list[Region]]]:
    """Three maps, of 0, 1 and 3 regions that may overlap, with scores of so many levels."""
    rng = np.random.default_rng(seed)
    maps, truths = [], []
    for num in (0, 1, 3):
        masks = [rng.random((6, 7)) < 0.15 for _ in range(num)]
        for mask in masks:
            mask[rng.integers(6), rng.integers(7)] = True
        truths.append([Region(mask, int(rng.integers(1, mask.sum() + 1))) for mask in masks])
        lift = np.sum(masks, axis=0) * levels // 3 if masks else 0
        maps.append((rng.integers(0, levels, (6, 7)) + lift).astype(np.float64))
    return maps, truths


def test_a_relative_saturation_of_one_half_asks_for_half_the_pixels() -> None:
    # 4 defective pixels, s = int(0.5 * 4) = 2: whole after two, one normal pixel of two comes
    # between them. Curve (0, 1/2) to (1/2, 1/2), up to 1, (1, 1): area 1/4 + 1/2
    scores = np.array([[9.0, 7.0, 2.0, 1.0, 8.0, 0.0]])
    truth = [region([[1, 1, 1, 1, 0, 0]], 2)]
    assert auspro([scores], [truth], limit=1.0) == pytest.approx(0.75)
    assert auspro([scores], [truth], limit=0.5) == pytest.approx(0.5)


def test_an_absolute_saturation_of_one_pixel_is_met_by_the_best_pixel() -> None:
    scores = np.array([[9.0, 0.0, 0.0, 8.0, 7.0]])
    assert auspro([scores], [[region([[1, 1, 1, 0, 0]], 1)]], limit=1.0) == pytest.approx(1.0)


def test_a_saturation_above_the_area_counts_as_the_area() -> None:
    scores = np.array([[9.0, 8.0, 1.0]])
    assert auspro([scores], [[region([[1, 1, 0]], 50)]], limit=0.05) == pytest.approx(1.0)


def test_a_one_pixel_instance_weighs_as_much_as_a_large_one() -> None:
    # the single pixel comes first, the three others after both normal pixels
    scores = np.array([[9.0, 1.0, 2.0, 3.0, 5.0, 6.0]])
    truth = [region([[1, 0, 0, 0, 0, 0]], 1), region([[0, 1, 1, 1, 0, 0]], 3)]
    assert auspro([scores], [truth], limit=1.0) == pytest.approx(0.5)


def test_a_pixel_of_two_overlapping_instances_lifts_both() -> None:
    # the shared pixel comes first: half of each; the normal pixel; then the two others
    scores = np.array([[1.0, 9.0, 2.0, 5.0]])
    truth = [region([[1, 1, 0, 0]], 2), region([[0, 1, 1, 0]], 2)]
    assert auspro([scores], [truth], limit=1.0) == pytest.approx(0.5)
    assert aupro([scores], [np.array([[1, 1, 1, 0]])], 1.0) == pytest.approx(1 / 3)


def test_a_tie_of_defective_and_normal_pixels_is_crossed_in_a_straight_line() -> None:
    # 8.0 is shared by one defective pixel and two of four normal ones: the curve rises from
    # (0, 1/2) to (1/2, 1); at 1/4 it stands at 3/4
    scores = np.array([[9.0, 8.0, 8.0, 8.0, 1.0, 0.0]])
    truth = [region([[1, 1, 0, 0, 0, 0]], 2)]
    assert auspro([scores], [truth], limit=0.25) == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert auspro([scores], [truth], limit=1.0) == pytest.approx(1 - 1 / 8)


def test_a_tie_at_the_saturation_itself_stops_at_the_whole() -> None:
    # s = 2; one pixel at 9, three tied at 5 with one normal pixel of two: (0, 1/2) to (1/2, 1)
    scores = np.array([[9.0, 5.0, 5.0, 5.0, 5.0, 1.0]])
    truth = [region([[1, 1, 1, 1, 0, 0]], 2)]
    assert auspro([scores], [truth], limit=0.5) == pytest.approx(0.75)


def test_instances_are_pooled_over_images_not_averaged_image_by_image() -> None:
    # one image with one instance found, one with three missed: 1/4
    found, missed = np.array([[9.0, 5.0]]), np.array([[0.0, 1.0, 2.0, 5.0]])
    truths = [
        [region([[1, 0]], 1)],
        [region(row, 1) for row in ([[1, 0, 0, 0]], [[0, 1, 0, 0]], [[0, 0, 1, 0]])],
    ]
    assert auspro([found, missed], truths, limit=1.0) == pytest.approx(0.25)


@few
@given(
    seed=st.integers(0, 9999),
    levels=st.sampled_from([2, 4, 1000]),
    limit=st.sampled_from([0.01, 0.05, 0.1, 0.3, 1.0]),
)
def test_it_equals_the_definition(seed: int, levels: int, limit: float) -> None:
    maps, truths = drawn(seed, levels)
    expected = from_the_definition(maps, truths, limit)
    assert auspro(maps, truths, limit) == pytest.approx(expected, abs=1e-12)


@few
@given(seed=st.integers(0, 9999), limit=st.sampled_from([0.05, 0.3, 1.0]))
def test_a_lower_saturation_never_lowers_it(seed: int, limit: float) -> None:
    maps, truths = drawn(seed, 9)
    whole = [[Region(r.mask, int(r.mask.sum())) for r in regions] for regions in truths]
    assert auspro(maps, truths, limit) >= auspro(maps, whole, limit) - 1e-12


@few
@given(seed=st.integers(0, 9999), limit=st.sampled_from([0.05, 0.3, 1.0]))
def test_with_components_saturated_at_their_area_it_is_aupro(seed: int, limit: float) -> None:
    from scipy import ndimage

    maps, truths = drawn(seed, 9)
    masks = [np.any([r.mask for r in t], axis=0) if t else np.zeros((6, 7), bool) for t in truths]
    parted = []
    for mask in masks:
        labels, num = ndimage.label(mask, structure=np.ones((3, 3)))
        alone = [labels == k for k in range(1, num + 1)]
        parted.append([Region(one, int(one.sum())) for one in alone])
    assert auspro(maps, parted, limit) == pytest.approx(aupro(maps, masks, limit), abs=1e-12)


@pytest.mark.parametrize("limit", [0.0, 1.01])
def test_a_limit_outside_0_to_1_is_refused(limit: float) -> None:
    with pytest.raises(DataError, match="E112 AUsPRO limit"):
        auspro([np.array([[1.0, 2.0]])], [[region([[0, 1]], 1)]], limit)


def test_a_saturation_below_one_pixel_cannot_be_built() -> None:
    with pytest.raises(DataError, match="E201 A region's saturation is 0 pixels"):
        region([[1]], 0)


@pytest.mark.parametrize("mask", [np.ones(4, bool), np.ones((2, 2), np.uint8)])
def test_a_mask_that_is_no_plane_of_booleans_cannot_be_built(mask: np.ndarray) -> None:
    with pytest.raises(DataError, match="E202"):
        Region(mask, 1)


def test_an_empty_region_is_refused_and_named() -> None:
    truths = [[], [region([[1, 0]], 1), region([[0, 0]], 1)]]
    with pytest.raises(DataError, match="E202 Map 1 of 2: its region 1 has no pixel"):
        auspro([np.zeros((1, 2))] * 2, truths)


def test_a_region_of_another_size_than_its_map_is_refused_and_named() -> None:
    message = r"E112 Map 0 of 1 has shape \(1, 3\), its region 1 \(1, 2\)"
    with pytest.raises(DataError, match=message):
        auspro([np.zeros((1, 3))], [[region([[1, 0, 0]], 1), region([[1, 0]], 1)]])


def test_truths_that_differ_in_number_are_refused() -> None:
    with pytest.raises(DataError, match="E112 2 maps but 1 lists of regions"):
        auspro([np.zeros((1, 3))] * 2, [[]])


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        (np.float32, np.nan, "E111 Map 1 of 2 holds a NaN"),
        (np.float16, np.nan, "E111 Map 1 of 2 holds a NaN"),
        (np.float64, np.inf, "E200 Map 1 of 2 holds an infinite score"),
        (np.float16, -np.inf, "E200 Map 1 of 2 holds an infinite score"),
    ],
)
def test_a_score_that_is_no_number_is_refused_and_its_map_named(kind, value, code: str) -> None:
    maps = [np.zeros((1, 3), kind), np.array([[0, value, 1]], kind)]
    with pytest.raises(DataError, match=code):
        auspro(maps, [[region([[1, 0, 0]], 1)], []])


@pytest.mark.parametrize("truth", [[], [region([[1, 1]], 1)]])
def test_no_defective_pixel_or_no_other_is_undefined(truth: list[Region]) -> None:
    with pytest.raises(UndefinedMetricError, match="E114"):
        auspro([np.array([[1.0, 2.0]])], [truth])
