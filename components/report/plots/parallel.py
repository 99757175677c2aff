"""The shortlist side by side: one axis a criterion, between its declared levels."""

import math
from collections.abc import Sequence
from typing import Any

from components.records import SelectionDecision
from components.report.plots.canvas import CHOSEN, FAINT, INK, MARKERS, MUTED, PAPER, apart, draw
from components.report.wording import short_label

MOST = 6
BEYOND = 0.09  # how far past an end a figure is drawn that lies further beyond it
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1)), (0, (8, 3)))


def parallel(decision: SelectionDecision) -> str:
    """Return the plot: aspirations above, reservations below, the first emphasised.

    Args:
        decision: has a ranking and two criteria at least.
    """
    assert decision.ranking and len(decision.criteria) > 1, "one axis compares nothing"
    values = {ranked.name: ranked.values for ranked in decision.ranking}
    names = shown(decision)
    heights = {name: heights_of(values[name], decision.criteria) for name in names}

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        _axes(axes, decision.criteria)
        for place, name in reversed(list(enumerate(names))):
            _line(axes, heights[name], place, first=name == decision.first)
        if decision.first in heights:
            _figures(axes, heights[decision.first], values[decision.first], decision.criteria)
        _ends(axes, heights, decision.first)

    says = f"{', '.join(names)} compared on {len(decision.criteria)} criteria between their levels"
    return draw("parallel", says, 3.6, paint)


def shown(decision: SelectionDecision) -> tuple[str, ...]:
    """Return the names that are drawn: the shortlist, or the winner and the next in the ranking."""
    if decision.shortlist:
        return decision.shortlist[:MOST]
    return tuple(ranked.name for ranked in decision.ranking[:4])


def heights_of(values: dict[str, float], criteria: Sequence[dict[str, Any]]) -> tuple[float, ...]:
    """Return for each criterion 1 at its aspiration, 0 at its reservation, a little past an end.

    Figures of ``log`` criteria are placed by ratio, as they are compared.
    """
    heights = []
    for criterion in criteria:
        of = math.log if criterion.get("log") else float
        best, worst = of(criterion["aspiration"]), of(criterion["reservation"])
        height = (of(values[criterion["name"]]) - worst) / (best - worst)
        heights.append(min(max(height, -BEYOND), 1 + BEYOND))
    return tuple(heights)


def _axes(axes: Any, criteria: Sequence[dict[str, Any]]) -> None:
    axes.set_xlim(-0.25, len(criteria) - 0.05)
    axes.set_ylim(-0.22, 1.2)
    axes.grid(visible=False)
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xticks(range(len(criteria)), [short_label(str(c["name"])) for c in criteria])
    axes.tick_params(axis="x", length=0, labelcolor=INK)
    for x, criterion in enumerate(criteria):
        axes.plot([x, x], [0, 1], color=FAINT, linewidth=1.4, zorder=1)
        for y, level, side in ((1, "aspiration", "bottom"), (0, "reservation", "top")):
            axes.plot([x - 0.03, x + 0.03], [y, y], color=MUTED, linewidth=1, zorder=1)
            words = f"{criterion[level]:g}"
            where = 1 + BEYOND + 0.03 if y else -BEYOND - 0.03
            axes.text(x, where, words, ha="center", va=side, color=MUTED, fontsize=8)
    style = {"ha": "right", "color": MUTED, "fontsize": 8, "va": "center"}
    axes.text(-0.06, 1, "aspiration", **style)
    axes.text(-0.06, 0, "reservation", **style)


def _line(axes: Any, heights: tuple[float, ...], place: int, *, first: bool) -> None:
    axes.plot(
        range(len(heights)),
        heights,
        color=CHOSEN if first else INK,
        linewidth=2.6 if first else 1.1,
        alpha=1.0 if first else 0.65,
        linestyle=_DASHES[0 if first else place % len(_DASHES)],
        marker="*" if first else MARKERS[place % len(MARKERS)],
        markersize=11 if first else 4.5,
        zorder=3 if first else 2,
        clip_on=False,
    )


def _figures(
    axes: Any, heights: tuple[float, ...], values: dict[str, float], criteria: Sequence[Any]
) -> None:
    """Write the figures of the first beside its stars."""
    for x, (height, criterion) in enumerate(zip(heights, criteria, strict=True)):
        axes.annotate(
            f"{values[criterion['name']]:.4g}",
            (x, height),
            xytext=(9, 8) if x == 0 else (-9, 8),
            textcoords="offset points",
            ha="left" if x == 0 else "right",
            va="center",
            color=CHOSEN,
            fontsize=8,
            fontweight="bold",
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
            zorder=4,
        )


def _ends(axes: Any, heights: dict[str, tuple[float, ...]], first: str | None) -> None:
    """Name the lines at their right ends, none over another."""
    last = {name: own[-1] for name, own in heights.items()}
    placed = apart(list(last.values()), 0.085)
    for (name, height), y in zip(last.items(), placed, strict=True):
        axes.annotate(
            name,
            (len(next(iter(heights.values()))) - 1, height),
            xytext=(len(next(iter(heights.values()))) - 1 + 0.07, y),
            va="center",
            ha="left",
            color=CHOSEN if name == first else INK,
            fontsize=8.5,
            fontweight="bold" if name == first else "normal",
            annotation_clip=False,
        )
