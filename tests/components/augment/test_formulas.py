"""Each corruption against numbers worked by hand."""

import numpy as np
import pytest

from components.augment.brightness_contrast import BrightnessContrast
from components.augment.defocus import Defocus, disk
from components.augment.gauss_noise import GaussNoise
from components.augment.iso_noise import IsoNoise
from components.augment.rotate import Rotate, turned


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- defocus ------------------------------------------------------------------------------------


def test_a_radius_of_one_spreads_a_point_evenly_over_a_plus_of_five_pixels() -> None:
    point = np.zeros((9, 9), np.uint8)
    point[4, 4] = 255
    blurred, _ = Defocus(alias_blur=(0.0, 0.0)).stress(point, None, 1.0, rng())
    plus = [(3, 4), (4, 3), (4, 4), (4, 5), (5, 4)]
    assert all(blurred[at] == 51 for at in plus)  # 255 / 5
    assert blurred.sum() == 255


@pytest.mark.parametrize(("radius_px", "num_pixels"), [(1, 5), (2, 13), (3, 29), (10, 317)])
def test_the_disk_holds_the_pixels_within_its_radius(radius_px: int, num_pixels: int) -> None:
    kernel = disk(radius_px, alias_blur=0.0)
    assert (kernel > 0).sum() == num_pixels  # Gauss's circle problem: 5, 13, 29, ..., 317
    assert kernel.max() == pytest.approx(1 / num_pixels)


def test_softening_keeps_the_light_and_blunts_the_edge() -> None:
    hard, soft = disk(4, 0.0), disk(4, 0.5)
    assert soft.sum() == pytest.approx(1, abs=1e-6)
    assert (soft > 0).sum() > (hard > 0).sum()


def test_radii_are_drawn_as_whole_pixels_from_the_papers_range() -> None:
    point = np.zeros((41, 41), np.uint16)
    point[20, 20] = 65535
    reach = set()
    for seed in range(60):
        blurred, _ = Defocus(p=1.0, alias_blur=(0.0, 0.0)).apply(point, None, rng(seed))
        reach.add(int((blurred[20] > 0).sum() - 1) // 2)
    assert reach == set(range(3, 11))


# --- brightness and contrast --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by_max", "expected"),
    [
        (True, [111, 231, 255]),  # x 1.2, then + 0.2 * 255 = 51; 255 * 1.2 + 51 = 357 is cut
        (False, [92, 212, 255]),  # x 1.2, then + 0.2 * mean 160 = 32
    ],
)
def test_brightness_adds_a_share_of_full_scale_or_of_the_mean(
    by_max: bool, expected: list[int]
) -> None:
    image = np.array([[50, 150, 255, 185]], np.uint8)  # mean 160
    adjusted = BrightnessContrast(brightness_by_max=by_max).adjust(image, 0.2, 0.2)
    assert adjusted[0, :3].tolist() == expected


def test_sixteen_bits_brighten_by_their_own_full_scale() -> None:
    image = np.array([[25700]], np.uint16)  # 100 on the scale of eight bits
    assert BrightnessContrast().adjust(image, 0.2, 0.2).item() == 43947  # 171 * 257


def test_stress_shifts_both_terms_by_the_severity_in_either_direction() -> None:
    image = np.array([[100]], np.uint8)
    seen = {BrightnessContrast().stress(image, None, 0.2, rng(s))[0].item() for s in range(40)}
    assert seen == {171, 69, 131, 29}  # 100 * (1 ± 0.2) ± 51


# --- ISO noise ----------------------------------------------------------------------------------


def test_black_pixels_get_poisson_counts_and_white_ones_nothing() -> None:
    image = np.zeros((200, 200), np.uint8)
    image[:, 100:] = 255
    noisy, _ = IsoNoise().stress(image, None, 0.4, rng())
    black = noisy[:, :100].astype(float)
    # The luminance's deviation is 0.5, so the rate is 255 * 0.5 * 0.4 = 51: mean and variance.
    assert black.mean() == pytest.approx(51, abs=0.3)
    assert black.var() == pytest.approx(51, abs=2)
    assert (noisy[:, 100:] == 255).all()


