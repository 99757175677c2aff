"""One candidate with one seed: fit on the fit set, judge on the tune set, never see more.

A job holds paths and plain values, so it crosses into a compute process; its manifests hold no
report image at all, which makes reading one there impossible rather than forbidden.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.calibrate import threshold_at_fpr
from components.data.manifest import read_manifest
from components.data.subset import stratified_subset
from components.errors import DataError, LeakError
from components.models.feature_store import saved_seconds
from components.pruning import Lookout, Watch
from components.records import (
    Calibration,
    FittedDetector,
    ImageRecord,
    Manifest,
    Prediction,
    Record,
    Split,
)
from components.train import TrainParams, fit
from components.truth import Located, located_figures, truth_of
from components.watched import moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Below this many granted real defects the synthetic ones carry the plain metric names.
MIN_REAL_DEFECTS = 5


class SetPaths(Record):
    """Where the prepared (fit and tune rows only) and the synthetic manifests lie."""

    real_manifest: Path
    real_root: Path
    synthetic_manifest: Path
    synthetic_root: Path


class TrialJob(Record):
    """Everything a compute process needs for one fit and its judgement."""

    params: TrainParams
    seed: int
    fingerprint: str
    data_version: str
    sets: SetPaths
    max_fit_images: int | None = None
    max_tune_images: int | None = None
    max_synthetic_images: int | None = None
    weight_folders: tuple[Path, ...] = ()
    deployed_fpr: float = 0.05
    export_to: Path | None = None  # keep and export the model where latency will be measured
    watch: Watch | None = None  # look at an epoch-trained detector as it trains; not fingerprinted


class TrialOutcome(Record):
    """Figures of one candidate with one seed on the tune set."""

    metrics: dict[str, float | None]
    basis: str  # "real" or "synthetic": whose figures carry the plain names
    predictions: tuple[Prediction, ...]
    fit_s: float  # both as if nothing had come from the feature store
    predict_s: float
    peak_bytes: int
    size_bytes: int | None = None
    fitted: FittedDetector
    calibration: Calibration | None = None
    curve: dict[int, float] = {}  # moment of a watched training -> image AUROC, synthetic defects


def read_sets(job_sets: SetPaths) -> tuple[Manifest, Manifest]:
    """Return the real (fit and tune) and the synthetic manifests.

    Raises:
        LeakError: a report image stands among them.
    """
    real = read_manifest(job_sets.real_manifest, job_sets.real_root)
    synthetic = read_manifest(job_sets.synthetic_manifest, job_sets.synthetic_root)
    leaked = [r.image_path for m in (real, synthetic) for r in m.records if r.split == Split.REPORT]
    if leaked:
        raise LeakError(
            "E167",
            f"{len(leaked)} report images would be read before evaluation, e.g. {leaked[0]}.",
            "Only `evaluate` may open the report set.",
        )
    return real, synthetic


def run_trial(job: TrialJob) -> TrialOutcome:
    """Fit a candidate and measure it on the tune set, real and synthetic defects apart.

    Raises:
        GivenUpError: E345, a watched training was given up.
    """
    real, synthetic = read_sets(job.sets)
    fit_records = stratified_subset(real.of(Split.FIT, label=0), job.max_fit_images)
    tune_records = stratified_subset(real.of(Split.TUNE), job.max_tune_images)
    drawn = stratified_subset(synthetic.records, job.max_synthetic_images)
    synthetic = synthetic.model_copy(update={"records": drawn})
    with tempfile.TemporaryDirectory(prefix="defectloop-trial-") as scratch:
        folder = job.export_to or Path(scratch) / "model"
        lookout = _lookout(job, real, synthetic)
        fitted = fit_to(job, real, fit_records, folder, lookout)
        started, spared_s = time.perf_counter(), saved_seconds()
        judged = judge_on_tune(folder, real, tune_records, synthetic, job.deployed_fpr)
        metrics, basis, predictions = judged
        predict_s = time.perf_counter() - started + saved_seconds() - spared_s
        size = _export(folder) if job.export_to else None
    return TrialOutcome(
        metrics=metrics,
        basis=basis,
        predictions=predictions,
        fit_s=fitted.fit_s,
        predict_s=predict_s,
        peak_bytes=fitted.peak_bytes,
        size_bytes=size,
        fitted=fitted,
        curve=lookout.curve if lookout else {},
    )


def _lookout(job: TrialJob, real: Manifest, synthetic: Manifest) -> Lookout | None:
    if job.watch is None or job.params.detector.facts.training != "epochs":
        return None
    return Lookout(job.watch, real, synthetic, job.params.image_size_px)


def fit_to(
    job: TrialJob,
    manifest: Manifest,
    records: Sequence[ImageRecord],
    folder: Path,
    lookout: Lookout | None = None,
) -> FittedDetector:
    """Fit the job's candidate on some normals and save it to a folder."""
    from components.models.backbones import WeightStore

    watch = None
    if lookout is not None and job.watch is not None:
        num_epochs = getattr(job.params.detector, "num_epochs", 1)
        watch = (moments(num_epochs, job.watch.checks), lookout.look)
    return fit(
        job.params,
        manifest,
        records,
        WeightStore(job.weight_folders),
        seed=job.seed,
        out=folder,
        data_version=job.data_version,
        fingerprint=job.fingerprint,
        watch=watch,
    )


