"""One cell of a study: a detector with a backbone on a station, trained one way, with one seed.

A job holds paths and plain values, so it crosses into a compute process. A cell is fitted once and
tested under every condition of its study.
"""

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from components.data.manifest import read_manifest
from components.data.subset import stratified_subset
from components.identity import fingerprint
from components.memory import peak_bytes
from components.models.backbones import WeightStore
from components.records import (
    EvaluationReport,
    FittedDetector,
    Manifest,
    MetricResult,
    Record,
    Split,
)
from components.studies.params import COSTS, Sets, StudySize
from components.studies.protocol import Records, hold_out, training_images
from components.studies.variants import CLEAN, Condition, Variant
from components.train import TrainParams, fit, weights_sha256

if TYPE_CHECKING:
    from components.studies.measure import Measured

_SUBSET = {"max_train_images", "max_held_out_images", "max_test_images"}


class CellKey(Record):
    """What names a cell in every table."""

    station: str
    detector: str  # the name of a model: a file of params/models, or a kind
    backbone: str
    variant: str
    seed: int

    @property
    def name(self) -> str:
        """A line for consoles and records."""
        return f"{self.detector}/{self.backbone} · {self.station} · {self.variant} · {self.seed}"


class CellJob(Record):
    """Everything a compute process needs for one cell; ``manifest`` holds TRAIN and TEST rows."""

    key: CellKey
    params: TrainParams  # with the variant's augmentation
    variant: Variant
    conditions: tuple[Condition, ...]
    manifest: Path
    root: Path
    data_version: str
    held_out: float
    sets: Sets = "official"
    size: StudySize = StudySize()
    weight_folders: tuple[Path, ...] = ()
    export: bool = False  # this cell's model will be timed
    folder: Path | None = None  # where the exported model is kept

    @property
    def fingerprint(self) -> str:
        """What the cell's figures depend on: code, libraries, data, params, weights, seed."""
        return fingerprint(
            "cell",
            params=self.params.model_dump(mode="json"),
            variant=self.variant.model_dump(mode="json"),
            conditions=[c.model_dump(mode="json") for c in self.conditions],
            data=self.data_version,
            weights=weights_sha256(self.params),
            seed=self.key.seed,
            held_out=self.held_out,
            sets=self.sets,
            subset=self.size.model_dump(include=_SUBSET),
            exported=self.export,
        )


class CellOutcome(Record):
    """What one cell found; figures by condition. It can judge no candidate for promotion."""

    key: CellKey
    protocol: Literal["paper"] = "paper"
    evaluations: dict[str, EvaluationReport]  # condition -> figures and raw scores
    thresholds: dict[str, float]  # declared false-positive rate -> threshold
    num_train: int
    num_held_out: int
    num_test: int
    fit_s: float
    predict_s: float  # all test images once, with torch; mean of the conditions
    wall_s: float
    peak_bytes: int
    size_bytes: int  # of the fitted detector on disk
    fitted: FittedDetector

    def figures(self, condition: str) -> dict[str, float | None]:
        """Return the figures of a condition; the cell's costs stand with the clean one."""
        found = {result.name: result.value for result in self.evaluations[condition].results}
        costs = COSTS if condition == CLEAN else ()
        return found | {name: float(getattr(self, name)) for name in costs}


def run_cell(job: CellJob) -> CellOutcome:
    """Fit a cell on its share of the training normals and test it under every condition.

    Raises:
        DataError: E243 fewer training images than the variant asks for.
    """
    started = time.perf_counter()
    manifest = read_manifest(job.manifest, job.root)
    held, rest = hold_out(
        manifest.of(Split.TRAIN, label=0), job.held_out, job.size.max_held_out_images
    )
    learned = training_images(rest, job.variant.num_train, job.key.seed, job.size.max_train_images)
    tested = stratified_subset(manifest.of(Split.TEST), job.size.max_test_images)
    with tempfile.TemporaryDirectory(prefix="defectloop-cell-") as scratch:
        folder = job.folder or Path(scratch) / "model"
        fitted = _fitted(job, manifest, learned, folder)
        size = sum(p.stat().st_size for p in folder.iterdir() if p.is_file())
        at, measured = _measured(job, manifest, held, tested, folder, Path(scratch))
        if job.export:
            _export(folder)
    return CellOutcome(
        key=job.key,
        evaluations={m.condition.name: _report(job, m) for m in measured},
        thresholds=at,
        num_train=len(learned),
        num_held_out=len(held),
        num_test=len(tested),
        fit_s=fitted.fit_s,
        predict_s=sum(m.predict_s for m in measured) / len(measured),
        wall_s=time.perf_counter() - started,
        peak_bytes=max(fitted.peak_bytes, peak_bytes()),
        size_bytes=size,
        fitted=fitted,
    )


def _fitted(job: CellJob, manifest: Manifest, learned: Records, folder: Path) -> FittedDetector:
    return fit(
        job.params,
        manifest,
        learned,
        WeightStore(job.weight_folders),
        seed=job.key.seed,
        out=folder,
        data_version=job.data_version,
        fingerprint=job.fingerprint,
    )


def _measured(
    job: CellJob, manifest: Manifest, held: Records, tested: Records, folder: Path, scratch: Path
) -> "tuple[dict[str, float], list[Measured]]":
    """Return the thresholds that held-out normals set, and what each condition gave."""
    from components.predict import TorchModel, predict
    from components.studies.measure import measured, thresholds

    model = TorchModel(folder)
    at = thresholds(predict(model, manifest, held))
    found = []
    for number, condition in enumerate(job.conditions):
        maps = scratch / f"maps-{number}"
        found.append(measured(model, manifest, tested, condition, at, maps))
    return at, found


def _report(job: CellJob, found: "Measured") -> EvaluationReport:
    key, num_images = job.key, len(found.predictions)
    where = {"station": key.station, "condition": found.condition.name, "variant": key.variant}
    return EvaluationReport(
        candidate=job.params.name,
        split=Split.TEST,
        fingerprint=job.fingerprint,
        data_version=job.data_version,
        results=tuple(
            MetricResult(name=name, value=value, num_images=num_images, slice=where)
            for name, value in found.figures.items()
        ),
        predictions=found.predictions,
        protocol="paper",
    )


def _export(folder: Path) -> None:
    from components.export import export, seal
    from components.predict import TorchModel

    export(TorchModel(folder), folder)
    seal(folder)
