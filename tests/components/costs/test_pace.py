"""The calibration of a machine: it takes seconds, is kept, and adds what it lacks."""

import pytest

from components.costs.pace import BackbonePace, calibrated_on, hardware_digest, least_s, measure
from tests.components.costs.test_forecast import PACE


def test_a_known_calibration_is_completed_and_not_measured_again() -> None:
    found = measure(["lite0", "alexnet"], PACE)
    assert found.backbones["lite0"] == PACE.backbones["lite0"]
    assert found.backbones["alexnet"].seconds > 0
    assert found.model_copy(update={"backbones": {}}) == PACE.model_copy(update={"backbones": {}})


def test_a_machine_is_known_by_what_decides_its_speed() -> None:
    assert "cores" in calibrated_on()
    assert len(hardware_digest()) == 16


def test_the_least_of_several_times_counts() -> None:
    assert 0 < least_s(lambda: sum(range(1000))) < 0.1


def test_an_image_twice_as_wide_takes_four_times_as_long() -> None:
    pace = BackbonePace(image_size_px=256, seconds=0.1, bytes=100)
    assert pace.seconds_at(512) == pytest.approx(0.4)
    assert pace.bytes_at(128) == 25
