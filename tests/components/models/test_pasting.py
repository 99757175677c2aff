"""Pieces of images pasted into the images themselves, and Gaussians that few images suffice for."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.models.networks.density import shrunk_covariance, whitening
from components.models.networks.pasting import hue_turn, jittered, paste_patches, paste_scars

SIDE = 64
seeds = st.integers(0, 10_000)


def numbered(num: int = 1) -> torch.Tensor:
    """Images each of whose pixels has a value of its own, the same in all channels."""
    pixels = torch.arange(SIDE * SIDE, dtype=torch.float32) / SIDE**2
    return pixels.view(1, 1, SIDE, SIDE).expand(num, 3, SIDE, SIDE).contiguous()


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- patches and scars --------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_a_patch_is_one_upright_piece_moved_as_a_whole(seed: int) -> None:
    image = numbered()
    pasted, mask = paste_patches(image, rng(seed), jitter=0.0)
    rows, columns = torch.nonzero(mask[0, 0], as_tuple=True)
    height, width = int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
    assert int(mask.sum()) == height * width
    origin = (pasted[0, 0][mask[0, 0]] * SIDE**2).round().long()
    moves = {
        (int(o) // SIDE - int(r), int(o) % SIDE - int(c)) for o, r, c in zip(origin, rows, columns)
    }
    assert len(moves) == 1
    torch.testing.assert_close(pasted[~mask.expand_as(pasted)], image[~mask.expand_as(image)])


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_a_patch_covers_the_share_and_has_the_aspect_that_were_asked_for(seed: int) -> None:
    _, mask = paste_patches(numbered(4), rng(seed), area=(0.1, 0.1), aspect=(2.0, 2.0))
    expected_height = math.sqrt(0.1 / 2) * SIDE  # 14.3 px; twice as wide
    for one in mask[:, 0]:
        rows, columns = torch.nonzero(one, as_tuple=True)
        assert abs(int(rows.max() - rows.min()) + 1 - expected_height) <= 1
        assert abs(int(columns.max() - columns.min()) + 1 - 2 * expected_height) <= 1


def test_an_upright_scar_has_its_size_at_256_px_and_grows_with_the_image() -> None:
    sizes = {"width_px": (8.0, 8.0), "length_px": (20.0, 20.0), "degrees": (0.0, 0.0)}
    for side, height, width in ((256, 20, 8), (512, 40, 16)):
        _, mask = paste_scars(torch.rand(1, 3, side, side), rng(), **sizes)
        rows, columns = torch.nonzero(mask[0, 0], as_tuple=True)
        assert abs(int(rows.max() - rows.min()) + 1 - height) <= 1
        assert abs(int(columns.max() - columns.min()) + 1 - width) <= 1


def test_a_scar_turned_by_a_right_angle_lies_down_and_keeps_its_area() -> None:
    turned = {"width_px": (10.0, 10.0), "length_px": (24.0, 24.0), "degrees": (90.0, 90.0)}
    _, mask = paste_scars(torch.rand(1, 3, 256, 256), rng(3), **turned)
    rows, columns = torch.nonzero(mask[0, 0], as_tuple=True)
    assert int(columns.max() - columns.min()) > 2 * int(rows.max() - rows.min())
    assert abs(int(mask.sum()) - 240) <= 35  # 24 × 10, give or take its rim


def test_every_image_draws_its_own_piece_and_a_seed_draws_it_again() -> None:
    first, mask = paste_scars(numbered(3), rng(1))
    again, _ = paste_scars(numbered(3), rng(1))
    assert torch.equal(first, again)
    assert not torch.equal(mask[0], mask[1])


def test_images_laid_out_by_channels_last_are_pasted_alike() -> None:
    images = torch.rand(2, 3, SIDE, SIDE, generator=rng(5))
    plain, _ = paste_patches(images, rng(2))
    last, _ = paste_patches(images.to(memory_format=torch.channels_last), rng(2))
    torch.testing.assert_close(plain, last)


# --- colours ------------------------------------------------------------------------------------


def test_a_third_of_a_circle_turns_red_into_green() -> None:
    turn = hue_turn(torch.tensor([[[2 * math.pi / 3]]]))
    red = torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(turn[0] @ red, torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(0, 0.5))
def test_jitter_keeps_greys_grey_and_values_within_their_range(seed: int, share: float) -> None:
    changed = jittered(numbered(2), share, rng(seed))
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
    torch.testing.assert_close(changed[:, 0], changed[:, 1], atol=1e-5, rtol=0)


def test_no_jitter_changes_nothing() -> None:
    images = torch.rand(2, 3, 8, 8, generator=rng())
    torch.testing.assert_close(jittered(images, 0.0, rng()), images)


# --- densities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("num", [5, 12, 60])
def test_the_covariance_is_drawn_in_as_ledoit_and_wolf_do(num: int) -> None:
    from sklearn.covariance import ledoit_wolf

    embeddings = np.random.default_rng(num).normal(size=(num, 9)) * np.arange(1, 10)
    expected, _ = ledoit_wolf(embeddings)
    found = shrunk_covariance(torch.from_numpy(embeddings))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-10)


def test_equal_embeddings_have_no_covariance() -> None:
    assert float(shrunk_covariance(torch.ones(4, 3, dtype=torch.float64)).abs().max()) == 0


def test_lengths_after_whitening_are_mahalanobis_distances() -> None:
    covariance = torch.tensor([[4.0, 0.0], [0.0, 9.0]])
    whitened = whitening(covariance) @ torch.tensor([2.0, 3.0])
    assert float(whitened.square().sum()) == pytest.approx(2.0)  # 2²/4 + 3²/9
