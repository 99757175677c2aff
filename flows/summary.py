"""The RunSummary: what console, report and ``summary.json`` say, assembled once."""

import resource
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from components.identity import environment_versions, file_sha256
from components.metrics.evidence import escape_upper_bound, needed_sentence
from components.records import (
    Case,
    EvaluationReport,
    Manifest,
    Outcome,
    RunSummary,
    StepTiming,
    ValidationReport,
)
from components.station import StationConfig, StudySize
from components.verdict import cautions, verdict
from flows.materials import counts_of

if TYPE_CHECKING:
    from flows.cycle import CycleRun

CLAIMS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)  # escape rates that plants state


def profile_note(config: StationConfig, size: StudySize, profile: str) -> str:
    """Say what a profile leaves out, or nothing where it takes every image."""
    parts = [
        f"{word} ≤ {limit}"
        for word, limit in (
            ("fit", size.max_fit_images),
            ("tune", size.max_tune_images),
            ("synthetic", size.max_synthetic_images),
            ("report", size.max_report_images),
        )
        if limit is not None
    ]
    left_out = sorted(set(config.station.models) - set(size.models or config.models))
    said = [f"a stratified subset of the images ({', '.join(parts)})"] if parts else []
    said += [f"without {', '.join(left_out)}"] if left_out else []
    return f"{profile} profile: {'; '.join(said)}" if said else ""


def closing_summary(run: "CycleRun", outcome: Outcome) -> RunSummary:
    """Return the summary of a run that came to its end."""
    judged, ready, decision = run.judgement, run.ready, run.decided
    winner = judged.winner if judged else None
    evaluation = judged.evaluations.get("winner") if judged else None
    stress = winner.stress if winner else ()
    note = profile_note(run.config, run.size, run.profile)
    warned = cautions(stress, evaluation, decision, run.trials, note)
    return RunSummary(
        **_identity(run, outcome),
        verdict=verdict(
            outcome,
            decision,
            judged.gates if judged else (),
            judged.comparison if judged else (),
            run.registered,
            judged.champion_version if judged else None,
            warned,
        ),
        cautions=warned,
        gates=judged.gates if judged else (),
        comparison=judged.comparison if judged else (),
        counts=ready.counts,
        rejects=ready.ingested.rejects,
        data_notes=ready.ingested.notes,
        validation=ready.validation,
        trials=run.trials,
        tuning=run.tuning,
        candidates=run.candidates,
        floors=run.floors,
        decision=decision,
        evaluations=judged.evaluations if judged else {},
        evaluated_names=judged.names if judged else {},
        report_floors=judged.floors if judged else {},
        misses=_with_source_paths(run, winner.misses) if winner else (),
        false_alarms=_with_source_paths(run, winner.false_alarms) if winner else (),
        stress=stress,
        lineage=_lineage(run),
        registered_version=run.registered,
        champion_version=run.champion,
        limits_of_evidence=_limits_of_evidence(run),
    )


def bad_data_summary(run: "CycleRun", report: ValidationReport, ingested: Manifest) -> RunSummary:
    """Return the summary of a run that validation stopped."""
    failed = [c for c in report.checks if c.severity == "critical" and not c.passed]
    return RunSummary(
        **_identity(run, Outcome.BAD_DATA),
        verdict=f"STOPPED: {len(failed)} critical data check(s) failed: "
        + ", ".join(check.name for check in failed),
        counts=counts_of(ingested),
        rejects=ingested.rejects,
        data_notes=ingested.notes,
        validation=report,
        lineage={"git_sha": _git_sha(run)},
    )


def _with_source_paths(run: "CycleRun", cases: Iterable[Case]) -> tuple[Case, ...]:
    """Name a pictured image by the file that a person knows, not by its content."""
    paths = {record.image_id: record.image_path for record in run.ready.ingested.records}
    return tuple(
        case.model_copy(update={"image_path": paths.get(case.image_id, case.image_path)})
        for case in cases
    )


def _identity(run: "CycleRun", outcome: Outcome) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "station": run.name,
        "title": run.config.station.title,
        "licence": run.config.station.licence,
        "profile": run.profile,
        "profile_note": profile_note(run.config, run.size, run.profile),
        "outcome": outcome,
        "steps": tuple(_steps(run)),
        "reproduce": run.command,
        "wall_s": time.perf_counter() - run.clock,
        "confidence": run.config.station.evaluate.confidence,
        "peak_bytes": _peak_bytes(run),
        "predicted_peak_bytes": run.board.predicted_bytes,
    }


def _steps(run: "CycleRun") -> list[StepTiming]:
    return list(run.board.timings)


def _peak_bytes(run: "CycleRun") -> int:
    """Return what the run held at most: this process and every compute process at its worst."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    compute = max((c.peak_bytes for c in run.candidates), default=0)
    return own + run.settings.workers * compute


def _claim(evaluation: EvaluationReport | None, run: "CycleRun") -> list[str]:
    """Say which escape rate the report set allows to claim, and what the next round one takes."""
    if evaluation is None or evaluation.calibration is None:
        return []
    threshold = evaluation.calibration.image_threshold
    confidence = run.config.station.evaluate.confidence
    defective = [p for p in evaluation.predictions if p.gt_label and p.origin == "real"]
    missed = sum(p.pred_score < threshold for p in defective)
    bound = escape_upper_bound(missed, len(defective), confidence)
    claim = next((rate for rate in CLAIMS if rate < bound), None)
    return [needed_sentence(missed, len(defective), claim, confidence)] if claim else []


def _git_sha(run: "CycleRun") -> str:
    from components.stores.versions import git_sha

    return git_sha(run.settings.root)


def _lineage(run: "CycleRun") -> dict[str, str]:
    versions = run.ready.versions
    judged = run.judgement
    lineage = {
        "git_sha": _git_sha(run),
        "params_fingerprint": run.config.fingerprint(),
        "lock_sha256": file_sha256(run.settings.root / "requirements.lock"),
        "decision_digest": run.decided.digest,
        **{f"data.{stage}": version.content_hash for stage, version in versions.items()},
        **{f"library.{name}": version for name, version in environment_versions().items()},
    }
    if judged and judged.winner_fingerprint:
        lineage |= {
            "model_fingerprint": judged.winner_fingerprint,
            "weights_sha256": judged.weights_sha256,
            "mlflow_run": judged.winner_run_id,
            "model_uri": f"models:/{run.name}/{run.registered}",
        }
    return lineage


def _limits_of_evidence(run: "CycleRun") -> tuple[str, ...]:
    station, limits = run.config.station, []
    judged = run.judgement
    if station.masks == "none":
        limits.append("The source has no masks: where a defect lies was not measured.")
    if judged and judged.winner_refit:
        folds = judged.winner_refit.calibration.cross_fit_folds
        limits.append(
            f"Thresholds are cross-fitted over {folds} folds and transferred to the detector "
            "fitted on all normals; the report set's overkill rate shows how well that held."
        )
    limits += _claim(judged.evaluations.get("winner"), run) if judged else []
    limits.append(
        "Stress curves corrupt report images by formula; a plant's own bad light is not in them."
    )
    if not station.group:
        limits.append(
            "The station names no physical parts: only files and near-duplicates are kept apart."
        )
    return tuple(limits)
