"""Raw scores by class and by defect type, with the threshold that separates them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.records import Prediction
from components.report.plots.canvas import ANOMALOUS, INK, MUTED, NORMAL, draw
from components.report.wording import compact, shorten

MOST_TYPES = 14  # rows; beyond it the types with the most escapes are shown
MOST_DOTS = 250  # dots a row; beyond it evenly spaced ranks are drawn


def scores_by_type(predictions: Sequence[Prediction], threshold: float) -> str:
    """Return histograms by class over a strip of dots for each defect type.

    Dots on the wrong side of the threshold are drawn full, the others pale.

    Args:
        predictions: at least one; real and synthetic types get rows of their own.
        threshold: in raw score units; a score >= threshold is called anomalous.
    """
    rows = by_type(predictions, threshold)

    def paint(figure: Any) -> None:
        top, strips = figure.subplots(2, 1, sharex=True, height_ratios=(1.3, 0.34 * len(rows)))
        _histograms(top, predictions)
        _strips(strips, rows, threshold)
        for axes in (top, strips):
            axes.axvline(threshold, color=INK, linewidth=1.1)
        words = f"threshold {compact(threshold)}"
        place = {"transform": top.get_xaxis_transform(), "fontsize": 8}
        top.text(threshold, 1.02, words, ha="center", va="bottom", **place)
        strips.set_xlabel("raw score  (more anomalous →)")

    says = f"raw scores of {len(predictions)} images by defect type, threshold {compact(threshold)}"
    return draw("scores", says, 1.9 + 0.3 * len(rows), paint)


def _side(centre: float, edges: NDArray[np.float64]) -> str:
    """Write a label towards the middle of the plot, where there is room for it."""
    return "left" if centre < (edges[0] + edges[-1]) / 2 else "right"


def by_type(
    predictions: Sequence[Prediction], threshold: float
) -> tuple[tuple[str, np.ndarray, bool], ...]:
    """Return (type, scores, anomalous) rows: normal first, then the most missed types."""
    groups: dict[tuple[str, bool], list[float]] = {}
    for p in predictions:
        mark = " (synthetic)" if p.origin == "synthetic" else ""
        name = "normal" if p.gt_label == 0 else p.defect_type
        groups.setdefault((name + mark, p.gt_label == 1), []).append(p.pred_score)
    rows = [(name, np.sort(scores), bad) for (name, bad), scores in groups.items()]
    rows.sort(key=lambda row: (row[2], -int((row[1] < threshold).sum()), row[0]))
    return tuple(rows[:MOST_TYPES])


def _histograms(axes: Any, predictions: Sequence[Prediction]) -> None:
    scores = np.array([p.pred_score for p in predictions])
    labels = np.array([p.gt_label for p in predictions])
    edges = np.histogram_bin_edges(scores, bins=36)
    for label, words, colour in ((0, "normal", NORMAL), (1, "anomalous", ANOMALOUS)):
        chosen = scores[labels == label]
        if not chosen.size:
            continue
        heights, _ = np.histogram(chosen, bins=edges)
        axes.stairs(heights, edges, color=colour, fill=True, alpha=0.35)
        axes.stairs(heights, edges, color=colour, linewidth=1.2)
        peak = int(heights.argmax())
        centre = (edges[peak] + edges[peak + 1]) / 2
        axes.annotate(
            f"{words}, {chosen.size}",
            (centre, heights[peak]),
            xytext=(0, 3),
            textcoords="offset points",
            ha=_side(centre, edges),
            color=colour,
            fontsize=8.5,
        )
    axes.set_ylim(0, 1.22 * axes.dataLim.y1)
    axes.set_ylabel("images")
    axes.grid(visible=False, axis="x")


def _strips(axes: Any, rows: Sequence[tuple[str, np.ndarray, bool]], threshold: float) -> None:
    for height, (_, scores, anomalous) in enumerate(rows):
        drawn = _spaced(scores)
        wrong = (drawn < threshold) if anomalous else (drawn >= threshold)
        colour = ANOMALOUS if anomalous else NORMAL
        jitter = height + 0.56 * (_scatter(len(drawn)) - 0.5)
        for chosen, alpha, edge in ((~wrong, 0.38, "none"), (wrong, 1.0, INK)):
            axes.scatter(
                drawn[chosen],
                jitter[chosen],
                s=15,
                color=colour,
                alpha=alpha,
                edgecolors=edge,
                linewidths=0.7,
            )
        axes.annotate(
            _tally(scores, threshold, anomalous),
            (1, height),
            xytext=(8, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=MUTED,
        )
    axes.set_yticks(range(len(rows)), [shorten(name, 28) for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _tally(scores: np.ndarray, threshold: float, anomalous: bool) -> str:
    over = int((scores >= threshold).sum())
    if anomalous:
        return f"{len(scores) - over}/{len(scores)} escape"
    return f"{over}/{len(scores)} overkill"


def _spaced(scores: np.ndarray) -> np.ndarray:
    if len(scores) <= MOST_DOTS:
        return scores
    return scores[np.linspace(0, len(scores) - 1, MOST_DOTS).round().astype(int)]


def _scatter(count: int) -> np.ndarray:
    """Return heights in 0..1 that spread evenly without chance (golden-ratio sequence)."""
    heights: np.ndarray = (np.arange(count) * 0.6180339887498949) % 1.0
    return heights
