"""Poisson blending against what the equation demands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.synthesize.poisson import blend


def laplacian(image: np.ndarray) -> np.ndarray:
    inner = image[1:-1, 1:-1]
    return image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:] - 4 * inner


def picture(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_one_inner_pixel_by_hand() -> None:
    target = np.array([[0, 0.1, 0], [0.2, 0.9, 0.3], [0, 0.4, 0]], np.float32)
    source = np.array([[0, 0.5, 0], [0.5, 0.7, 0.5], [0, 0.5, 0]], np.float32)
    # The source's Laplacian is 4 * 0.5 - 4 * 0.7 = -0.8; so 4 u = 0.1 + 0.2 + 0.3 + 0.4 + 0.8.
    assert blend(target, source)[1, 1] == pytest.approx(0.45, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000),
    height=st.integers(3, 40),
    width=st.integers(3, 40),
    channels=st.sampled_from([(), (3,)]),
)
def test_the_border_is_the_targets_and_the_gradients_are_the_sources(
    seed: int, height: int, width: int, channels: tuple[int, ...]
) -> None:
    target = picture(seed, height, width, *channels)
    source = picture(seed + 1, height, width, *channels)
    blended = blend(target, source)
    inside = np.zeros((height, width), np.bool_)
    inside[1:-1, 1:-1] = True
    assert np.array_equal(blended[~inside], target[~inside])
    assert laplacian(blended) == pytest.approx(laplacian(source), abs=1e-4)


def test_a_source_that_differs_by_light_alone_vanishes() -> None:
    target = picture(0, 30, 50)
    assert blend(target, target + 0.3) == pytest.approx(target, abs=1e-5)
