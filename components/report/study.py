"""The page of a study: one self-contained HTML file in the style of a run's report."""

from collections.abc import Sequence
from pathlib import Path

from components.report.blocks import Section
from components.report.page import write_page
from components.report.study_costs import costs
from components.report.study_evidence import images, left_out, papers, repeat
from components.report.study_figures import figures, learning, verdict
from components.studies.rows import Row
from components.studies.summary import StudySummary
from components.studies.table import tables_of

FILE = "study.html"


def render_study(summary: StudySummary, rows: Sequence[Row], run_dir: Path) -> Path:
    """Write ``run_dir/study.html`` atomically and return its path; same input, same bytes."""
    return write_page(
        "study.html.j2",
        run_dir / FILE,
        summary=summary,
        verdict=verdict(summary, rows),
        sections=sections(summary, rows),
    )


def sections(summary: StudySummary, rows: Sequence[Row]) -> tuple[Section, ...]:
    """Return the parts of the page in reading order; a part without content is left out."""
    tables = tables_of(summary.study, rows)
    every = (
        figures(summary, tables),
        learning(summary, rows),
        papers(summary),
        costs(summary, rows),
        images(summary),
        left_out(summary),
        repeat(summary),
    )
    return tuple(section for section in every if section.blocks)
