"""How often each candidate comes first when what is not certain is shaken."""

from typing import Any

from components.records import SelectionDecision
from components.report.plots.canvas import (
    CHOSEN,
    FAINT,
    INK,
    MARKERS,
    MUTED,
    PAPER,
    draw,
    percent_axis,
)
from components.report.wording import percent

MOST = 8
LEAST = 0.005  # a bar below it is no longer seen: it joins the others
OTHERS = "all others"


def stability(decision: SelectionDecision) -> str:
    """Return the plot: a bar of all causes together, a mark for each cause alone.

    Args:
        decision: has a ranking; ``stability_by`` may be empty.
    """
    assert decision.stability, "nothing was weighed"
    bars = bars_of(decision)
    confidence = float(decision.settings.get("confidence", 0.0))

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        places = range(len(bars))
        for y, (name, share) in zip(places, bars.items(), strict=True):
            _bar(axes, y, share, first=name == decision.first, named=name != OTHERS)
        _causes(axes, decision, list(bars))
        _confidence(axes, confidence, len(bars))
        axes.set_yticks(list(places), list(bars))
        axes.tick_params(axis="y", labelcolor=INK)
        for tick, name in zip(axes.get_yticklabels(), bars, strict=True):
            if name == decision.first:
                tick.set(color=CHOSEN, fontweight="bold")
        axes.set_ylim(len(bars) - 0.4, -0.85)
        axes.set_xlim(0, 1.06)
        axes.set_xlabel("share of draws in which it comes first")
        axes.grid(visible=False, axis="y")
        percent_axis(axes.xaxis)

    told = ", ".join(f"{name} {percent(share)}" for name, share in bars.items())
    return draw("stability", f"how often each comes first: {told}", 1.1 + 0.34 * len(bars), paint)


def bars_of(decision: SelectionDecision) -> dict[str, float]:
    """Return the shares (0..1) by name, most first; small ones together under one name."""
    order = sorted(decision.stability.items(), key=lambda item: -item[1])
    bars = {name: share for name, share in order[:MOST] if share >= LEAST}
    rest = sum(share for name, share in order if name not in bars)
    return bars | ({OTHERS: rest} if rest >= LEAST else {})


def _bar(axes: Any, y: int, share: float, *, first: bool, named: bool) -> None:
    colour = CHOSEN if first else INK if named else MUTED
    axes.barh(y, share, height=0.5, color=colour, alpha=0.85 if first else 0.35, zorder=2)
    axes.annotate(
        percent(round(share, 2)),
        (share, y),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        fontsize=8.5,
        fontweight="bold" if first else "normal",
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 1},
        zorder=5,
    )


def _causes(axes: Any, decision: SelectionDecision, names: list[str]) -> None:
    """Mark what one cause alone would give, under each bar."""
    for marker, (cause, shares) in zip(MARKERS, decision.stability_by.items(), strict=False):
        known = [(shares[name], y + 0.38) for y, name in enumerate(names) if name in shares]
        if known:
            xs, ys = zip(*known, strict=True)
            axes.plot(
                xs,
                ys,
                linestyle="none",
                marker=marker,
                markersize=4.5,
                markerfacecolor="none",
                markeredgecolor=MUTED,
                label=f"{cause} alone",
                clip_on=False,
                zorder=4,
            )
    if decision.stability_by:
        axes.legend(loc="lower right", frameon=False, fontsize=8, labelcolor=MUTED)


def _confidence(axes: Any, confidence: float, num_bars: int) -> None:
    if not confidence:
        return
    axes.plot([confidence] * 2, [-0.5, num_bars - 0.4], color=INK, linestyle=(0, (4, 3)), lw=1)
    words = f"{percent(confidence)} makes one winner"
    axes.text(confidence, -0.58, words, ha="center", va="bottom", color=INK, fontsize=8)
    axes.spines["left"].set_color(FAINT)
