"""The preview before a run: images counted, a calibration kept per machine, words on the board."""

import dataclasses
from pathlib import Path

import pytest

from components.costs.pace import hardware_digest
from components.costs.preview import Preview
from components.data.manifest import write_manifest
from components.station import load_station
from components.studies.forecast import Forecast
from flows import preview as module
from flows.console import StepBoard
from flows.preview import (
    announce,
    announce_study,
    calibration,
    count_images,
    study_forecast,
)
from flows.settings import Settings, load_settings
from tests.components.costs.test_forecast import PACE
from tests.components.models.parts import parts
from tests.factories import ROOT

STATION = load_station(ROOT / "params", "elpv").station


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return dataclasses.replace(load_settings(ROOT), root=tmp_path, workers=4)


def test_a_calibration_is_read_again_and_one_that_cannot_be_read_is_measured(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(command: list[str], **_: object) -> object:
        asked.append(command[-1])
        return type("Done", (), {"stdout": "noise\n" + PACE.model_dump_json()})()

    asked: list[str] = []
    monkeypatch.setattr(module.subprocess, "run", answer)
    assert calibration(settings, ["lite0"]) == PACE
    assert calibration(settings, ["lite0"]) == PACE
    assert len(asked) == 1
    (settings.state / "pace" / f"{hardware_digest()}.json").write_text('{"older": 1}')
    assert calibration(settings, ["lite0"]) == PACE
    assert len(asked) == 2


def test_a_calibration_that_fails_leaves_a_run_without_preview(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_PROGRAM", "raise SystemExit('no torch here')")
    assert calibration(settings, ["lite0"]) is None
    assert "E334" in caplog.text
    assert "no torch here" in caplog.text


def test_images_are_counted_where_they_were_prepared_and_guessed_before(
    settings: Settings,
) -> None:
    station = STATION.model_copy(update={"name": "parts"})
    guess = count_images(settings, station)
    assert (guess.guessed, guess.num_images, guess.num_synthetic) == (True, 1000, 120)
    # 650 normals, 0.6 of them to fit on; 350 defects, 0.3 of them granted to tuning
    assert (guess.num_fit, guess.num_tune, guess.num_report) == (390, 235, 375)
    folder = settings.data("prepare", "parts")
    manifest = parts(folder, num_normal=6, num_defective=2)
    write_manifest(manifest, folder / "manifest.parquet")
    counts = count_images(settings, station)
    assert (counts.num_fit, counts.num_tune, counts.num_synthetic) == (6, 2, 120)
    assert (counts.num_images, counts.guessed) == (8, False)
    assert counts.megapixels == pytest.approx(96 * 96 / 1e6)


def test_the_board_remembers_what_was_said_and_the_processes_are_those_that_fit(
    settings: Settings,
) -> None:
    board = StepBoard(2, quiet=True)
    found = Preview({"tune": 30.0}, 2e9, 3, 4, "p", guessed=False)
    assert announce(settings, found, board).workers == 3
    with board.step("ingest"), board.step("tune"):
        pass
    assert {t.step: t.predicted_s for t in board.timings} == {"ingest": None, "tune": 30.0}
    assert board.predicted_bytes == found.peak_bytes
    assert announce(settings, None, board) is settings


def test_a_study_runs_in_as_many_processes_as_its_costliest_cell_lets_fit(
    settings: Settings,
) -> None:
    roomy = dataclasses.replace(settings, memory_bytes=5_000_000_000)
    board = StepBoard(4, quiet=True)
    found = Forecast(240.0, 6, peaks={"padim/lite2": 2e9, "padim/lite0": 1e9})
    fits, too_large = announce_study(roomy, found, board)
    assert (fits.workers, too_large) == (2, {})  # 0.6 GB stay with the parent
    assert board.predicted_s == {"cells": 120.0}  # six cells of 40 s, two at a time
    assert board.predicted_bytes == 4_600_000_000


def test_a_cell_that_does_not_fit_even_alone_is_left_out_and_the_others_run(
    settings: Settings,
) -> None:
    tight = dataclasses.replace(settings, memory_bytes=2_000_000_000)
    board = StepBoard(4, quiet=True)
    found = Forecast(240.0, 6, peaks={"padim/lite2": 2e9, "padim/lite0": 1e9})
    fits, too_large = announce_study(tight, found, board)
    assert (fits.workers, list(too_large)) == (1, ["padim/lite2"])
    assert "needs about 2.0 GB in one process, 1.4 GB are free" in too_large["padim/lite2"]
    assert board.predicted_s == {}  # not all cells have a prediction


def test_cells_of_which_nothing_is_known_leave_a_study_without_prediction(
    settings: Settings,
) -> None:
    board = StepBoard(4, quiet=True)
    fits, too_large = announce_study(settings, Forecast(10.0, 2, unknown=("a/b",)), board)
    assert (fits, too_large, board.predicted_s) == (settings, {}, {})


def test_a_study_without_cells_to_compute_calibrates_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "calibration", None)
    assert study_forecast(settings, (), {}, ()).words(2) == "none"
