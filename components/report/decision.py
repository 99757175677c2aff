"""The plots of a decision, for the report's page and as files that stand alone."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from components.records import SelectionDecision
from components.report.plots.parallel import parallel
from components.report.plots.pareto import Limits, Point, Words, pareto
from components.report.plots.stability import stability
from components.report.wording import label

_NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def save_plots(decision: SelectionDecision, folder: Path) -> tuple[Path, ...]:
    """Write front.svg, parallel.svg and stability.svg, those that the decision has figures for."""
    drawn = {"front.svg": front(decision)}
    if decision.ranking and len(decision.criteria) > 1:
        drawn["parallel.svg"] = parallel(decision)
    if decision.stability:
        drawn["stability.svg"] = stability(decision)
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_write(folder / name, svg) for name, svg in drawn.items() if svg)


def front(decision: SelectionDecision) -> str:
    """Return all rows by the first criterion to minimise and the first to maximise, or nothing."""
    sides = [_first(decision, goal) for goal in ("min", "max")]
    if None in sides:
        return ""
    x, y = (str(side["name"]) for side in sides if side)
    rejected = {rejection.name for rejection in decision.rejected}
    points = [
        Point(c["name"], c["mean"][y], c["std"][y] or None, c["mean"][x], c["std"][x] or None)
        for c in decision.candidates
        if c["name"] not in rejected and x in c["mean"] and y in c["mean"]
    ]
    if not points:
        return ""
    bounds = {str(limit["name"]): limit for limit in decision.limits}
    limits = Limits(bounds.get(y, {}).get("min"), bounds.get(x, {}).get("max"))
    words = Words(
        x=f"{label(x)}  (← better)",
        y=f"{label(y)}  (better →)",
        x_limit=f"{label(x)} limit {{:g}}",
        against=label(x),
    )
    joined = len(decision.criteria) == 2
    return pareto(points, decision.front, decision.first, limits, y, words, joined=joined)


def _first(decision: SelectionDecision, goal: str) -> dict[str, Any] | None:
    return next((c for c in decision.criteria if c["goal"] == goal), None)


def _write(path: Path, svg: str) -> Path:
    part = path.with_name(f".{path.name}.part")
    part.write_text(alone(svg), encoding="utf-8")
    return part.replace(path)


def alone(svg: str) -> str:
    """Return an inline SVG as a file of its own, with the page's colours in light and in dark."""
    css = (files("components.report") / "page.css").read_text(encoding="utf-8")
    light = re.search(r":root\s*\{(.*?)\}", css, re.DOTALL)
    dark = re.search(r"prefers-color-scheme: dark\)[^{]*\{\s*:root[^{]*\{(.*?)\}", css, re.DOTALL)
    assert light and dark, "the page declares its colours twice"
    style = (
        f"<style>:root{{{_colours(light[1])}}}"
        f"@media (prefers-color-scheme: dark){{:root{{{_colours(dark[1])}}}}}"
        "svg{background:var(--paper)}</style>"
    )
    opening, rest = svg.split(">", 1)
    return f"{opening.replace('<svg', f'<svg {_NAMESPACES}', 1)}>{style}{rest}"


def _colours(block: str) -> str:
    return "".join(re.findall(r"--[a-z]+:\s*#[0-9a-f]+;", block))
