"""What a summary's records say, read the same way by the console, the page and the plots."""

from dataclasses import dataclass
from statistics import fmean, stdev

from components.records import (
    Calibration,
    CandidateResult,
    EvaluationReport,
    MetricResult,
    Prediction,
    RunSummary,
)

ROLES = {"winner": "winner", "runner_up": "runner-up", "champion": "champion"}


@dataclass(frozen=True)
class Calls:
    """How the deployed threshold called the real images; a score >= threshold is anomalous."""

    escapes: int
    num_anomalous: int
    overkill: int
    num_normal: int


def evaluated(summary: RunSummary) -> tuple[tuple[str, str, EvaluationReport], ...]:
    """Return (role, candidate, report) of each model judged on the report set, winner first."""
    order = [r for r in ROLES if r in summary.evaluations]
    order += [r for r in summary.evaluations if r not in ROLES]
    return tuple(
        (ROLES.get(r, r), summary.evaluated_names.get(r, report.candidate), report)
        for r in order
        for report in (summary.evaluations[r],)
    )


def headline(report: EvaluationReport, name: str) -> MetricResult | None:
    """Return a figure on real images: the slice ``origin: real``, or the unsliced one."""
    for slices in ({"origin": "real"}, {}):
        for result in report.results:
            if result.name == name and result.slice == slices:
                return result
    return None


def real(report: EvaluationReport) -> tuple[Prediction, ...]:
    """Return the predictions on real images."""
    return tuple(p for p in report.predictions if p.origin == "real")


def calls(report: EvaluationReport) -> Calls | None:
    """Count escapes and overkill on real images; None without a threshold or predictions."""
    predictions = real(report)
    if report.calibration is None or not predictions:
        return None
    anomalous = [p for p in predictions if p.gt_label == 1]
    normal = [p for p in predictions if p.gt_label == 0]
    return Calls(
        escapes=sum(not called(p, report.calibration) for p in anomalous),
        num_anomalous=len(anomalous),
        overkill=sum(called(p, report.calibration) for p in normal),
        num_normal=len(normal),
    )


def called(prediction: Prediction, calibration: Calibration) -> bool:
    """Return whether an image is called anomalous."""
    return prediction.pred_score >= calibration.image_threshold


def recalls(report: EvaluationReport) -> tuple[MetricResult, ...]:
    """Return the recall of each defect type, real ones first, then by value."""
    found = [r for r in report.results if r.name == "recall" and "defect_type" in r.slice]
    return tuple(
        sorted(
            found,
            key=lambda r: (is_synthetic(r), 1.0 if r.value is None else r.value, type_of(r)),
        )
    )


def is_synthetic(result: MetricResult) -> bool:
    """Return whether a figure was measured on synthetic defects."""
    return result.slice.get("origin") == "synthetic"


def type_of(result: MetricResult) -> str:
    """Return the defect type of a figure, marked where it is synthetic."""
    mark = " (synthetic)" if is_synthetic(result) else ""
    return result.slice["defect_type"] + mark


def objective(summary: RunSummary) -> str:
    """Return the quality that the selection maximised (its first ``max`` criterion)."""
    criteria = summary.decision.criteria if summary.decision else ()
    for criterion in criteria:
        if criterion.get("goal") == "max":
            return str(criterion["name"])
    return "image_auroc"


def over_seeds(candidate: CandidateResult, metric: str) -> tuple[float | None, float | None]:
    """Return mean and standard deviation over seeds; each None where it is undefined."""
    return mean_and_std(tuple(v for v in candidate.metrics.get(metric, ()) if v is not None))


def mean_and_std(values: tuple[float, ...]) -> tuple[float | None, float | None]:
    """Return mean and sample standard deviation; None for the second below two values."""
    if not values:
        return None, None
    return fmean(values), stdev(values) if len(values) > 1 else None


def detector_of(candidate: str) -> str:
    """Return the detector part of a candidate's name."""
    return candidate.partition("/")[0]


def floor_values(floors: dict[str, dict[str, float | None]], metric: str) -> dict[str, float]:
    """Return the floors that are defined for a metric, highest first."""
    values = {name: value for name, row in floors.items() if (value := row.get(metric)) is not None}
    return dict(sorted(values.items(), key=lambda item: -item[1]))
