"""What a study optimises, read from the outcome of a trial."""

from collections.abc import Sequence

from components.search import Objective
from components.trial import TrialOutcome

_MB = 1e6


def objectives_of(
    outcome: TrialOutcome, objectives: Sequence[Objective], metrics: Sequence[str]
) -> tuple[float, ...] | None:
    """Return the objectives in order, or None where one is undefined.

    ``quality`` is the mean of the station's objective metrics on the tune set, against the real
    defects where there are enough of them, else against synthetic ones; ``synthetic_quality`` is
    always against these. ``latency`` stands in for the exported model's: ms an image of the
    tune set took, reading included. ``memory`` is the peak of the process in MB.
    """
    found = [_value(outcome, name, metrics) for name in objectives]
    defined = tuple(value for value in found if value is not None)
    return defined if len(defined) == len(found) else None


def mean_metric(outcome: TrialOutcome, names: Sequence[str], origin: str = "") -> float | None:
    """Return the mean of some metrics (of one origin of defects), None where one is undefined."""
    values = [outcome.metrics.get(f"{origin}{name}") for name in names]
    defined = [value for value in values if value is not None]
    return sum(defined) / len(names) if len(defined) == len(names) else None


def _value(outcome: TrialOutcome, name: Objective, metrics: Sequence[str]) -> float | None:
    if name == "quality":
        return mean_metric(outcome, metrics)
    if name == "synthetic_quality":
        return mean_metric(outcome, metrics, "synthetic/")
    if name == "latency":
        return 1000 * outcome.predict_s / max(1, len(outcome.predictions))
    return outcome.peak_bytes / _MB
