"""Challenger against champion, paired on the same images."""

from collections.abc import Sequence
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from components.metrics.image import RANKING_METRICS
from components.metrics.intervals import bootstrap_mean, paired_bootstrap
from components.metrics.ranking import rank
from components.records import Comparison, EvaluationReport, Prediction


class How(TypedDict):
    """How intervals are drawn."""

    num: int
    confidence: float
    seed: int


def compare(
    champion: EvaluationReport,
    challenger: EvaluationReport,
    seed: int = 0,
    *,
    num: int = 1000,
    confidence: float = 0.95,
) -> tuple[Comparison, ...]:
    """Return challenger minus champion on the real images that both have scored.

    Ranking figures and, where both are calibrated, each model's own escape and overkill rate;
    intervals by a paired bootstrap over images. Escapes name what was fixed and newly missed.
    """
    old = {p.image_id: p for p in champion.predictions if p.origin == "real"}
    new = {p.image_id: p for p in challenger.predictions if p.origin == "real"}
    how: How = {"num": num, "confidence": confidence, "seed": seed}
    common = sorted(old.keys() & new.keys())
    olds, news = [old[i] for i in common], [new[i] for i in common]
    result = [_compare_ranking(name, olds, news, **how) for name in ("image_auroc", "image_ap")]
    if champion.calibration is None or challenger.calibration is None:
        return tuple(result)
    thresholds = champion.calibration.image_threshold, challenger.calibration.image_threshold
    escapes = _compare_rate("escape_rate", 1, olds, news, thresholds, **how)
    overkills = _compare_rate("overkill_rate", 0, olds, news, thresholds, **how)
    return (*result, escapes, overkills)


def _compare_ranking(
    name: str, olds: Sequence[Prediction], news: Sequence[Prediction], **how: Unpack[How]
) -> Comparison:
    (before, labels), (after, _) = _arrays(olds), _arrays(news)
    if len(np.unique(labels)) < 2:
        return _nothing_to_compare(name)
    read = RANKING_METRICS[name]
    first, second = float(read(rank(before, labels))), float(read(rank(after, labels)))
    low, high = paired_bootstrap(read, before, after, labels, **how)
    return Comparison(
        metric=name,
        champion=first,
        challenger=second,
        delta=second - first,
        ci_low=low,
        ci_high=high,
    )


def _compare_rate(
    name: str,
    label: int,
    olds: Sequence[Prediction],
    news: Sequence[Prediction],
    thresholds: tuple[float, float],
    **how: Unpack[How],
) -> Comparison:
    pairs = [(a, b) for a, b in zip(olds, news, strict=True) if a.gt_label == label]
    if not pairs:
        return _nothing_to_compare(name)
    called = np.array([[p.pred_score >= t for p, t in zip(pair, thresholds)] for pair in pairs])
    wrong = called != bool(label)
    before, after = wrong.mean(axis=0)
    low, high = bootstrap_mean(wrong[:, 1].astype(float) - wrong[:, 0], **how)
    ids = [first.image_id if label else "" for first, _ in pairs]
    fixed = [i for i, (was, now) in zip(ids, wrong, strict=True) if i and was and not now]
    missed = [i for i, (was, now) in zip(ids, wrong, strict=True) if i and now and not was]
    return Comparison(
        metric=name,
        champion=float(before),
        challenger=float(after),
        delta=float(after - before),
        ci_low=low,
        ci_high=high,
        fixed=tuple(fixed),
        newly_missed=tuple(missed),
    )


def _nothing_to_compare(name: str) -> Comparison:
    return Comparison(
        metric=name, champion=None, challenger=None, delta=None, ci_low=None, ci_high=None
    )


def _arrays(predictions: Sequence[Prediction]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    scores = np.array([p.pred_score for p in predictions], np.float64)
    return scores, np.array([p.gt_label for p in predictions], np.int64)
