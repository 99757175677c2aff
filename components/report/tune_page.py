"""The page of a study that was run alone: one self-contained HTML file."""

from pathlib import Path

from components.report.blocks import Block, Cell, Command, Section, Table, Text, row
from components.report.page import write_page
from components.report.sections.tuning import best_table, tuning_blocks
from components.report.tune_console import headline
from components.report.wording import duration
from components.tune.summary import TuneSummary

FILE = "report.html"


def render_tuning(summary: TuneSummary, run_dir: Path) -> Path:
    """Write ``run_dir/report.html`` atomically and return its path; same record, same bytes."""
    return write_page(
        "tune.html.j2",
        run_dir / FILE,
        summary=summary,
        verdict=headline(summary),
        sections=sections(summary),
    )


def sections(summary: TuneSummary) -> tuple[Section, ...]:
    """Return the parts of the page in reading order."""
    metric = " + ".join(summary.objective)
    best = best_table(summary.trials, summary.tuning.objectives, summary.default)
    told = tuning_blocks(summary.trials, summary.tuning, metric, {}, summary.station)
    return (
        Section("best", "Best trials", (best,), summary.profile_note),
        Section("study", "The study", told, summary.profile_note),
        Section("failed", "Failed and given up", (_troubles(summary),)),
        Section("repeat", "Run it again", (Command(summary.reproduce), _steps(summary))),
    )


def _troubles(summary: TuneSummary) -> Block:
    bad = [t for t in summary.trials if t.state in ("failed", "pruned")]
    if not bad:
        return Text("None: every trial was measured.", "quiet")
    rows = tuple(
        row(
            str(t.number),
            Cell(t.candidate, mono=True),
            "crashed, tried again" if t.retried else t.state,
            t.error,
        )
        for t in bad
    )
    return Table(("trial", "candidate", "", "why"), "rlll", rows)


def _steps(summary: TuneSummary) -> Block:
    rows = tuple(
        row(
            s.step,
            duration(s.wall_s),
            Cell("" if s.predicted_s is None else duration(s.predicted_s), "quiet"),
            Cell("reused" if s.reused else "", "quiet"),
            s.line,
        )
        for s in summary.steps
    )
    rows = rows or (row("–", "", "", "", ""),)
    return Table(("step", "time", "predicted", "", "result"), "lrrll", rows)