def judge_on_tune(
    folder: Path,
    real: Manifest,
    tune_records: tuple[ImageRecord, ...],
    synthetic: Manifest,
    deployed_fpr: float,
) -> tuple[dict[str, float | None], str, tuple[Prediction, ...]]:
    """Return metrics (plain, ``real/…``, ``synthetic/…``), their basis, and all predictions."""
    from components.predict import TorchModel

    model = TorchModel(folder)
    real_predictions, real_maps = scored(model, real, tune_records)
    synthetic_predictions, synthetic_maps = scored(model, synthetic, synthetic.records)
    if not model.localises:
        real_maps, synthetic_maps = [], []
    normals = [p for p in real_predictions if p.gt_label == 0]
    if not normals:
        raise DataError("E168", "The tune set has no normal image.", "Raise split.tune.")
    num_real = sum(p.gt_label for p in real_predictions)
    of_real = figures(real_predictions, real_maps, deployed_fpr) if num_real else {}
    normal_maps = [(m, k) for (m, k), p in zip(real_maps, real_predictions) if p.gt_label == 0]
    of_synthetic = figures(
        (*normals, *synthetic_predictions), [*normal_maps, *synthetic_maps], deployed_fpr
    )
    basis = "real" if num_real >= MIN_REAL_DEFECTS else "synthetic"
    plain = of_real if basis == "real" else of_synthetic
    metrics = (
        dict(plain)
        | {f"real/{name}": value for name, value in of_real.items()}
        | {f"synthetic/{name}": value for name, value in of_synthetic.items()}
    )
    return metrics, basis, (*real_predictions, *synthetic_predictions)


def scored(
    model: Any,
    manifest: Manifest,
    records: tuple[ImageRecord, ...],
    transform: Callable[..., Any] | None = None,
) -> tuple[tuple[Prediction, ...], list[Located]]:
    """Return predictions and, in the same order, (map, truth); truth is None where unusable."""
    from components.predict import predict

    maps: list[Located] = []

    def keep(record: ImageRecord, anomaly_map: "NDArray[np.float32]") -> None:
        maps.append((anomaly_map, truth_of(manifest, record)))

    predictions = predict(model, manifest, records, collect=keep, transform=transform)
    return predictions, maps


def figures(
    predictions: tuple[Prediction, ...], maps: list[Located], deployed_fpr: float
) -> dict[str, float | None]:
    """Return image and, where masks are usable, pixel figures; undefined ones are None."""
    from components.evaluate import image_figures

    scores = np.array([p.pred_score for p in predictions])
    labels = np.array([p.gt_label for p in predictions])
    threshold = threshold_at_fpr(scores[labels == 0], deployed_fpr)
    found: dict[str, float | None] = dict(image_figures(scores, labels, threshold))
    found |= located_figures(maps)
    return found


def _export(folder: Path) -> int:
    from components.export import export, seal
    from components.predict import TorchModel

    export(TorchModel(folder), folder)
    seal(folder)
    return (folder / "model.onnx").stat().st_size
