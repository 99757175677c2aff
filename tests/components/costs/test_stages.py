"""What the stages of DVC take, on a machine of round numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.costs.stages import Bytes, stage_seconds
from components.stores.versions import ORDER
from tests.components.costs.test_forecast import PACE

# Everything imports in 10 s; half a megapixel is read in 0.05 s.
FOUND = Bytes(num_images=100, num_synthetic=20, megapixels=0.5)


def test_each_stage_takes_its_process_and_its_images() -> None:
    taken = stage_seconds(FOUND, ORDER, PACE)
    assert taken["ingest"] == pytest.approx(2 * 3.5 + 100 * 2.5 * 0.05)
    assert taken["validate"] == pytest.approx(3.5 + 7 + 100 * 1.5 * 0.05)
    assert taken["synthesize"] == pytest.approx(2 * 3.5 + 100 * 5 * 0.05 + 20 * 15 * 0.05)


def test_what_is_fresh_takes_nothing() -> None:
    assert set(stage_seconds(FOUND, (), PACE).values()) == {0.0}
    only_drawn = stage_seconds(FOUND, ("synthesize",), PACE)
    assert (only_drawn["ingest"], only_drawn["validate"]) == (0, 0)
    assert only_drawn["synthesize"] == pytest.approx(3.5 + 20 * 15 * 0.05)


@given(num=st.integers(0, 10**6), more=st.integers(0, 1000))
def test_more_images_never_take_less(num: int, more: int) -> None:
    def total(count: int) -> float:
        found = FOUND.model_copy(update={"num_images": count})
        return sum(stage_seconds(found, ORDER, PACE).values())

    assert total(num + more) >= total(num)
