"""A study's plots: quality against the number of training images, and against latency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.report.plots.canvas import (
    INK,
    MARKERS,
    MUTED,
    PAPER,
    SERIES,
    apart,
    draw,
    ends_labelled,
)
from components.report.wording import number

_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), "-.")


@dataclass(frozen=True)
class At:
    """A mean with its standard deviation (0 where one seed ran) at a place on the x axis."""

    x: float
    mean: float
    std: float


def learning_curves(lines: Mapping[str, Sequence[At]], metric: str, last: str) -> str:
    """Return quality against the number of training images, one line a detector.

    Args:
        lines: name -> its points, by rising number of images.
        metric: how the y axis is called.
        last: what the largest number stands for, e.g. ``all``; "" for nothing.
    """

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        ends = []
        for i, (name, points) in enumerate(lines.items()):
            colour, marker = SERIES[i % len(SERIES)], MARKERS[i % len(MARKERS)]
            xs, ys = [p.x for p in points], [p.mean for p in points]
            axes.errorbar(
                xs,
                ys,
                yerr=[p.std for p in points],
                color=colour,
                marker=marker,
                markersize=4.5,
                linestyle=_DASHES[i // len(SERIES) % len(_DASHES)],
                elinewidth=0.9,
            )
            ends.append((xs[-1], ys[-1], name, colour))
        _count_axis(axes, sorted({p.x for points in lines.values() for p in points}), last)
        axes.set(ylabel=f"{metric}  (better →)")
        ends_labelled(axes, ends)

    says = f"{metric} against the number of training images of {', '.join(lines)}"
    return draw("learning", says, 3.6, paint)


def _count_axis(axes: Any, xs: Sequence[float], last: str) -> None:
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log")
    words = [f"{x:g}" for x in xs]
    if last:
        words[-1] = f"{last} ({words[-1]})"
    axes.set_xticks(xs, words)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training images")


@dataclass(frozen=True)
class Timed:
    """One model: its quality over seeds and the p50 latency of its export at batch 1."""

    name: str
    mean: float
    std: float
    latency_ms: float


def quality_and_latency(models: Sequence[Timed], metric: str, title: str) -> str:
    """Return quality against latency, the models that none beats in both in full ink."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        for model in models:
            best = not any(beats(other, model) for other in models)
            colour = INK if best else MUTED
            axes.errorbar(
                model.latency_ms,
                model.mean,
                yerr=model.std or None,
                fmt="o",
                color=colour,
                markersize=6 if best else 5,
                elinewidth=0.9,
                alpha=1.0 if best else 0.65,
            )
        _room(axes, models)
        _names(axes, models)
        axes.set(title=title, ylabel=f"{metric}  (better →)")
        axes.set_xlabel("median latency of one image, batch 1, ms  (← faster)")

    says = f"{metric} against latency of {len(models)} exported models, {title}"
    return draw("timed", says, 3.4, paint)


def beats(one: Timed, other: Timed) -> bool:
    """Whether a model is at least as good in both and better in one."""
    no_worse = one.mean >= other.mean and one.latency_ms <= other.latency_ms
    return no_worse and (one.mean, one.latency_ms) != (other.mean, other.latency_ms)


def _room(axes: Any, models: Sequence[Timed]) -> None:
    xs = [model.latency_ms for model in models]
    gap = max(0.12 * (max(xs) - min(xs)), 0.05 * max(xs))
    axes.set_xlim(max(0.0, min(xs) - gap), max(xs) + 3 * gap)
    lows, highs = [m.mean - m.std for m in models], [m.mean + m.std for m in models]
    pad = max(0.15 * (max(highs) - min(lows)), 0.004)
    axes.set_ylim(min(lows) - pad, max(highs) + pad)


def _names(axes: Any, models: Sequence[Timed]) -> None:
    """Write each name to the right of its point; names of close points move apart."""
    low, high = axes.get_ylim()
    heights = apart([model.mean for model in models], 0.06 * (high - low))
    for model, height in zip(models, heights, strict=True):
        axes.annotate(
            f"{model.name}  {number(model.mean)}",
            (model.latency_ms, height),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=INK,
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 1},
            zorder=2.6,
        )
