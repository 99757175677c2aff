"""The last lines of a run, as a person reads them."""

from pathlib import Path

from components.records import Outcome
from components.report.console import closing_lines
from tests.components.report import factory, measured


def test_the_end_of_a_promoted_run():
    assert closing_lines(factory.first_model()) == [
        "                                  AUROC [95 % CI]       escapes  overkill  p95 ms",
        " patchcore/lite0·256·σ0.02·c0.01  0.979 [0.959, 0.991]  10/60    2/60      14",
        " padim/lite0·256·σ0.01            0.959 [0.939, 0.971]  14/60    2/60      11",
        " floor: random weights 0.71 · mean brightness 0.58",
        f" {factory.NOTE}",
        f"VERDICT  PROMOTED, WITH 1 CAUTION: {measured.WINNER} is champion v1.",
        "         ! defocus ≥ 3 raises overkill from 4 % to 31 %",
        "Report   runs/20261121-2140-elpv/report.html",
        "Next     defectloop ingest PATH --station NAME",
    ]


def test_champion_and_challenger_are_compared_with_the_images_that_changed_sides():
    lines = closing_lines(factory.kept())
    start = lines.index("Champion and challenger on the same report set (120 images)")
    assert lines[start + 1 : start + 4] == [
        "  AUROC              0.956 → 0.979   Δ +0.023 [+0.004, +0.035]",
        "  escape rate (FNR)  0.217 → 0.167   Δ −0.050 [−0.117, +0.017]",
        "  fixed: 00469c3f9c3f   newly missed: 003c9c3f9c3f",
    ]


def test_bad_data_names_the_check_and_its_files_and_shows_no_empty_table():
    lines = closing_lines(factory.bad_data())
    assert lines[0] == (
        " ✗ masks_present: 3 of 57 missing (expected 0 missing)  "
        "test/crack/7.png, test/crack/9.png, test/crack/12.png"
    )
    assert lines[1].startswith("VERDICT  STOPPED")
    assert not any("AUROC" in line for line in lines)


def test_the_report_and_the_next_command_can_be_given():
    lines = closing_lines(factory.blocked(), Path("/elsewhere/report.html"), "defectloop doctor")
    assert lines[-2:] == ["Report   /elsewhere/report.html", "Next     defectloop doctor"]


def test_a_caution_is_said_once():
    note = factory.NOTE
    summary = factory.run_summary(cautions=("only this", note), verdict="PROMOTED: only this")
    text = "\n".join(closing_lines(summary))
    assert text.count("only this") == 1
    assert text.count(note) == 1


def test_every_outcome_has_a_next_step():
    for outcome in Outcome:
        last = closing_lines(factory.run_summary(outcome=outcome))[-1]
        assert last.startswith("Next     ")
        assert "defectloop" in last


def test_undefined_figures_are_na():
    report = measured.evaluation("a", 1)
    undefined = report.results[0].model_copy(
        update={"value": None, "ci_low": None, "ci_high": None, "note": "E114 one class"}
    )
    bare = report.model_copy(
        update={"results": (undefined,), "calibration": None, "latency": None, "candidate": "a"}
    )
    lines = closing_lines(
        factory.run_summary(evaluations={"winner": bare}, evaluated_names={}, comparison=())
    )
    assert lines[1].split("  ")[0] == " a"
    assert lines[1].count("n/a") == 4
    assert lines[2] == " image AUROC: n/a, E114 one class"
