"""The report of a run: one self-contained HTML file, readable offline and on paper."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from components.records import RunSummary
from components.report.blocks import Section
from components.report.sections.behaviour import cost, stress
from components.report.sections.cases import cases
from components.report.sections.champion import champion
from components.report.sections.choice import choice
from components.report.sections.data import data
from components.report.sections.lineage import limits, lineage
from components.report.sections.quality import curves, scores
from components.report.sections.tuning import study
from components.report.sections.verdict import OUTCOMES, verdict

if TYPE_CHECKING:
    from markupsafe import Markup

FILE = "report.html"


def render(summary: RunSummary, run_dir: Path) -> Path:
    """Write ``run_dir/report.html`` atomically and return its path.

    Pictures named by the summary's cases are embedded; one that is missing is said to be. The
    same summary and pictures give the same bytes.
    """
    outcome, tone = OUTCOMES[summary.outcome]
    return write_page(
        "page.html.j2",
        run_dir / FILE,
        summary=summary,
        sections=sections(summary, run_dir),
        outcome=outcome,
        tone=tone,
    )


def write_page(template: str, path: Path, **values: object) -> Path:
    """Write a template, its values escaped and the style sheet inside it, atomically."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = breakable
    css = (here / "page.css").read_text(encoding="utf-8")
    html = environment.get_template(template).render(css=css, **values)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(html, encoding="utf-8", errors="replace")  # a file name may be no text at all
    return part.replace(path)


def breakable(words: str) -> "Markup":
    """Return words escaped, with a chance to break after ``·`` and ``/`` that copies as nothing."""
    from markupsafe import Markup, escape

    return Markup(re.sub("([·/])", r"\1<wbr>", str(escape(words))))


def sections(summary: RunSummary, run_dir: Path) -> tuple[Section, ...]:
    """Return the parts of the page in reading order."""
    return (
        verdict(summary),
        champion(summary, run_dir),
        data(summary),
        choice(summary),
        scores(summary),
        curves(summary),
        cases(summary, run_dir),
        stress(summary),
        study(summary),
        cost(summary),
        lineage(summary),
        limits(summary),
    )
