"""Figures of one detector on one set, with intervals.

Figures of real and of synthetic defects are never pooled: each origin is measured against the
same normals. A figure that the data leaves undefined has the value None and a note that says why.
Comparisons and floors, which readers of a report want beside it, are offered from here too.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from components.compare import compare
from components.floors import eligibility, equal_scores, single_statistic_floor
from components.metrics.image import RANKING_METRICS, RATES, image_figures
from components.metrics.intervals import bootstrap as interval_of
from components.metrics.ranking import UndefinedMetricError, rank
from components.metrics.rates import clopper_pearson
from components.records import Calibration, EvaluationReport, MetricResult, Prediction, Split

__all__ = [
    "compare",
    "eligibility",
    "equal_scores",
    "evaluate",
    "image_figures",
    "single_statistic_floor",
]


def evaluate(
    candidate: str,
    split: Split,
    fingerprint: str,
    data_version: str,
    predictions: Sequence[Prediction],
    calibration: Calibration | None,
    *,
    pixel: Mapping[str, float] | None = None,
    no_pixel: str = "no usable masks of real defects",
    bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> EvaluationReport:
    """Return the figures of one detector on one set, an origin of defects at a time.

    Ranking figures carry a stratified bootstrap interval over images, rates a Clopper-Pearson
    one. ``pixel``: figures of the real images, by name, or None where there are none, and
    ``no_pixel`` then says why.

    Raises:
        DataError: E111 a NaN; E112 labels that are none.
    """
    origins = ["real"]
    if any(p.origin == "synthetic" for p in predictions):
        origins.append("synthetic")
    results: list[MetricResult] = []
    for origin in origins:
        shown = [p for p in predictions if p.gt_label == 0 or p.origin == origin]
        results += _ranking_results(shown, origin, bootstrap, confidence, seed)
        results += _rate_results(shown, origin, calibration, confidence)
        results += _recall_results(shown, origin, calibration, confidence)
    results += _pixel_results(pixel, no_pixel, predictions)
    return EvaluationReport(
        candidate=candidate,
        split=split,
        fingerprint=fingerprint,
        data_version=data_version,
        results=tuple(results),
        predictions=tuple(predictions),
        calibration=calibration,
    )


def _arrays(predictions: Sequence[Prediction]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    scores = np.array([p.pred_score for p in predictions], np.float64)
    return scores, np.array([p.gt_label for p in predictions], np.int64)


def _ranking_results(
    shown: Sequence[Prediction], origin: str, num: int, confidence: float, seed: int
) -> Iterator[MetricResult]:
    scores, labels = _arrays(shown)
    where = {"origin": origin}
    try:
        ranking = rank(scores, labels)
    except UndefinedMetricError as error:
        for name in RANKING_METRICS:
            yield MetricResult(
                name=name, value=None, num_images=len(shown), slice=where, note=str(error)
            )
        return
    for name, read in RANKING_METRICS.items():
        low, high = interval_of(read, scores, labels, num=num, confidence=confidence, seed=seed)
        yield MetricResult(
            name=name,
            value=float(read(ranking)),
            ci_low=low,
            ci_high=high,
            num_images=len(shown),
            slice=where,
        )


def _rate_results(
    shown: Sequence[Prediction], origin: str, calibration: Calibration | None, confidence: float
) -> Iterator[MetricResult]:
    """Yield the rates at the deployed threshold, then at each declared false-positive rate."""
    if calibration is None:
        for name in RATES:
            note = "no threshold was set"
            where = {"origin": origin}
            yield MetricResult(name=name, value=None, num_images=0, slice=where, note=note)
        return
    scores, labels = _arrays(shown)
    thresholds: list[tuple[dict[str, str], float]] = [({}, calibration.image_threshold)]
    thresholds += [({"declared_fpr": fpr}, at) for fpr, at in calibration.by_fpr.items()]
    for where, threshold in thresholds:
        for name, count in RATES.items():
            k, n = count(scores, labels, threshold)
            yield rate_result(name, k, n, {"origin": origin} | where, confidence)


def _recall_results(
    shown: Sequence[Prediction], origin: str, calibration: Calibration | None, confidence: float
) -> Iterator[MetricResult]:
    if calibration is None:
        return
    for defect_type in sorted({p.defect_type for p in shown if p.gt_label == 1}):
        of_type = [p for p in shown if p.gt_label == 1 and p.defect_type == defect_type]
        caught = sum(p.pred_score >= calibration.image_threshold for p in of_type)
        where = {"origin": origin, "defect_type": defect_type}
        yield rate_result("recall", caught, len(of_type), where, confidence)


def rate_result(
    name: str, k: int, n: int, where: dict[str, str], confidence: float
) -> MetricResult:
    """Return a rate of ``k`` of ``n`` with its exact interval and the counts as a note."""
    if n == 0:
        return MetricResult(name=name, value=None, num_images=0, slice=where, note="E114 0 images")
    low, high = clopper_pearson(k, n, confidence)
    return MetricResult(
        name=name,
        value=k / n,
        ci_low=low,
        ci_high=high,
        num_images=n,
        slice=where,
        note=f"{k}/{n}",
    )


def _pixel_results(
    pixel: Mapping[str, float] | None, no_pixel: str, predictions: Sequence[Prediction]
) -> Iterator[MetricResult]:
    where = {"origin": "real"}
    if pixel is None:
        for name in ("pixel_auroc", "aupro"):
            yield MetricResult(name=name, value=None, num_images=0, slice=where, note=no_pixel)
        return
    num = sum(p.origin == "real" for p in predictions)
    for name, value in pixel.items():
        yield MetricResult(name=name, value=value, num_images=num, slice=where)
