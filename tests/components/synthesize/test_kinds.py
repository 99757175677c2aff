"""Each kind of defect against its own definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.synthesize.cutpaste import CutPaste, turned
from components.synthesize.nsa import Nsa, fade
from components.synthesize.perlin import Perlin, _lattice, gradient_noise, some_groups
from components.synthesize.places import box_within, jittered
from components.synthesize.visible import Scene
from components.synthesize.warp import Warp, dab, stroke


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scene_of(image: np.ndarray, donor: np.ndarray | None = None) -> Scene:
    region = np.ones(image.shape[:2], np.bool_)
    return Scene(image, image if donor is None else donor, region)


def texture(seed: int, height: int, width: int) -> np.ndarray:
    return rng(seed).random((height, width), dtype=np.float32)


# --- warp ---------------------------------------------------------------------------------------


def test_a_dab_pushes_fully_at_its_centre_and_not_at_all_at_its_radius() -> None:
    field = np.zeros((41, 41, 2), np.float32)
    dab(field, (20.0, 20.0), 10.0, np.array([2.0, -1.0], np.float32))
    assert field[20, 20].tolist() == [2.0, -1.0]
    assert field[20, 25, 0] == pytest.approx(2 * 0.5625)  # half the radius: (1 - 1/4)²
    assert field[20, 30].tolist() == [0.0, 0.0]
    assert not field[:9].any()


def test_two_dabs_on_one_place_add_up_along_the_way() -> None:
    field = np.zeros((61, 61, 2), np.float32)
    step = np.array([3.0, 0.0], np.float32)
    dab(field, (30.0, 30.0), 20.0, step)
    dab(field, (30.0, 33.0), 20.0, step)
    assert field[30, 33, 0] == pytest.approx(6.0, abs=1e-5)  # what stood at 27 is now at 33


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**20), radius_px=st.floats(4, 14), radii=st.floats(0.2, 2.5))
def test_a_stroke_never_folds_the_picture(seed: int, radius_px: float, radii: float) -> None:
    field = np.zeros((80, 80, 2), np.float32)
    stroke(field, (40, 40), radius_px, radii * radius_px, rng(seed))
    dx_dy, dx_dx = np.gradient(field[..., 0])
    dy_dy, dy_dx = np.gradient(field[..., 1])
    jacobian = (1 - dx_dx) * (1 - dy_dy) - dx_dy * dy_dx
    assert jacobian.min() > 0


def test_a_warped_line_is_bent_and_not_broken() -> None:
    image = np.full((120, 120), 180, np.uint8)
    image[58:62] = 60
    region = np.zeros_like(image, np.bool_)
    region[40:80, 20:100] = True
    bent, mask = Warp().apply(image, region, rng(3), image)
    darkest = bent.min(axis=0)
    assert (darkest < 110).all()  # the line runs through every column still
    assert (bent[:, mask.any(axis=0)].argmin(axis=0) != 58).any()


# --- cutpaste -----------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_a_patch_covers_its_share_of_the_image_in_its_aspect(seed: int) -> None:
    picture = texture(0, 200, 200)
    _, cover = CutPaste(variants=("patch",)).propose(scene_of(picture), rng(seed))
    height, width = np.ptp(np.argwhere(cover), axis=0) + 1
    assert cover.sum() == height * width
    assert 0.018 <= cover.mean() <= 0.153  # 0.02..0.15, and sides are whole pixels
    assert 0.27 <= width / height <= 3.7


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_a_scar_is_small_and_thin(seed: int) -> None:
    picture = texture(0, 256, 256)
    _, cover = CutPaste(variants=("scar",)).propose(scene_of(picture), rng(seed))
    assert 1 <= cover.sum() <= 16 * 25 * 1.15
    height, width = np.ptp(np.argwhere(cover), axis=0) + 1
    assert max(height, width) <= math.hypot(16, 25) + 2


def test_without_jitter_a_patch_is_a_piece_of_the_image_itself() -> None:
    picture = np.arange(100 * 100, dtype=np.float32).reshape(100, 100) / 10_000
    changed, cover = CutPaste(variants=("patch",), jitter=0.0).propose(scene_of(picture), rng(1))
    rows, columns = np.nonzero(cover)
    shift = np.round((changed - picture)[cover] * 10_000)
    assert len(set(shift.tolist())) == 1  # one shift of rows and columns for the whole piece
    assert rows.size == cover.sum() == columns.size


def test_turning_a_piece_by_a_right_angle_swaps_its_sides() -> None:
    piece = texture(1, 6, 10)
    canvas, cover = turned(piece, 90.0)
    assert canvas.shape == (10, 6)
    assert cover.mean() > 0.8
    assert turned(piece, 0.0)[1].all()


# --- nsa ----------------------------------------------------------------------------------------


def test_the_fade_rises_from_the_regions_edge() -> None:
    region = np.zeros((9, 9), np.bool_)
    region[:, 3:] = True
    row = fade(region, fade_px=4.0)[4]
    assert row[:3].tolist() == [0, 0, 0]
    assert row[3:7] == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=0.05)
    assert row[8] == 1  # the frame of the image is no edge


def test_a_donor_brighter_all_over_is_blended_into_the_parents_light() -> None:
    parent = np.full((80, 80), 0.4, np.float32)
    changed, _ = Nsa().propose(scene_of(parent, parent + 0.5), rng(0))
    assert np.abs(changed - parent).max() < 1e-4


def test_structure_of_the_donor_arrives_at_the_edge_without_a_step() -> None:
    parent, donor = np.full((100, 100), 0.4, np.float32), np.full((100, 100), 0.8, np.float32)
    donor[::12] = 0.3
    changed, touched = Nsa(patches=(1, 1)).propose(scene_of(parent, donor), rng(2))
    (top, left), (bottom, right) = (f(np.argwhere(touched), axis=0) for f in (np.min, np.max))
    patch = changed[top : bottom + 1, left : right + 1]
    frame = np.concatenate([patch[0], patch[-1], patch[:, 0], patch[:, -1]])
    assert np.abs(frame - 0.4).max() < 1e-6
    assert np.abs(changed - parent).max() > 0.1


# --- perlin -------------------------------------------------------------------------------------


def test_weights_and_ways_of_one_cell_over_four_pixels() -> None:
    weight, ramp = _lattice(4, 1)
    # Pixel centres lie at 1/8, 3/8, 5/8, 7/8; the quintic fade of 1/8 is 0.016052.
    assert weight[0] == pytest.approx([0.983948, 0.016052], abs=1e-6)
    assert ramp[0] == pytest.approx([0.983948 / 8, -0.016052 * 7 / 8], abs=1e-6)
    assert weight[3] == pytest.approx(weight[0][::-1])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**20), rows=st.integers(1, 16), columns=st.integers(1, 16))
def test_noise_is_bounded_and_smooth(seed: int, rows: int, columns: int) -> None:
    noise = gradient_noise((64, 96), (rows, columns), rng(seed))
    assert noise.shape == (64, 96)
    assert np.abs(noise).max() <= 1.0001
    assert np.abs(np.diff(noise, axis=0)).max() <= 4.1 * rows / 64  # the steepest slope in a cell
    assert np.abs(np.diff(noise, axis=1)).max() <= 4.1 * columns / 96


def test_some_groups_keeps_whole_islands_and_no_more_than_asked() -> None:
    islands = np.zeros((10, 30), np.bool_)
    for left in (1, 11, 21):
        islands[2:5, left : left + 4] = True
    two = some_groups(islands, 2, rng(0))
    assert two.sum() == 2 * 12
    assert np.array_equal(some_groups(islands, 9, rng(0)), islands)
    assert not some_groups(np.zeros_like(islands), 2, rng(0)).any()


def test_opacity_is_the_share_of_the_texture() -> None:
    parent, donor = np.full((64, 64), 0.2, np.float32), np.full((64, 64), 1.0, np.float32)
    quarter = Perlin(opacity=(0.25, 0.25), jitter=0.0)
    changed, _ = quarter.propose(scene_of(parent, donor), rng(0))
    assert changed == pytest.approx(np.full((64, 64), 0.4))  # 0.75 * 0.2 + 0.25 * 1


# --- places -------------------------------------------------------------------------------------


def test_a_box_near_the_border_is_moved_inside() -> None:
    assert box_within((1, 98), (10, 20), (100, 100)) == (0, 80, 10, 100)
    assert box_within((50, 50), (10, 20), (100, 100)) == (45, 40, 55, 60)
    assert box_within((3, 3), (99, 2), (8, 8)) == (0, 2, 8, 4)  # larger than the image: cut


def test_jitter_of_zero_changes_nothing_and_grey_channels_stay_equal() -> None:
    patch = np.stack([texture(0, 9, 9)] * 3, axis=2)
    assert jittered(patch, 0.0, rng()) == pytest.approx(patch, abs=1e-6)
    shifted = jittered(patch, 0.4, rng())
    assert np.ptp(shifted, axis=2).max() == 0
    assert not np.allclose(shifted, patch)


def test_jitter_keeps_the_hue_of_a_colour() -> None:
    red, green, blue = 0.7, 0.5, 0.2
    patch = np.full((4, 4, 3), (red, green, blue), np.float32)
    new_red, new_green, new_blue = jittered(patch, 0.4, rng(3))[0, 0]
    before, after = (red - green) / (green - blue), (new_red - new_green) / (new_green - new_blue)
    assert after == pytest.approx(before, rel=1e-4)
    assert new_red - new_blue != pytest.approx(red - blue, rel=0.01)
