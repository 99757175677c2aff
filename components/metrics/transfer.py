"""How thresholds that were set on normal images alone carry over to a test set."""

from collections.abc import Mapping

from numpy.typing import ArrayLike

from components.metrics.operating_point import OperatingPoint, operating_point

FPRS = (0.01, 0.05, 0.10)  # the rates that paper 002 sets its thresholds at


def threshold_transfer(
    thresholds: Mapping[str, float], scores: ArrayLike, labels: ArrayLike
) -> dict[str, OperatingPoint]:
    """Return what each threshold does to a test set: the FPR it was set at against the real one.

    ``thresholds``: declared FPR ("0.05") → threshold from normal training or validation scores,
    as ``Calibration.by_fpr`` holds them; ``scores``, ``labels``: N of the test set.
    Source: paper 002, section 4.2.

    Raises:
        DataError: E111 a NaN; E112 lengths differ or a label is neither 0 nor 1.
        UndefinedMetricError: E114 one class only.
    """
    return {fpr: operating_point(scores, labels, at) for fpr, at in thresholds.items()}
