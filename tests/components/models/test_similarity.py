"""SSIM and MSGMS against figures worked by hand and against a peer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from components.models.networks.similarity import msgms, ssim


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def step(size: int = 64, height: float = 1.0) -> torch.Tensor:
    """Return images that jump up by ``height`` in the middle column."""
    images = torch.zeros(1, 3, size, size)
    images[..., size // 2 :] = height
    return images


def test_ssim_of_two_flat_images_is_their_comparison_of_light() -> None:
    half, quarter = torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.25)
    # 2ab + 0.01² over a² + b² + 0.01²; both variances are 0, so structure counts as 1
    expected = (2 * 0.5 * 0.25 + 1e-4) / (0.25 + 0.0625 + 1e-4)
    assert ssim(half, quarter).tolist() == pytest.approx([expected], rel=1e-4)


def test_ssim_is_that_of_torchmetrics_where_the_window_is_whole() -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure

    first, second = noise(0, 4, 3, 48, 64), noise(1, 4, 3, 48, 64)
    second = 0.7 * first + 0.3 * second
    _, places = structural_similarity_index_measure(
        second, first, data_range=1.0, return_full_image=True
    )
    theirs = places[..., 5:-5, 5:-5].mean(dim=(1, 2, 3))
    torch.testing.assert_close(ssim(first, second), theirs, rtol=1e-4, atol=1e-5)


def test_a_step_against_a_flat_image_is_unlike_beside_the_step_at_every_scale() -> None:
    found = msgms(step(), torch.zeros(1, 3, 64, 64))[0, 0]
    # Prewitt over three gives (1 + 1 + 1) / 3 = 1 on both sides of the step: c / (1 + c)
    assert found[:, 31].tolist() == pytest.approx([0.0026 / 1.0026] * 64, rel=1e-5)
    assert found[:, 32].tolist() == pytest.approx([0.0026 / 1.0026] * 64, rel=1e-5)
    assert found[:, 0].tolist() == [1.0] * 64
    # two columns further the finest of the four scales sees nothing any more
    assert 0.24 < found[5, 29] < 0.8


def test_gradients_do_not_see_how_bright_an_image_is() -> None:
    image = noise(2, 1, 3, 32, 32) * 0.5
    assert msgms(image, image + 0.3).min() > 1 - 1e-4


def test_the_border_has_no_gradient_of_its_own() -> None:
    flat = torch.full((1, 3, 32, 32), 0.8)
    assert torch.equal(msgms(flat, torch.zeros_like(flat)), torch.ones(1, 1, 32, 32))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_both_are_symmetric_and_one_for_an_image_and_itself(one: int, other: int) -> None:
    first, second = noise(one, 2, 3, 32, 32), noise(other, 2, 3, 32, 32)
    for similarity in (ssim, msgms):
        torch.testing.assert_close(similarity(first, second), similarity(second, first))
        itself = similarity(first, first)
        torch.testing.assert_close(itself, torch.ones_like(itself), rtol=0, atol=1e-4)
    assert msgms(first, second).min() >= 0
    assert msgms(first, second).max() <= 1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_ssim_rises_as_an_image_is_mended(seed: int) -> None:
    image = F.avg_pool2d(noise(seed, 1, 3, 64, 64), 2)
    wrong = noise(seed + 1, 1, 3, 32, 32)
    steps = [ssim(image, image + share * (wrong - image)).item() for share in (1.0, 0.6, 0.3, 0.0)]
    assert steps == sorted(steps)
