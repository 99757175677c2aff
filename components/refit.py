"""The chosen candidate, fitted again on every normal of fit and tune, with honest thresholds.

Holding normals out for tuning would cost the deployed model their knowledge. Instead the
thresholds are cross-fitted: each fold's normals are scored by a detector that never saw them
(nor their part), the pooled scores set the threshold, and the deployed detector learns from all.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.calibrate import calibrate, threshold_at_fpr
from components.data.drift import summarise
from components.data.images import read_image
from components.data.subset import stratified_subset
from components.records import (
    Calibration,
    FittedDetector,
    ImageRecord,
    Manifest,
    Parity,
    Record,
    Split,
)
from components.trial import TrialJob, fit_to, read_sets, scored

# Pixel thresholds come from this many map values per image: enough for the declared rates.
PIXELS_PER_IMAGE = 2000


class RefitJob(Record):
    """What to refit, on what, with which declared rates, and where the model folder goes."""

    trial: TrialJob
    held_out_threshold: float  # from the trial, to tell how the threshold transferred
    declared_fprs: tuple[float, ...]
    folds: int
    parity_images: int = 32
    out: Path


class RefitOutcome(Record):
    """A sealed model folder and what is known of it."""

    fitted: FittedDetector
    calibration: Calibration
    parity: Parity
    size_bytes: int
    num_normals: int


def run_refit(job: RefitJob) -> RefitOutcome:
    """Cross-fit the thresholds, fit on all normals, export, check parity, seal."""
    from components.export import check_parity, export, seal
    from components.predict import ExportedModel, TorchModel

    trial = job.trial
    real, _ = read_sets(trial.sets)
    limit = _sum_or_none(trial.max_fit_images, trial.max_tune_images)
    normals = stratified_subset(
        (*real.of(Split.FIT, label=0), *real.of(Split.TUNE, label=0)), limit
    )
    image_scores, pixel_scores, fold_thresholds = _cross_fit(job, real, normals)
    fitted = fit_to(trial, real, normals, job.out)
    calibration = calibrate(
        image_scores,
        pixel_scores,
        deployed_fpr=trial.deployed_fpr,
        declared_fprs=job.declared_fprs,
        split="fit+tune normals, cross-fitted",
        folds=job.folds,
    ).model_copy(
        update={
            "transfer": {
                "held_out_threshold": job.held_out_threshold,
                **{f"fold_{i}_threshold": t for i, t in enumerate(fold_thresholds)},
            }
        }
    )
    calibration.save(job.out / "calibration.json")
    _write_ids(job.out / "trained_on.json", normals)
    summarise(real).save(job.out / "data_summary.json")
    model = TorchModel(job.out)
    export(model, job.out)
    seal(job.out)
    chosen = stratified_subset(real.of(Split.TUNE), job.parity_images)
    images = [read_image(real.path(record)) for record in chosen]
    parity = check_parity(model, ExportedModel(job.out), images)
    return RefitOutcome(
        fitted=fitted,
        calibration=calibration,
        parity=parity,
        size_bytes=(job.out / "model.onnx").stat().st_size,
        num_normals=len(normals),
    )


def _cross_fit(
    job: RefitJob, real: Manifest, normals: tuple[ImageRecord, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[float]]:
    """Score every normal by a detector fitted without its fold: images, pixels, thresholds."""
    import tempfile

    from components.predict import TorchModel

    trial = job.trial
    image_scores: list[float] = []
    pixel_scores: list[NDArray[np.float32]] = []
    thresholds: list[float] = []
    rng = np.random.default_rng(trial.seed)
    for held_out in folds_by_part(normals, job.folds):
        ids = {record.image_id for record in held_out}
        rest = tuple(record for record in normals if record.image_id not in ids)
        with tempfile.TemporaryDirectory(prefix="defectloop-fold-") as scratch:
            folder = Path(scratch) / "model"
            fit_to(trial, real, rest, folder)
            predictions, maps = scored(TorchModel(folder), real, held_out)
        scores = np.array([p.pred_score for p in predictions])
        image_scores.extend(scores.tolist())
        thresholds.append(threshold_at_fpr(scores, trial.deployed_fpr))
        pixel_scores.extend(
            rng.choice(m.ravel(), min(PIXELS_PER_IMAGE, m.size), replace=False) for m, _ in maps
        )
    pixels = np.concatenate(pixel_scores).astype(np.float64)
    return np.array(image_scores), pixels, thresholds


def folds_by_part(
    records: Sequence[ImageRecord], num_folds: int
) -> tuple[tuple[ImageRecord, ...], ...]:
    """Divide records into folds of about equal size, each physical part whole in one of them."""
    parts: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        parts[record.group_id or record.image_id].append(record)
    ordered = sorted(parts, key=lambda part: hashlib.sha256(part.encode()).hexdigest())
    folds: list[list[ImageRecord]] = [[] for _ in range(min(num_folds, len(ordered)))]
    for part in ordered:
        min(folds, key=len).extend(parts[part])
    return tuple(tuple(fold) for fold in folds)


def _sum_or_none(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


def _write_ids(path: Path, records: Sequence[ImageRecord]) -> None:
    text = json.dumps(sorted(record.image_id for record in records), indent=0)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
