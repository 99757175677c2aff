"""What counts as a visible change, by hand."""

import numpy as np

from components.synthesize.warp import Warp

EVERYWHERE = np.ones((12, 12), np.bool_)
# visible from 3 grey levels of 255 on (0.012 * 255 = 3.06), strong from 13 on (12.75)
RULE = Warp(visible=0.012, strong=0.05, min_area_px=4)


Square = tuple[slice, slice]


def changed_by(*levels: tuple[Square, int], dtype: type = np.uint8) -> np.ndarray:
    """A flat image with some grey levels (of 255) added in some rectangles."""
    scale = 257 if dtype == np.uint16 else 1
    image = np.full((12, 12), 100 * scale, dtype)
    for place, level in levels:
        image[place] += level * scale
    return image


def mask_of(proposed: np.ndarray, allowed: np.ndarray = EVERYWHERE) -> np.ndarray:
    return RULE.mask_of(changed_by(dtype=proposed.dtype.type), proposed, allowed)


def test_a_strong_core_takes_its_faint_surroundings_along() -> None:
    core, halo = (slice(4, 6), slice(4, 6)), (slice(3, 7), slice(3, 7))
    mask = mask_of(changed_by((halo, 3), (core, 10)))
    assert mask.sum() == 16
    assert mask[halo].all()


def test_a_change_of_two_levels_is_seen_by_nobody() -> None:
    core, halo = (slice(4, 6), slice(4, 6)), (slice(3, 7), slice(3, 7))
    mask = mask_of(changed_by((halo, 2), (core, 11)))
    assert mask.sum() == 4
    assert mask[core].all()


def test_a_faint_group_without_enough_strong_pixels_is_no_defect() -> None:
    faint, three = (slice(0, 4), slice(0, 4)), (slice(8, 9), slice(8, 11))
    assert not mask_of(changed_by((faint, 12))).any()
    assert not mask_of(changed_by((three, 60))).any()  # strong, but three pixels of four


def test_a_gap_within_a_defect_belongs_to_it() -> None:
    upper, lower = (slice(3, 5), slice(3, 9)), (slice(7, 9), slice(3, 9))
    mask = mask_of(changed_by((upper, 40), (lower, 40)))
    assert mask[5:7, 4:8].all()


def test_nothing_outside_the_allowed_pixels_is_marked() -> None:
    allowed = np.zeros((12, 12), np.bool_)
    allowed[:, :6] = True
    mask = mask_of(changed_by(((slice(2, 10), slice(2, 10)), 50)), allowed)
    assert mask.sum() == 8 * 4
    assert not mask[:, 6:].any()


def test_sixteen_bits_have_the_same_thresholds_in_proportion() -> None:
    levels = [((slice(3, 7), slice(3, 7)), 4), ((slice(4, 6), slice(4, 6)), 10)]
    deep, shallow = (mask_of(changed_by(*levels, dtype=d)) for d in (np.uint16, np.uint8))
    assert shallow.sum() == 16
    assert np.array_equal(deep, shallow)


def test_a_defect_beside_the_frame_is_not_drawn_out_to_it() -> None:
    near, at = (slice(2, 8), slice(2, 8)), (slice(0, 5), slice(7, 12))
    assert mask_of(changed_by((near, 50))).sum() == 36
    assert mask_of(changed_by((at, 50))).sum() == 25
