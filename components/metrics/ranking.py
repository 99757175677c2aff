"""Scores and truth as one ranking, from which every ranking metric is read.

A ranking metric needs, for each distinct score of an anomalous item, how many anomalous and how
many normal items reach it. Thresholds that only normal items have never help, so the arrays stay
as short as the anomalous items are few: the normals are sorted once and only counted.

Shapes: U distinct anomalous scores, highest first; B resamples, ahead of U where there are any.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.errors import DataError, PipelineError

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


class UndefinedMetricError(PipelineError):
    """A metric that the data leaves undefined: one class only, no defective region."""


@dataclass(frozen=True)
class Ranking:
    """Counts at each distinct anomalous score, highest first (``score >= threshold``)."""

    thresholds: Floats  # U
    hits: Ints  # U or BxU: anomalous items with exactly this score
    true_positives: Ints  # U or BxU: anomalous items with at least this score
    false_positives: Ints  # U or BxU: normal items with at least this score
    false_positives_above: Ints  # U or BxU: normal items with a higher score
    num_positives: int
    num_negatives: int


def checked_scores(scores: ArrayLike, name: str = "score") -> Floats:
    """Return scores as a float array of one axis.

    Raises:
        DataError: E111 names the index of the first NaN; E112 the shape is not one axis.
    """
    array = np.asarray(scores)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    if array.ndim != 1:
        raise DataError("E112", f"{name}s have shape {array.shape}, not one axis.", "Flatten them.")
    bad = np.isnan(array)
    if bad.any():
        index = int(np.argmax(bad))
        raise DataError("E111", f"{name} {index} of {array.size} is NaN.", "Mend its source.")
    return array


def checked(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """Return scores (N floats) and labels (N booleans, True = anomalous).

    Raises:
        DataError: E111 a NaN; E112 lengths differ or a label is neither 0 nor 1.
        UndefinedMetricError: E114 one class only.
    """
    array = checked_scores(scores)
    truth = np.asarray(labels)
    if truth.shape != array.shape:
        raise DataError("E112", f"{array.size} scores but labels of shape {truth.shape}.")
    if not np.isin(truth, (0, 1)).all():
        raise DataError("E112", "A label is neither 0 (normal) nor 1 (anomalous).")
    positive = truth.astype(bool)
    num_positives = int(positive.sum())
    if num_positives in (0, truth.size):
        raise one_class(truth.size - num_positives, num_positives, "images")
    return array, positive


def one_class(num_normal: int, num_anomalous: int, items: str) -> UndefinedMetricError:
    """Return the error that says which class is missing."""
    return UndefinedMetricError(
        "E114",
        f"Only one class among the {items} ({num_normal} normal, {num_anomalous} anomalous): "
        "ranking metrics are undefined.",
        "Reported as n/a.",
    )


def rank(scores: ArrayLike, labels: ArrayLike) -> Ranking:
    """Rank N scores by their labels; raises as :func:`checked`."""
    array, positive = checked(scores, labels)
    return rank_apart(array[positive], array[~positive])


def rank_apart(positives: Floats, negatives: Floats) -> Ranking:
    """Rank anomalous against normal scores; both are non-empty and free of NaN."""
    values, hits = np.unique(positives, return_counts=True)
    ascending = np.sort(negatives)
    return _ranking(values[::-1], hits[::-1].astype(np.int64), ascending)


def _ranking(thresholds: Floats, hits: Ints, negatives_ascending: Floats) -> Ranking:
    above, reaching = _negatives_at(thresholds, negatives_ascending)
    return Ranking(
        thresholds=thresholds,
        hits=hits,
        true_positives=np.cumsum(hits),
        false_positives=reaching,
        false_positives_above=above,
        num_positives=int(hits.sum()),
        num_negatives=negatives_ascending.size,
    )


def _negatives_at(thresholds: Floats, ascending: Floats) -> tuple[Ints, Ints]:
    above = ascending.size - np.searchsorted(ascending, thresholds, side="right")
    reaching = ascending.size - np.searchsorted(ascending, thresholds, side="left")
    return above.astype(np.int64), reaching.astype(np.int64)


def rank_weighted(
    positives: Floats, weights: Sequence[Floats], negatives: Floats
) -> tuple[Ranking, tuple[Floats, ...]]:
    """Rank, and sum each array of weights (one a positive) over equal scores.

    ``negatives`` is sorted in place, so that large sets are held once.
    """
    order = np.argsort(positives)[::-1]
    descending = positives[order]
    starts = np.flatnonzero(np.r_[True, descending[1:] != descending[:-1]])
    hits = np.diff(np.r_[starts, descending.size]).astype(np.int64)
    negatives.sort()
    summed = tuple(np.add.reduceat(weight[order], starts) for weight in weights)
    return _ranking(descending[starts], hits, negatives), summed


def rank_resampled(scores: Floats, positive: NDArray[np.bool_], counts_BN: Ints) -> Ranking:
    """Rank B resamples at once.

    ``counts_BN`` says how often each of the N items was drawn; every resample holds as many
    anomalous and as many normal items as the original (a stratified draw).
    """
    positives, negatives = scores[positive], scores[~positive]
    order = np.argsort(positives, kind="stable")[::-1]
    descending = positives[order]
    starts = np.flatnonzero(np.r_[True, descending[1:] != descending[:-1]])
    hits_BU = np.add.reduceat(counts_BN[:, positive][:, order], starts, axis=1)
    falling = np.argsort(negatives, kind="stable")[::-1]
    drawn_BN = np.cumsum(counts_BN[:, ~positive][:, falling], axis=1)
    drawn_BN = np.concatenate([np.zeros((len(drawn_BN), 1), np.int64), drawn_BN], axis=1)
    above, reaching = _negatives_at(descending[starts], negatives[falling][::-1])
    return Ranking(
        thresholds=descending[starts],
        hits=hits_BU,
        true_positives=np.cumsum(hits_BU, axis=1),
        false_positives=drawn_BN[:, reaching],
        false_positives_above=drawn_BN[:, above],
        num_positives=positives.size,
        num_negatives=negatives.size,
    )
