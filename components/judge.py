"""The report set, read once: figures of a deployed model on real parts it was never tuned on."""

from pathlib import Path

import numpy as np

from components.augment import CORRUPTIONS, corruption
from components.data.images import read_image
from components.data.manifest import read_manifest
from components.data.subset import stratified_subset
from components.evaluate import evaluate, image_figures
from components.predict import ExportedModel, predict
from components.records import (
    Calibration,
    Case,
    EvaluationReport,
    ImageRecord,
    Latency,
    Manifest,
    Parity,
    Prediction,
    Record,
    Split,
    StressPoint,
)
from components.report.gallery import save_case
from components.trial import scored
from components.truth import Located, located_figures

NUM_CASES = 6


class JudgeJob(Record):
    """Which sealed model folder meets which report set."""

    candidate: str
    folder: Path
    fingerprint: str
    data_version: str
    decision_digest: str  # no decision, no report set
    manifest: Path
    root: Path
    max_images: int | None
    bootstrap: int
    confidence: float
    seed: int = 0
    stress: dict[str, tuple[float, ...]] = {}
    stress_images: int | None = None
    pictures_to: Path | None = None


class JudgeOutcome(Record):
    """One evaluation with what is worth looking at."""

    evaluation: EvaluationReport
    misses: tuple[Case, ...] = ()
    false_alarms: tuple[Case, ...] = ()
    stress: tuple[StressPoint, ...] = ()


def run_judge(job: JudgeJob) -> JudgeOutcome:
    """Evaluate an exported model on the report set; optionally pictures and stress curves."""
    assert job.decision_digest, "the report set opens only after a decision"
    manifest = read_manifest(job.manifest, job.root)
    records = stratified_subset(manifest.of(Split.REPORT), job.max_images)
    model = ExportedModel(job.folder)
    calibration = model.calibration
    assert calibration is not None, "a deployed model carries its thresholds"
    predictions, maps = scored(model, manifest, records)
    pixel = (located_figures(maps) if model.localises else {}) or None
    report = evaluate(
        job.candidate,
        Split.REPORT,
        job.fingerprint,
        job.data_version,
        predictions,
        calibration,
        pixel=pixel,
        no_pixel=(
            "no usable masks of real defects"
            if model.localises
            else "the detector does not say where"
        ),
        bootstrap=job.bootstrap,
        confidence=job.confidence,
        seed=job.seed,
    )
    misses, alarms = _cases(job, calibration, manifest, records, predictions, maps)
    return JudgeOutcome(
        evaluation=report.model_copy(
            update={"size_bytes": (job.folder / "model.onnx").stat().st_size}
        ),
        misses=misses,
        false_alarms=alarms,
        stress=_stress(job, model, manifest, records, predictions, calibration.image_threshold),
    )


def with_measurements(
    report: EvaluationReport, latency: Latency | None, parity: Parity | None
) -> EvaluationReport:
    """Return the report with latency and parity, which are measured apart."""
    return report.model_copy(update={"latency": latency, "parity": parity})


def _cases(
    job: JudgeJob,
    calibration: Calibration,
    manifest: Manifest,
    records: tuple[ImageRecord, ...],
    predictions: tuple[Prediction, ...],
    maps: list[Located],
) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Picture the worst misses and the worst false alarms at the deployed threshold."""
    run_dir = job.pictures_to
    if run_dir is None:
        return (), ()
    distance = {p.image_id: p.pred_score - calibration.image_threshold for p in predictions}
    missed = [i for i, p in enumerate(predictions) if p.gt_label and distance[p.image_id] < 0]
    alarmed = [i for i, p in enumerate(predictions) if not p.gt_label and distance[p.image_id] >= 0]
    missed.sort(key=lambda i: distance[predictions[i].image_id])
    alarmed.sort(key=lambda i: -distance[predictions[i].image_id])

    def case(kind: str, rank: int, index: int) -> Case:
        record, prediction = records[index], predictions[index]
        anomaly_map, truth = maps[index]
        shown = truth.mask if truth is not None and truth.mask.any() else None
        image_png, map_png, mask_png = save_case(
            run_dir,
            read_image(manifest.path(record)),
            anomaly_map,
            shown,
            f"{kind}_{rank}",
            calibration.pixel_threshold,
        )
        return Case(
            image_id=record.image_id,
            image_path=record.image_path,
            defect_type=prediction.defect_type,
            pred_score=prediction.pred_score,
            distance=distance[record.image_id],
            image_png=image_png,
            map_png=map_png,
            mask_png=mask_png,
        )

    return (
        tuple(case("miss", n, i) for n, i in enumerate(missed[:NUM_CASES])),
        tuple(case("alarm", n, i) for n, i in enumerate(alarmed[:NUM_CASES])),
    )


def _stress(
    job: JudgeJob,
    model: ExportedModel,
    manifest: Manifest,
    records: tuple[ImageRecord, ...],
    clean: tuple[Prediction, ...],
    threshold: float,
) -> tuple[StressPoint, ...]:
    """Measure the deployed threshold under each corruption; severity 0 is the clean image."""
    chosen = stratified_subset(records, job.stress_images)
    ids = {record.image_id for record in chosen}
    points: list[StressPoint] = []
    for kind, severities in job.stress.items():
        assert kind in CORRUPTIONS, kind
        augmentation = corruption(kind)
        at_rest = tuple(p for p in clean if p.image_id in ids)
        points.append(_stress_point(kind, 0.0, at_rest, threshold))
        for severity in severities:

            def corrupt(
                image: np.ndarray, rng: np.random.Generator, severity: float = severity
            ) -> np.ndarray:
                return augmentation.stress(image, None, severity, rng)[0]  # noqa: B023 - used at once

            predictions = predict(model, manifest, chosen, transform=corrupt)
            points.append(_stress_point(kind, severity, predictions, threshold))
    return tuple(points)


def _stress_point(
    kind: str, severity: float, predictions: tuple[Prediction, ...], threshold: float
) -> StressPoint:
    scores = np.array([p.pred_score for p in predictions])
    labels = np.array([p.gt_label for p in predictions])
    found = image_figures(scores, labels, threshold)
    return StressPoint(
        corruption=kind,
        severity=severity,
        image_auroc=found["image_auroc"],
        escape_rate=found["escape_rate"],
        overkill_rate=found["overkill_rate"],
        num_images=len(predictions),
    )