def test_noise_fades_towards_white() -> None:
    image = np.zeros((200, 200), np.uint8)
    image[:, 100:] = 204
    noisy, _ = IsoNoise().stress(image, None, 0.5, rng())
    # Luminance 0 or 0.8 deviates by 0.4: counts of 51 on average, of which 0.8 takes a fifth.
    assert noisy[:, :100].mean() == pytest.approx(51, abs=0.3)
    assert noisy[:, 100:].mean() == pytest.approx(204 + 10.2, abs=0.2)


def test_an_image_of_one_grey_level_has_no_deviation_and_so_no_noise() -> None:
    flat = np.full((20, 20), 90, np.uint8)
    assert np.array_equal(IsoNoise().stress(flat, None, 0.5, rng())[0], flat)


def test_grey_gets_the_luminance_part_of_what_colour_gets() -> None:
    grey = rng(5).integers(40, 200, (30, 30)).astype(np.uint8)
    of_grey, _ = IsoNoise().stress(grey, None, 0.3, rng(7))
    of_colour, _ = IsoNoise().stress(np.stack([grey] * 3, axis=2), None, 0.3, rng(7))
    assert np.abs(of_colour - of_grey[..., None].astype(int)).max() <= 1


def test_hue_turns_with_colour_shift_and_stays_without() -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    image[:30], image[30:] = (200, 40, 40), (160, 20, 20)  # two reds: the same hue, 0 degrees
    still, _ = IsoNoise(color_shift=(0.0, 0.0)).stress(image, None, 0.5, rng())
    turned_hue, _ = IsoNoise(color_shift=(0.05, 0.05)).stress(image, None, 0.5, rng())
    assert np.abs(still[..., 1].astype(int) - still[..., 2]).max() <= 1  # red: green equals blue
    assert np.abs(turned_hue[..., 1].astype(int) - turned_hue[..., 2]).max() > 10


# --- rotation -----------------------------------------------------------------------------------


def test_a_quarter_turn_is_counter_clockwise_and_exact() -> None:
    image = rng(1).integers(0, 255, (11, 11)).astype(np.uint8)
    mask = image > 128
    moved, marked = turned(image, mask, 90.0)
    assert np.array_equal(moved, np.rot90(image))
    assert marked is not None
    assert np.array_equal(marked, np.rot90(mask))


@pytest.mark.parametrize("degrees", [-15.0, -4.0, 7.0, 15.0])
def test_the_mask_stays_on_its_defect(degrees: float) -> None:
    mask = np.zeros((64, 80), np.bool_)
    mask[4:30, 50:76] = True  # near a corner, so that part of it is mirrored in
    moved, marked = turned(mask.astype(np.uint8) * 255, mask, degrees)
    assert marked is not None
    assert ((moved > 127) == marked).mean() > 0.985  # they differ by interpolation at edges alone


def test_stress_turns_by_the_severity_both_ways() -> None:
    image = rng(2).integers(0, 255, (21, 21)).astype(np.uint8)
    expected = {turned(image, None, way * 5.0)[0].tobytes() for way in (-1, 1)}
    seen = {Rotate().stress(image, None, 5.0, rng(s))[0].tobytes() for s in range(20)}
    assert seen == expected


# --- Gaussian noise -----------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint8, 1), (np.uint16, 257)])
def test_noise_has_the_severity_as_variance_on_the_scale_of_eight_bits(
    dtype: type, scale: int
) -> None:
    image = np.full((200, 200, 3), 128 * scale, dtype)
    noisy, _ = GaussNoise().stress(image, None, 100.0, rng())
    noise = (noisy.astype(float) - image) / scale
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert noise.std() == pytest.approx(10, abs=0.1)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02


def test_one_variance_between_10_and_120_is_drawn_for_the_whole_image() -> None:
    image = np.full((100, 100), 128, np.uint8)
    variances = []
    for seed in range(40):
        noisy, _ = GaussNoise(p=1.0).apply(image, None, rng(seed))
        upper, lower = noisy[:50].astype(float).var(), noisy[50:].astype(float).var()
        assert upper == pytest.approx(lower, rel=0.15)
        variances.append(noisy.astype(float).var())
    assert 8 < min(variances) < 40
    assert 90 < max(variances) < 125
