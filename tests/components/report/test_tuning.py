"""The tuning part of the pages: what decided, the σ curve, what synthetic defects are worth."""

from pathlib import Path
from typing import Any

import pytest

from components.agreement import synthetic_check
from components.records import NoisePoint, TuningEvidence
from components.report.blocks import Plot, Table, Text
from components.report.plots.agreement import agreement
from components.report.plots.canvas import series
from components.report.plots.noise_curve import noise_curve
from components.report.sections.tuning import study, tuning_blocks
from components.report.tune_console import closing_lines
from components.report.tune_page import render_tuning
from components.tune.summary import TuneSummary
from tests.components.report.factory import run_summary
from tests.components.report.measured import trials

PAPER = {"bottle": 0.1, "carpet": 0.4, "metal_nut": 0.3}
POINTS = tuple(NoisePoint(input_noise=s, quality=q) for s, q in ((0, 0.9), (0.04, 0.95), (0.08, 0.91)))  # fmt: skip  # noqa: E501
CHECK = synthetic_check(
    {"padim/a": (0.7, 0.72), "padim/b": (0.8, 0.83), "stfpm/c": (0.9, 0.8), "stfpm/d": (0.95, 0.9)},
    metric="image_auroc", num_real_defects=20, basis="real",
)  # fmt: skip


def evidence(**changes: Any) -> TuningEvidence:
    values = {
        "objectives": ("quality",), "sampler": "tpe", "front": (5,),
        "importances": {"input_noise": 0.7, "detector": 0.3}, "noise_curve": POINTS,
        "noise_curve_of": "patchcore/lite2", "chosen_noise": 0.04, "paper_noise": PAPER,
        "synthetic": CHECK,
    }  # fmt: skip
    return TuningEvidence.model_validate(values | changes)


def summary(**changes: Any) -> TuneSummary:
    told = tuple(
        t.model_copy(update={"objectives": {"quality": t.objective} if t.objective else {}})
        for t in trials()
    )
    values = {
        "run_id": "r", "station": "elpv", "title": "Solar cells", "licence": "", "profile": "quick",
        "profile_note": "", "objective": ("image_auroc",), "trials": told, "tuning": evidence(),
        "default": told[0].candidate, "reproduce": "defectloop tune elpv",
    }  # fmt: skip
    return TuneSummary.model_validate(values | changes)


def blocks(kind: type, **changes: Any) -> list[Any]:
    told = tuning_blocks(trials(), evidence(**changes), "image_auroc", {}, "elpv")
    return [block for block in told if isinstance(block, kind)]


def test_a_parameter_is_listed_with_its_share() -> None:
    decided = blocks(Table)[0]
    assert [[cell.words for cell in line][:2] for line in decided.rows] == [
        ["input_noise", "70 %"],
        ["detector", "30 %"],
    ]


def test_too_few_trials_decide_nothing_and_say_so() -> None:
    assert any("Too few complete trials" in text.words for text in blocks(Text, importances={}))


def test_the_curve_shows_the_chosen_level_and_each_class_of_the_paper() -> None:
    svg = noise_curve(POINTS, 0.04, PAPER, "elpv")
    for words in ("chosen 0.04", "best 0.950 at σ 0.04", "bottle", "metal nut", "carpet"):
        assert words in svg
    assert noise_curve(POINTS, 0.04, PAPER, "elpv") == svg


def test_without_a_curve_the_levels_of_the_paper_are_named() -> None:
    said = " ".join(text.words for text in blocks(Text, noise_curve=()))
    assert "Paper 004 printed 0.1 to 0.4" in said


def test_the_correlation_is_shown_with_its_interval_and_number() -> None:
    table = blocks(Table)[-1]
    spearman = [cell.words for cell in table.rows[0]]
    assert spearman[:2] == ["Spearman's ρ", "0.80"]
    assert spearman[2].startswith("[−")  # four candidates prove little
    assert spearman[3] == "4"
    assert "on real defects" in agreement(CHECK)


def test_without_real_defects_nothing_is_claimed_of_synthetic_ones() -> None:
    nothing = synthetic_check({}, metric="m", num_real_defects=0, basis="synthetic")
    assert any("Not known" in text.words for text in blocks(Text, synthetic=nothing))


def test_a_second_objective_has_its_front_drawn() -> None:
    told = [
        t.model_copy(update={"objectives": {"quality": t.objective, "latency": 10.0 + t.number}})
        for t in trials()
        if t.objective is not None
    ]
    shown = tuning_blocks(
        told, evidence(objectives=("quality", "latency"), front=(0, 1)), "image_auroc", {}, "elpv"
    )
    captions = [block.caption for block in shown if isinstance(block, Plot)]
    assert any("on the front (tpe)" in words for words in captions)


def test_a_run_without_evidence_shows_its_trials_as_before() -> None:
    section = study(run_summary())
    assert [block.kind for block in section.blocks] == ["text", "plot"]


def test_the_page_of_a_study_stands_alone(tmp_path) -> None:
    page = render_tuning(summary(), tmp_path).read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert "over the untuned default" in page
    assert "the student&#39;s loss is not finite" in page
    assert page == render_tuning(summary(), tmp_path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("default", "words"),
    [
        ("patchcore/lite0·256·σ0·c0.01", "0.969, +0.008 over the untuned default"),
        ("patchcore/lite2·320·σ0.04·c0.02", "nothing tried was better"),
        ("stfpm/never", "the default was not measured"),
    ],
)
def test_the_last_lines_set_the_best_against_the_default(default: str, words: str) -> None:
    lines = closing_lines(summary(default=default), "runs/r/report.html")
    (best,) = [line for line in lines if line.startswith("BEST")]
    assert words in best
    assert lines[-1] == "Next     defectloop run elpv --profile quick"
    assert "Decided by input_noise 70 %, detector 30 %" in lines


def test_a_detector_has_one_colour_in_every_plot_of_the_page() -> None:
    seen, again = series(["padim", "stfpm", "padim"]), series(["stfpm", "padim"])
    assert seen == again
    assert len(set(seen.values())) == 2


def test_a_study_without_a_failure_says_so_without_a_table(tmp_path: Path) -> None:
    good = tuple(t for t in summary().trials if t.state == "complete")
    page = render_tuning(summary(trials=good), tmp_path).read_text(encoding="utf-8")
    assert "None: every trial was measured." in page
    assert "None: every trial" not in render_tuning(summary(), tmp_path).read_text("utf-8")
