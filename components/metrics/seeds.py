"""Mean and spread over seeds."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from components.errors import DataError


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (ddof = 1) of ``n`` runs; ``std`` is 0.0 for one run.

    ``n`` says whether a standard deviation of 0.0 was measured (n >= 2) or could not be (n = 1).
    """

    mean: float
    std: float
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation of the runs' values.

    Summed exactly, so that equal values spread by exactly 0 and their order does not matter.

    Raises:
        DataError: E205 no value, or one that is NaN or infinite.
    """
    if len(values) == 0:
        raise DataError("E205", "No value to take a mean over seeds of.", "Run at least one seed.")
    plain = [float(value) for value in values]
    for index, value in enumerate(plain):
        if not math.isfinite(value):
            raise DataError("E205", f"Value {index} of {len(plain)} is {value}.", "Leave it out.")
    std = statistics.stdev(plain) if len(plain) > 1 else 0.0
    return Spread(statistics.mean(plain), std, len(plain))
