"""Quality against latency: every candidate, the front joined, the chosen one starred."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.report.plots.canvas import CHOSEN, FAINT, INK, MUTED, PAPER, apart, draw
from components.report.wording import label, number, short_label

MOST_WRITTEN = 4  # figures below the view: more would stand over each other


@dataclass(frozen=True)
class Point:
    """One candidate: mean quality and p95 latency, each with its spread where it is known."""

    name: str
    quality: float
    quality_std: float | None = None
    latency_ms: float | None = None  # None: not measured, drawn at the side
    latency_std_ms: float | None = None


@dataclass(frozen=True)
class Limits:
    """The limits that selection applied; None where there was none."""

    quality_min: float | None = None
    latency_max_ms: float | None = None


@dataclass(frozen=True)
class Words:
    """What the axes are called, where they are not the tune set's quality and the latency."""

    x: str = "p95 latency of one image, ms  (← faster)"
    y: str = "{} on the tune set  (better →)"
    x_limit: str = "latency limit {:g} ms"
    against: str = "p95 latency"


def pareto(
    points: Sequence[Point],
    front: Sequence[str],
    chosen: str | None,
    limits: Limits,
    metric: str,
    words: Words = Words(),
    *,
    joined: bool = True,
) -> str:
    """Return the plot. Points without a latency stand in a strip at the side.

    Args:
        points: at least one of them has a latency.
        front: names on the Pareto front; those that were measured are joined by a staircase.
        chosen: the name that gets the star (the winner, or the first of a shortlist).
        limits: drawn as lines where they fall near the points, else written at the edge.
        metric: name of the quality, higher is better.
        words: the names of the axes.
        joined: join the front by a staircase; of more than two criteria it is none.
    """
    measured = [p for p in points if p.latency_ms is not None]
    assert measured, "a Pareto plot needs a latency"
    aside = [p for p in points if p.latency_ms is None]

    def paint(figure: Any) -> None:
        if aside:
            main, side = figure.subplots(1, 2, sharey=True, width_ratios=(9, 1))
        else:
            main, side = figure.subplots(), None
        _scatter(main, measured, front, chosen)
        if joined:
            _staircase(main, measured, front)
        kept = (*front, chosen or "")
        highest = max(p.quality + (p.quality_std or 0.0) for p in points)
        _frame(main, measured, lowest_in_view(points, kept), highest)
        main.set_xlabel(words.x)
        main.set_ylabel(words.y.format(short_label(metric)))
        _below(main, measured)
        if side is not None:
            _strip(side, aside)
        _limits(main, limits, metric, words)
        _names(main, [p for p in measured if p.name in front or p.name == chosen], chosen)

    says = f"{label(metric)} against {words.against} of {len(measured)} candidates"
    return draw("pareto", says, 4.1, paint)


def _scatter(
    axes: Any, measured: Sequence[Point], front: Sequence[str], chosen: str | None
) -> None:
    for point in measured:
        best = point.name in front or point.name == chosen
        axes.errorbar(
            point.latency_ms,
            point.quality,
            xerr=point.latency_std_ms,
            yerr=point.quality_std,
            fmt="none",
            ecolor=INK if best else MUTED,
            elinewidth=0.9,
            alpha=0.8 if best else 0.4,
        )
        if point.name == chosen:
            style = {"marker": "*", "markersize": 17, "color": CHOSEN}
        elif best:
            style = {"marker": "o", "markersize": 7, "color": INK}
        else:
            style = {"marker": "o", "markersize": 5.5, "color": MUTED, "alpha": 0.55}
        axes.plot(point.latency_ms, point.quality, linestyle="none", zorder=3, **style)


def _staircase(axes: Any, measured: Sequence[Point], front: Sequence[str]) -> None:
    joined = sorted((p.latency_ms or 0.0, p.quality) for p in measured if p.name in front)
    if len(joined) > 1:
        xs, ys = zip(*joined, strict=True)
        axes.step(xs, ys, where="post", color=INK, linewidth=1, alpha=0.55, zorder=2)


def lowest_in_view(points: Sequence[Point], kept: Sequence[str]) -> float:
    """Return the lowest quality worth a scale of its own: a far worse one would flatten the rest.

    Points of ``kept`` names (the front and the chosen one) always stay in view, others while they
    lie no further below these than these spread.
    """
    ends = [(p.quality - (p.quality_std or 0.0), p) for p in points]
    inside = [low for low, p in ends if p.name in kept] or [low for low, _ in ends]
    highest = max(p.quality for p in points)
    reach = min(inside) - max(highest - min(inside), 0.02)
    return min(low for low, _ in ends if low >= reach)


