"""ROC and precision-recall of real images, with the operating point; recall by defect type."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from components.records import MetricResult, Prediction
from components.report.evidence import is_synthetic, type_of
from components.report.plots.canvas import (
    ANOMALOUS,
    CHOSEN,
    FOURTH,
    INK,
    MUTED,
    PAPER,
    draw,
    percent_axis,
)
from components.report.wording import number, percent, shorten

_STYLES = ((CHOSEN, "-"), (INK, (0, (5, 2))), (FOURTH, (0, (1.5, 1.5))), (MUTED, "-."))


def roc_points(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (overkill rate, recall) at every threshold, from (0, 0) to (1, 1); ties are one step.

    ``scores`` (N,) float, ``labels`` (N,) of 0 and 1 with both classes present.
    """
    hits, alarms = _cumulated(scores, labels)
    return np.r_[0.0, alarms / alarms[-1]], np.r_[0.0, hits / hits[-1]]


def pr_points(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (recall, precision) at every threshold, highest first; ties are one step."""
    hits, alarms = _cumulated(scores, labels)
    return hits / hits[-1], hits / (hits + alarms)


def _cumulated(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.r_[np.flatnonzero(np.diff(scores[order])), len(scores) - 1]
    hits = np.cumsum(labels[order] == 1)[last_of_tie]
    return hits, last_of_tie + 1 - hits


def roc_and_pr(models: Mapping[str, Sequence[Prediction]], threshold: float | None) -> str:
    """Return ROC and PR side by side; the operating point is that of the first model.

    Args:
        models: name of each model -> its predictions on real images, both classes present.
        threshold: the first model's, in raw score units; None leaves the point out.
    """
    arrays = {name: _arrays(predictions) for name, predictions in models.items()}
    first = next(iter(arrays.values()))

    def paint(figure: Any) -> None:
        roc, pr = figure.subplots(1, 2)
        for (name, (scores, labels)), (colour, dash) in zip(arrays.items(), _STYLES, strict=False):
            line = {"color": colour, "linestyle": dash, "label": name}
            roc.plot(*roc_points(scores, labels), **line)
            pr.plot(*pr_points(scores, labels), drawstyle="steps-pre", **line)
        share = float(np.mean(first[1]))
        roc.plot([0, 1], [0, 1], color=MUTED, linewidth=0.7, alpha=0.6)
        pr.axhline(share, color=MUTED, linewidth=0.7, alpha=0.6)
        _frame(roc, "ROC", "overkill rate (FPR)", "recall (1 − escape rate)")
        _frame(pr, "Precision and recall", "recall (1 − escape rate)", "precision")
        if threshold is not None:
            _operating_point(roc, pr, *first, threshold)
        boxed = {"facecolor": PAPER, "edgecolor": "none", "framealpha": 1.0}
        roc.legend(loc="lower right", labelcolor=INK, fontsize=8, **boxed)

    return draw("curves", f"ROC and precision-recall of {', '.join(models)}", 3.9, paint)


def _arrays(predictions: Sequence[Prediction]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.array([p.pred_score for p in predictions])
    return scores, np.array([p.gt_label for p in predictions])


def _frame(axes: Any, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")
    percent_axis(axes.xaxis)
    percent_axis(axes.yaxis)


def _operating_point(
    roc: Any, pr: Any, scores: np.ndarray, labels: np.ndarray, threshold: float
) -> None:
    called = scores >= threshold
    recall, overkill = float(called[labels == 1].mean()), float(called[labels == 0].mean())
    dot = {"marker": "o", "markersize": 7, "color": INK, "linestyle": "none", "zorder": 4}
    roc.plot(overkill, recall, **dot)
    words = f"threshold in force:\nescapes {percent(1 - recall)}\noverkill {percent(overkill)}"
    offset = {"textcoords": "offset points", "va": "top", "fontsize": 8}
    roc.annotate(words, (overkill, recall), xytext=(12, -8), **offset)
    if called.any():
        precision = float(labels[called].mean())
        pr.plot(recall, precision, **dot)
        words = f"recall {percent(recall)}\nprecision {percent(precision)}"
        pr.annotate(words, (recall, precision), xytext=(-10, -10), ha="right", **offset)


def recall_by_type(results: Sequence[MetricResult]) -> str:
    """Return recall per defect type with its interval and n; synthetic types are hollow.

    Args:
        results: figures named ``recall`` with a ``defect_type`` slice; undefined ones say n/a.
    """

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        for height, result in enumerate(results):
            _recall_row(axes, height, result)
        axes.set_yticks(range(len(results)), [shorten(type_of(r), 32) for r in results])
        axes.set(ylim=(len(results) - 0.5, -0.5), xlim=(-0.01, 1.01), xlabel="recall")
        percent_axis(axes.xaxis)
        axes.grid(visible=False, axis="y")

    says = f"recall of {len(results)} defect types with intervals"
    return draw("recalls", says, 0.75 + 0.27 * len(results), paint)


def _recall_row(axes: Any, height: int, result: MetricResult) -> None:
    words = f"n/a · n {result.num_images}"
    if result.value is not None:
        words = f"{number(result.value)} · n {result.num_images}"
        if result.ci_low is not None and result.ci_high is not None:
            ends = [result.ci_low, result.ci_high]
            axes.plot(ends, [height, height], color=ANOMALOUS, linewidth=2, alpha=0.45)
        face = "none" if is_synthetic(result) else ANOMALOUS
        axes.plot(result.value, height, "o", color=ANOMALOUS, markerfacecolor=face, markersize=6)
    axes.annotate(
        words,
        (1, height),
        xycoords=("axes fraction", "data"),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=MUTED,
    )
