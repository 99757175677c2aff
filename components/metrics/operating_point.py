"""Everything that a threshold decides, from one count of the four outcomes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from components.metrics.ranking import checked


@dataclass(frozen=True)
class OperatingPoint:
    """The four outcomes at a threshold, and the rates they give; a score >= it is anomalous."""

    threshold: float
    num_caught: int  # anomalous, called anomalous
    num_missed: int  # anomalous, called normal
    num_overkill: int  # normal, called anomalous
    num_passed: int  # normal, called normal

    @property
    def fpr(self) -> float:
        """The overkill rate: the share of normal images that are called anomalous."""
        return self.num_overkill / (self.num_overkill + self.num_passed)

    @property
    def fnr(self) -> float:
        """The escape rate: the share of anomalous images that are called normal."""
        return self.num_missed / (self.num_missed + self.num_caught)

    @property
    def tpr(self) -> float:
        """The share of anomalous images that are caught: recall."""
        return self.num_caught / (self.num_missed + self.num_caught)

    @property
    def recall(self) -> float:
        """The same as :attr:`tpr`, under its name beside precision."""
        return self.tpr

    @property
    def precision(self) -> float | None:
        """The share of calls that are right; None where nothing is called anomalous."""
        called = self.num_caught + self.num_overkill
        return self.num_caught / called if called else None

    @property
    def accuracy(self) -> float:
        """The share of all images that are called what they are."""
        right = self.num_caught + self.num_passed
        return right / (right + self.num_missed + self.num_overkill)


def operating_point(scores: ArrayLike, labels: ArrayLike, threshold: float) -> OperatingPoint:
    """Count the outcomes of N ``scores`` with ``labels`` 0 or 1 at a threshold.

    Raises:
        DataError: E111 a NaN; E112 lengths differ or a label is neither 0 nor 1.
        UndefinedMetricError: E114 one class only.
    """
    array, positive = checked(scores, labels)
    called = array >= threshold
    caught = int(np.count_nonzero(called & positive))
    overkill = int(np.count_nonzero(called)) - caught
    num_positive = int(np.count_nonzero(positive))
    return OperatingPoint(
        threshold=float(threshold),
        num_caught=caught,
        num_missed=num_positive - caught,
        num_overkill=overkill,
        num_passed=array.size - num_positive - overkill,
    )
