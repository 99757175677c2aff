"""Polygons in relative coordinates become pixels."""

import numpy as np

from components.data.region import region_mask, window_px

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


def test_no_polygon_means_everywhere() -> None:
    assert region_mask((), 4, 6).all()
    assert region_mask((), 4, 6).shape == (4, 6)


def test_the_left_half_with_its_outline() -> None:
    mask = region_mask((LEFT_HALF,), 5, 11)  # x = 0.5 falls on pixel 5 of 0..10
    assert np.array_equal(mask, np.tile(np.arange(11) <= 5, (5, 1)))


def test_overlapping_polygons_join() -> None:
    assert np.array_equal(
        region_mask((LEFT_HALF, LEFT_HALF), 5, 11), region_mask((LEFT_HALF,), 5, 11)
    )


def test_a_polygon_of_the_raw_picture_moves_with_the_window() -> None:
    right = (0.5, 0.0, 1.0, 1.0)
    assert region_mask((LEFT_HALF,), 5, 6, right).sum() == 5  # the shared border alone
    left = (0.0, 0.0, 0.5, 1.0)
    assert region_mask((LEFT_HALF,), 5, 6, left).all()


def test_a_window_in_pixels() -> None:
    assert window_px((0.25, 0.0, 0.75, 0.5), 10, 100) == (25, 0, 75, 5)
    assert window_px((0.999, 0.999, 1.0, 1.0), 3, 3) == (2, 2, 3, 3)
