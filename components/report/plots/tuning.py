"""How the study went: the objective trial by trial, and against the level of input noise."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.records import TrialRecord
from components.report.evidence import detector_of
from components.report.plots.canvas import INK, MUTED, draw, ends_labelled, series
from components.report.wording import number, short_label, shorten


def tuning(trials: Sequence[TrialRecord], floors: Mapping[str, float], metric: str) -> str:
    """Return the history and the noise-level curve, side by side, sharing the objective's axis.

    Args:
        trials: at least one has an objective; those without are marked at the bottom.
        floors: floor name -> its value of the objective, drawn where it is in view.
        metric: name of the objective, higher is better.
    """
    done = [t for t in trials if t.objective is not None]
    assert done, "a history needs an objective"
    looks = series([detector_of(t.candidate) for t in trials])

    def paint(figure: Any) -> None:
        history, noise = figure.subplots(1, 2, sharey=True, width_ratios=(1.1, 1))
        values = [t.objective or 0.0 for t in done]
        pad = max(0.1 * (max(values) - min(values)), 0.004)
        history.set_ylim(min(values) - 2.2 * pad, max(values) + pad)
        _history(history, trials, done, looks)
        _noise(noise, done, looks)
        _floor(history, floors)
        history.set_ylabel(f"{short_label(metric)} on the tune set")

    return draw("tuning", f"objective of {len(done)} trials, in order and by noise", 3.4, paint)


def best_so_far(done: Sequence[TrialRecord]) -> list[float]:
    """Return the best objective up to and with each trial."""
    best: list[float] = []
    for trial in done:
        value = trial.objective
        assert value is not None, "only finished trials have a best"
        best.append(max(value, best[-1]) if best else value)
    return best


def _history(
    axes: Any,
    trials: Sequence[TrialRecord],
    done: Sequence[TrialRecord],
    looks: Mapping[str, tuple[str, str]],
) -> None:
    _dots(axes, done, looks, lambda t: float(t.number))
    axes.step([t.number for t in done], best_so_far(done), where="post", color=INK, linewidth=1)
    low, _ = axes.get_ylim()
    for state, marker, words, height in (
        ("failed", "x", "failed", 0.05),
        ("pruned", "v", "given up", 0.12),
    ):
        _without_figure(axes, [t.number for t in trials if t.state == state], marker, words, height)
    axes.annotate(
        "default",
        (done[0].number, done[0].objective or low),
        xytext=(0, -13),
        textcoords="offset points",
        ha="left",
        fontsize=8,
        color=MUTED,
    )
    axes.set(title="Trial by trial, best so far as a line", xlabel="trial")
    axes.xaxis.get_major_locator().set_params(integer=True)


def _without_figure(
    axes: Any, numbers: Sequence[int], marker: str, words: str, height: float
) -> None:
    """Mark trials that have no objective near the lower edge; say what they are at the first."""
    if not numbers:
        return
    place = axes.get_xaxis_transform()
    heights = [height] * len(numbers)
    axes.plot(numbers, heights, marker, color=INK, markerfacecolor="none", transform=place)
    axes.annotate(
        words,
        (numbers[0], height),
        xycoords=place,
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )


def _noise(axes: Any, done: Sequence[TrialRecord], looks: Mapping[str, tuple[str, str]]) -> None:
    _dots(axes, done, looks, lambda t: t.input_noise)
    ends = []
    for detector, (colour, _) in looks.items():
        own = sorted(
            (t.input_noise, t.objective or 0.0)
            for t in done
            if detector_of(t.candidate) == detector
        )
        if not own:
            continue
        xs, ys = zip(*own, strict=True)
        if len(own) > 2:
            axes.plot(xs, ys, color=colour, linewidth=0.8, alpha=0.5)
        ends.append((xs[-1], ys[-1], shorten(detector, 18), colour))
    axes.set(title="By level of input noise", xlabel="input noise, standard deviation on 0..1")
    left, right = axes.get_xlim()
    axes.set_xlim(left, right + 0.22 * (right - left))
    ends_labelled(axes, ends)


def _dots(
    axes: Any, done: Sequence[TrialRecord], looks: Mapping[str, tuple[str, str]], x: Any
) -> None:
    for trial in done:
        colour, marker = looks[detector_of(trial.candidate)]
        face = "none" if trial.state == "duplicate" else colour
        axes.plot(
            x(trial), trial.objective, marker, color=colour, markerfacecolor=face, markersize=6
        )


def _floor(axes: Any, floors: Mapping[str, float]) -> None:
    """Draw the highest floor if it is in view, else write it."""
    for name, value in list(floors.items())[:1]:
        words = f"floor {number(value)} ({name})"
        if value >= axes.get_ylim()[0]:
            axes.axhline(value, color=MUTED, linestyle=(0, (4, 3)), linewidth=1)
            place, mixed = (0.99, value), axes.get_yaxis_transform()
        else:
            words, place, mixed = f"{words} ↓", (0.99, 0.02), axes.transAxes
        axes.text(*place, words, transform=mixed, ha="right", va="bottom", color=MUTED, fontsize=8)
