"""Escapes and overkill of the deployed model as the picture gets worse."""

from collections.abc import Sequence
from typing import Any

from components.records import StressPoint
from components.report.plots.canvas import ANOMALOUS, NORMAL, draw, percent_axis

CLEAN = ("clean", "none", "")  # a corruption that is none: severity 0 of all the others
_RATES = (("escape_rate", "escapes", ANOMALOUS, "s"), ("overkill_rate", "overkill", NORMAL, "o"))


def curves_of(points: Sequence[StressPoint]) -> dict[str, tuple[StressPoint, ...]]:
    """Return the points of each corruption by severity, the clean one first where it is shared."""
    clean = [p for p in points if p.corruption in CLEAN]
    names = dict.fromkeys(p.corruption for p in points if p.corruption not in CLEAN)
    curves = {}
    for name in names:
        own = [p for p in points if p.corruption == name]
        start = [] if any(p.severity == 0 for p in own) else clean[:1]
        curves[name] = tuple(start + sorted(own, key=lambda p: p.severity))
    return curves


def stress_curves(points: Sequence[StressPoint]) -> str:
    """Return one panel a corruption: both rates against severity, 0 is the clean picture."""
    curves = curves_of(points)
    columns = min(3, len(curves))
    lines = -(-len(curves) // columns)

    def paint(figure: Any) -> None:
        panels = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
        for i, (panel, (name, curve)) in enumerate(zip(panels, curves.items(), strict=False)):
            _panel(panel, name, curve, labelled=i == 0)
        for panel in panels[len(curves) :]:
            panel.set_visible(False)

    says = f"escape and overkill rate against severity of {', '.join(curves)}"
    return draw("stress", says, 0.5 + 2.3 * lines, paint)


def _panel(axes: Any, name: str, curve: Sequence[StressPoint], labelled: bool) -> None:
    for field, words, colour, marker in _RATES:
        known = [(p.severity, getattr(p, field)) for p in curve if getattr(p, field) is not None]
        if not known:
            continue
        xs, ys = zip(*known, strict=True)
        axes.plot(xs, ys, color=colour, marker=marker, markersize=4.5, label=words)
    if labelled:
        axes.legend(loc="upper left", frameon=False, fontsize=8.5, labelcolor="linecolor")
        axes.set_ylabel("share of images")
    axes.set(title=name.replace("_", " "), xlabel="severity", ylim=(-0.03, 1.03))
    axes.set_xticks([p.severity for p in curve])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    percent_axis(axes.yaxis)
