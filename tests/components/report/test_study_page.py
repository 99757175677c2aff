"""The page of a study: one file, every word escaped, the verdict in its first lines."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.records import Latency, StepTiming
from components.report.plots.study import Timed, beats
from components.report.study import render_study
from components.report.study_docs import standalone, write_docs
from components.report.study_figures import verdict
from components.studies.cells import CellKey
from components.studies.plan import Skipped
from components.studies.rows import Row
from components.studies.summary import CellRecord, ModelLatency, StudySummary
from tests.components.studies.test_tables import AS_GOOD, GOOD, WORSE, rows, study

KEY = CellKey(station="a", detector="padim", backbone="lite0", variant="as it is", seed=0)


def latency(batch: int, *, alone: bool) -> Latency:
    return Latency(
        runtime="onnxruntime 1", hardware="a processor, 2 cores", num_threads=1, num_runs=10,
        batch=batch, p50_ms=9.0, p95_ms=10.0, p99_ms=11.0, pre_ms=0.8, post_ms=0.2, alone=alone,
    )  # fmt: skip


def model(detector: str, *, alone: bool = True) -> ModelLatency:
    return ModelLatency(
        detector=detector, backbone="lite0", image_size_px=64, station="a", num_train=9,
        size_bytes=3_000_000, measured=(latency(1, alone=alone), latency(32, alone=True)),
    )  # fmt: skip


def summary(**changes: object) -> StudySummary:
    values = {
        "run_id": "run", "study": study(title="Two <detectors> & more"), "profile": "quick",
        "started": datetime(2026, 11, 22), "wall_s": 60.0, "images": (), "skipped": (),
        "cells": (CellRecord(key=KEY, state="done", wall_s=3.0),), "hardware": "h", "workers": 2,
        "reproduce": "defectloop bench s.yaml",
        "latencies": (model("patchcore"), model("padim", alone=False)),
    }  # fmt: skip
    return StudySummary.model_validate(values | changes)


def three() -> list[Row]:
    return rows("patchcore", GOOD) + rows("padim", AS_GOOD) + rows("stfpm", WORSE)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("run")
    skipped = (Skipped(what="x/y", reason="no <weights>"),)
    failed = CellRecord(key=KEY, state="failed", error="RuntimeError: <memory>")
    made = summary(skipped=skipped, cells=(summary().cells[0], failed))
    return render_study(made, three(), folder).read_text(encoding="utf-8")


def test_the_verdict_names_the_best_and_how_many_are_as_good() -> None:
    words = "Best image AUROC: a – patchcore/lite0 0.900 ± 0.020 (not told apart from 1 other)."
    assert verdict(summary(), three()) == words


def test_a_study_of_one_row_tells_its_course() -> None:
    course = rows("patchcore", WORSE, variant="4 images") + rows("patchcore", GOOD)
    given = summary(study=study(axes={"num_train": [4, None]}))
    assert verdict(given, course) == (
        "Image AUROC: a – patchcore/lite0 from 4 images 0.700 ± 0.020 to all images 0.900 ± 0.020."
    )


def test_the_page_is_one_file_that_asks_for_nothing(page: str) -> None:
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    assert "default-src 'none'" in page


def test_every_word_is_escaped(page: str) -> None:
    assert "Two &lt;detectors&gt; &amp; more" in page
    assert "<detectors>" not in page
    assert "no &lt;weights&gt;" in page
    assert "RuntimeError: &lt;memory&gt;" in page


def test_the_best_group_is_strong_and_the_protocol_is_said(page: str) -> None:
    assert '<td class="r  strong">0.900 ± 0.020</td>' in page
    assert '<td class="r ">0.700 ± 0.020</td>' in page
    assert "nothing promoted" in page


def test_a_disturbed_latency_is_shown_as_such(page: str) -> None:
    assert page.count(">not alone<") == 1
    assert "measured again by the next run" in page


def test_a_throughput_counts_pre_and_post_processing(page: str) -> None:
    assert ">100<" in page  # 1000 / (9 + 0.8 + 0.2)


def test_the_markdown_holds_the_same_table_and_its_plots_stand_alone(tmp_path: Path) -> None:
    path = write_docs(summary(), three(), tmp_path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Two \\<detectors\\> & more")
    assert "| patchcore | lite0 | **0.900 ± 0.020** |" in text
    (plot,) = (tmp_path / "images").glob("*.svg")
    assert f"images/{plot.name}" in text
    svg = plot.read_text(encoding="utf-8")
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "var(" not in svg


def test_a_standalone_picture_has_colours_of_its_own() -> None:
    made = standalone('<svg viewBox="0 0 1 1"><path fill="var(--ink)"/></svg>')
    assert 'fill="#1c2126"' in made


def test_a_model_is_beaten_only_by_one_that_is_no_worse_in_both() -> None:
    slow, fast = Timed("slow", 0.9, 0.0, 20.0), Timed("fast", 0.9, 0.0, 10.0)
    better = Timed("better", 0.95, 0.0, 20.0)
    assert beats(fast, slow)
    assert beats(better, slow)
    assert not beats(fast, better)
    assert not beats(slow, slow)


def test_a_study_without_a_finished_cell_still_has_a_page(tmp_path: Path) -> None:
    made = summary(latencies=(), cells=(CellRecord(key=KEY, state="failed", error="E1"),))
    text = render_study(made, [], tmp_path).read_text(encoding="utf-8")
    assert "No cell was finished." in text


def test_a_profile_with_fewer_test_images_never_says_the_whole_set(tmp_path: Path) -> None:
    whole = summary()
    sizes = {name: {"max_test_images": 12} for name in ("quick", "full")}
    less = summary(study=study(profiles=sizes))
    for made, said in ((whole, "the whole test set"), (less, "at most 12 images of the test set")):
        text = write_docs(made, three(), tmp_path).read_text(encoding="utf-8")
        assert text.count(said) == 2
    assert "whole test set" not in text
    assert "whole test set" not in render_study(less, three(), tmp_path).read_text(encoding="utf-8")


def test_a_study_of_the_stations_sets_says_so_and_never_names_the_papers(tmp_path: Path) -> None:
    made = summary(study=study(sets="station"))
    text = write_docs(made, three(), tmp_path).read_text(encoding="utf-8")
    assert "the station's own sets: the whole report set, nothing chosen on it" in text
    assert "learn from the normals of the station's fit and tune sets" in text
    assert "papers' protocol" not in text


def test_what_was_predicted_stands_beside_what_the_cells_took(tmp_path: Path) -> None:
    step = StepTiming(
        step="cells", started=datetime(2026, 11, 22, tzinfo=UTC), wall_s=150, predicted_s=120
    )
    text = render_study(summary(steps=(step,)), three(), tmp_path).read_text(encoding="utf-8")
    assert "The step of the cells took 2:30 min, of 2:00 min predicted." in text