def _frame(axes: Any, measured: Sequence[Point], lowest: float, highest: float) -> None:
    xs = [p.latency_ms or 0.0 for p in measured]
    pad = max(0.14 * (highest - lowest), 0.004)
    axes.set_ylim(lowest - pad, highest + pad)
    if min(xs) > 0 and max(xs) / min(xs) > 4:
        axes.set_xscale("log")
        axes.set_xlim(min(xs) / 1.3, max(xs) * 1.6)
        _plain_log_ticks(axes.xaxis)
    else:
        room = max(0.18 * (max(xs) - min(xs)), 0.08 * max(xs))
        axes.set_xlim(max(0.0, min(xs) - room), max(xs) + room)


def _below(axes: Any, measured: Sequence[Point]) -> None:
    """Mark what lies below the view at its edge; its quality beside it, or one word for many."""
    below = [p for p in measured if p.quality < axes.get_ylim()[0]]
    place = axes.get_xaxis_transform()
    for point in below:
        axes.plot(point.latency_ms, 0.1, "v", color=MUTED, transform=place, markersize=6, alpha=0.7)
        if len(below) <= MOST_WRITTEN:
            axes.annotate(
                number(point.quality),
                (point.latency_ms, 0.1),
                xycoords=place,
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=MUTED,
            )
    if len(below) > MOST_WRITTEN:
        words = f"▾ {len(below)} below the view, down to {number(min(p.quality for p in below))}"
        axes.text(0.01, 0.02, words, transform=axes.transAxes, color=MUTED, fontsize=8)


def _plain_log_ticks(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _limits(axes: Any, limits: Limits, metric: str, words_of: Words) -> None:
    """Draw a limit as a line where it is in view; a far one is written, so the points keep room."""
    far = []
    if limits.latency_max_ms is not None:
        words = words_of.x_limit.format(limits.latency_max_ms)
        if limits.latency_max_ms <= axes.get_xlim()[1]:
            axes.axvline(limits.latency_max_ms, color=INK, linestyle=(0, (4, 3)), linewidth=1)
            place = (limits.latency_max_ms, 0.02)
            mixed = axes.get_xaxis_transform()
            axes.text(*place, f"{words} ", transform=mixed, ha="right", color=INK, fontsize=8)
        else:
            far.append(f"{words} →")
    if limits.quality_min is not None:
        words = f"{short_label(metric)} limit {number(limits.quality_min)}"
        if limits.quality_min >= axes.get_ylim()[0]:
            axes.axhline(limits.quality_min, color=INK, linestyle=(0, (4, 3)), linewidth=1)
            place = (0.995, limits.quality_min)
            mixed = axes.get_yaxis_transform()
            style = {"ha": "right", "va": "bottom", "color": INK, "fontsize": 8}
            axes.text(*place, words, transform=mixed, **style)
        else:
            far.append(f"{words} ↓")
    if far:
        place = (0.995, 0.02)
        words = "out of view: " + " · ".join(far)
        axes.text(*place, words, transform=axes.transAxes, ha="right", color=MUTED, fontsize=8)


def _names(axes: Any, named: Sequence[Point], chosen: str | None) -> None:
    low, high = axes.get_ylim()
    gap = 0.055 * (high - low)
    heights = apart([p.quality - 0.9 * gap for p in named], gap)
    for point, height in zip(named, heights, strict=True):
        far_right = axes.transLimits.transform(
            axes.transScale.transform((point.latency_ms, point.quality))
        )[0]
        left = far_right > 0.55
        axes.annotate(
            point.name,
            (point.latency_ms, height),
            xytext=(-10 if left else 10, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=8.5,
            fontweight="bold" if point.name == chosen else "normal",
            color=CHOSEN if point.name == chosen else INK,
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1},
            zorder=2.6,  # over the bars, under the dots
        )


def _strip(axes: Any, aside: Sequence[Point]) -> None:
    axes.plot([0.0] * len(aside), [p.quality for p in aside], "_", color=MUTED, markersize=14)
    if any(p.quality < axes.get_ylim()[0] for p in aside):
        axes.plot(0.0, 0.1, "v", color=MUTED, transform=axes.get_xaxis_transform(), markersize=6)
    axes.set_xlim(-1, 1)
    axes.set_xticks([])
    axes.grid(visible=False, axis="x")
    axes.spines["left"].set_color(FAINT)
    axes.set_xlabel("latency not\nmeasured")
    axes.tick_params(labelleft=False)
