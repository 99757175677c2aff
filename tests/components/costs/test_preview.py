"""The preview of a station: what each step takes, and how many processes fit."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.costs.preview import Counts, Preview, candidates, fitting, preview, words
from components.errors import PipelineError
from components.station import StationConfig, load_station
from tests.components.costs.test_forecast import PACE

COUNTS = Counts(
    num_fit=300, num_tune=80, num_synthetic=60, num_report=90, num_images=600, megapixels=0.1,
    guessed=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def config() -> StationConfig:
    return load_station(Path(__file__).resolve().parents[3] / "params", "elpv")


def found(config: StationConfig, *, workers: int = 2, remembers: bool = True) -> Preview:
    size = config.station.profiles["quick"]
    return preview(config, size, COUNTS, PACE, workers=workers, remembers=remembers)


def made(process_bytes: float = 2e9, workers: int = 4) -> Preview:
    return Preview({"tune": 100.0, "train": 20.0}, process_bytes, workers, workers, "p", False)


def test_a_store_spares_the_study_the_passes_of_scored_images(config: StationConfig) -> None:
    assert found(config).steps["tune"] < found(config, remembers=False).steps["tune"]


def test_more_processes_take_less_time_and_more_memory(config: StationConfig) -> None:
    one, two = found(config, workers=1), found(config, workers=2)
    assert two.seconds < one.seconds
    assert two.peak_bytes > one.peak_bytes


def test_every_backbone_that_a_model_accepts_is_counted(config: StationConfig) -> None:
    tried = candidates(config, config.station.profiles["full"])
    assert {p.detector.backbone for p in tried} >= set(config.station.search.backbone)


def test_as_many_processes_run_as_the_memory_holds() -> None:
    whole = fitting(made(), 600_000_000 + 8 * 10**9)
    assert (whole.workers, whole.steps["tune"]) == (4, 100.0)
    shrunk = fitting(made(), 600_000_000 + 5 * 10**9)
    assert (shrunk.workers, shrunk.steps["tune"]) == (2, 200.0)
    assert "2 processes of up to 2.0 GB instead of 4, which do not fit" in words(shrunk)[1]


def test_what_does_not_fit_in_one_process_is_refused_with_its_name() -> None:
    with pytest.raises(PipelineError, match=r"E333 p needs about 2\.0 GB .* 1\.4 GB are free"):
        fitting(made(), 2 * 10**9)
    with pytest.raises(PipelineError, match=r"E333 .* 0\.0 GB are free"):
        fitting(made(), 0)


def test_people_read_minutes_and_whether_anything_was_counted() -> None:
    time, memory = words(made())
    assert time == "about 2 min here (tune 2 min, train 20 s)"
    assert memory == "about 8.6 GB: 4 processes of up to 2.0 GB"


def test_the_largest_coreset_is_planned_before_anything_starts(config: StationConfig) -> None:
    # 80 + 80 images of 320 px on a grid of 40 x 40, 2 % of them picked
    *_, plan = words(found(config))
    assert plan.startswith("largest coreset of 5,120 of 256,000 × ")


def test_a_step_that_will_not_run_is_not_spoken_of() -> None:
    idle = replace(made(), steps={"ingest": 0.0, "tune": 100.0})
    assert words(idle)[0] == "about 2 min here (tune 2 min)"
