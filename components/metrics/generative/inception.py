"""Inception score: sure of each image, and of many classes together."""

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.generative.features import Floats, checked_features
from components.metrics.seeds import Spread, spread


def inception_score(probabilities: ArrayLike, num_splits: int = 10) -> Spread:
    """Return the score (1..K) as mean and sample standard deviation over splits of the images.

    ``probabilities``: N×K class probabilities, each row summing to 1, in an order without
    meaning (splits are consecutive). The score is blind to a class that the network does not
    know: on inspection images it says little. Source: Salimans et al. 2016, section 4.

    Raises:
        DataError: E207 no probabilities, a row that does not sum to 1, fewer images than splits.
    """
    rows = checked_features(probabilities, "probabilities")
    if (rows < 0).any() or not np.allclose(rows.sum(axis=1), 1, atol=1e-3):
        raise DataError("E207", "A row of probabilities does not sum to 1.", "Apply softmax.")
    if not 1 <= num_splits <= len(rows):
        raise DataError("E207", f"{len(rows)} images cannot make {num_splits} splits.")
    return spread([_score(part) for part in np.array_split(rows, num_splits)])


def _score(rows_NK: Floats) -> float:
    """Return exp of the mean divergence of each row from their mean; 0 log 0 counts as 0."""
    entropy_of_mean = _entropy(rows_NK.mean(axis=0))
    mean_entropy = float(np.mean([_entropy(row) for row in rows_NK]))
    return float(np.exp(max(0.0, entropy_of_mean - mean_entropy)))


def _entropy(row: Floats) -> float:
    positive = row[row > 0]
    return float(-np.sum(positive * np.log(positive)))
