"""Grey levels to 0..1 and back."""

import numpy as np
import pytest

from components.levels import from_unit, to_unit


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_grey_level_survives_the_way_there_and_back(dtype: type) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    assert np.array_equal(from_unit(to_unit(levels), levels), levels)


def test_what_lies_outside_is_clipped_and_the_rest_rounded() -> None:
    like = np.zeros(1, np.uint8)
    unit = np.array([-0.5, 0.499 / 255, 0.6 / 255, 1.5], np.float32)
    assert from_unit(unit, like).tolist() == [0, 0, 1, 255]
