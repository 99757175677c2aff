"""Quality against the level of input noise, all else held, beside the levels of paper 004."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.records import NoisePoint
from components.report.plots.canvas import CHOSEN, INK, MUTED, NORMAL, draw
from components.report.wording import number


def noise_curve(
    points: Sequence[NoisePoint], chosen: float | None, paper: Mapping[str, float], station: str
) -> str:
    """Return the curve of one candidate and, on the same axis, the paper's level of each class.

    Args:
        points: at least one; low to high.
        chosen: the level in use, drawn through both parts; None where nothing was chosen.
        paper: MVTec category -> level; the one named as ``station`` stands out. May be empty.
        station: the station's name.
    """
    assert points, "a curve needs a point"

    def paint(figure: Any) -> None:
        if paper:
            curve, classes = figure.subplots(1, 2, width_ratios=(1.6, 1))
            _classes(classes, paper, station)
            _chosen(classes, chosen, points)
        else:
            curve = figure.subplots()
        _curve(curve, points)
        _chosen(curve, chosen, points)

    says = f"quality at {len(points)} levels of input noise"
    return draw("noise-curve", says, 3.4, paint)


def _curve(axes: Any, points: Sequence[NoisePoint]) -> None:
    levels, qualities = [p.input_noise for p in points], [p.quality for p in points]
    axes.plot(levels, qualities, "o-", color=NORMAL, markersize=5.5)
    best = max(points, key=lambda p: p.quality)
    axes.annotate(
        f"best {number(best.quality)} at σ {best.input_noise:g}",
        (best.input_noise, best.quality),
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        fontsize=8,
    )
    pad = max(0.15 * (max(qualities) - min(qualities)), 0.004)
    axes.set_ylim(min(qualities) - pad, max(qualities) + 2 * pad)
    axes.set(
        title="This station, all else held",
        xlabel="input noise σ, on 0..1",
        ylabel="quality on the tune set",
    )


def _chosen(axes: Any, chosen: float | None, points: Sequence[NoisePoint]) -> None:
    if chosen is None:
        return
    axes.axvline(chosen, color=CHOSEN, linestyle=(0, (4, 3)), linewidth=1)
    left = chosen > (points[0].input_noise + points[-1].input_noise) / 2
    axes.text(
        chosen,
        0.02,
        f" chosen {chosen:g} ",
        transform=axes.get_xaxis_transform(),
        ha="right" if left else "left",
        color=CHOSEN,
        fontsize=8,
    )


def _classes(axes: Any, paper: Mapping[str, float], station: str) -> None:
    ordered = sorted(paper.items(), key=lambda item: (-item[1], item[0]))
    names = [name.replace("_", " ") for name, _ in ordered]
    for place, (name, level) in enumerate(ordered):
        own = name == station
        axes.plot(level, place, "D" if own else "o", color=INK if own else MUTED, markersize=4.5)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlim(0, 1.1 * max(paper.values()))
    axes.set(title="Paper 004, by class", xlabel="input noise σ, on 0..1")
