"""The cells of a study: found in the ledger, computed in processes, timed alone at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from prefect.futures import as_completed

from components.costs.forecast import Images
from components.identity import fingerprint
from components.latency import LatencyOutcome
from components.machine import hardware
from components.stores.tracking import Tracking
from components.studies.cells import CellJob, CellOutcome
from components.studies.forecast import num_images
from components.studies.params import Profile, StudyParams
from components.studies.summary import CellRecord, ModelLatency
from components.studies.timing import StudyLatencyJob
from components.studies.variants import CLEAN
from flows.compute import shared_pool
from flows.console import Step
from flows.ledger import Kept, Ledger
from flows.settings import Settings
from flows.study_images import StudyImages
from flows.tasks import cell_task, study_latency_task
from flows.timing import undisturbed

EXPERIMENT = "studies"  # of MLflow: cells are shared between studies
PROTOCOL: Mapping[str, str] = MappingProxyType({"protocol": "paper"})


class Cells:
    """Every cell of one run of a study, by its name."""

    def __init__(
        self,
        tracking: Tracking,
        parent: str,
        settings: Settings,
        study: StudyParams,
        profile: Profile,
        images: StudyImages,
    ) -> None:
        self.records: dict[str, CellRecord] = {}
        self._kept: dict[str, Kept[CellOutcome]] = {}
        self._tracking, self._parent = tracking, parent
        self._study, self._size, self._images = study, study.profiles[profile], images
        self._ledgers = {
            name: Ledger(tracking, EXPERIMENT, parent, settings.state / "work", version)
            for name, version in images.versions.items()
        }

    def look_up(self, jobs: Sequence[CellJob]) -> tuple[CellJob, ...]:
        """Take what was finished before; return the cells that are still to be computed."""
        missing = []
        for job in jobs:
            found = self._ledger(job).find("cell", job.fingerprint, CellOutcome)
            if found is None:
                missing.append(job)
            else:
                self._done(job, found, "reused")
        return tuple(missing)

    def run(self, jobs: Sequence[CellJob], step: Step) -> None:
        """Compute cells in the pool, recording each as it ends; a failed one stops no other."""
        step.total(len(self.records) + len(jobs))
        step.at(len(self.records), len(self.records) + len(jobs))
        if jobs:
            shared_pool().warm_up()
        running = {cell_task.submit(self._placed(job)): job for job in jobs}
        for future in as_completed(list(running)):
            job = running[future]
            self._settle(job, future.result(raise_on_failure=False))
            step.advance(job.key.name)

    def finished(self, jobs: Sequence[CellJob]) -> tuple[CellOutcome, ...]:
        """Return the outcomes of finished cells, in the order of the jobs."""
        names = [job.key.name for job in jobs]
        return tuple(self._kept[name].outcome for name in names if name in self._kept)

    def looks(self, jobs: Sequence[CellJob]) -> dict[str, Images]:
        """Return by fingerprint the images that a cell fits and scores."""
        found = {}
        for job in jobs:
            images = self._images.sets[job.key.station, _window(job)]
            assert not isinstance(images, str), "a cell without images is never planned"
            num_train = job.variant.num_train or images.num_train
            num_test = min(images.num_test, self._size.max_test_images or images.num_test)
            found[job.fingerprint] = Images(
                num_fit=min(num_train, self._size.max_train_images or num_train),
                num_scored=len(job.conditions) * num_test,
                megapixels=images.megapixels,
            )
        return found

    def time_models(self, jobs: Sequence[CellJob], step: Step) -> tuple[ModelLatency, ...]:
        """Time each exported model, one at a time, once no cell is running."""
        chosen = [j for j in jobs if j.export and j.key.name in self._kept]
        step.total(len(chosen))
        found = []
        for job in chosen:
            found.append(self._time(job))
            step.advance(job.key.name)
        return tuple(found)

    def _time(self, job: CellJob) -> ModelLatency:
        kept, ledger, size = self._kept[job.key.name], self._ledger(job), self._size
        name = f"{job.key.detector}/{job.key.backbone}"
        batches, num_runs = size.batches, size.latency_runs
        mark = fingerprint(
            "study latency",
            model=job.fingerprint,
            hardware=hardware(),
            batches=list(batches),
            num_runs=num_runs,
        )
        known = ledger.find("study_latency", mark, LatencyOutcome)
        if known is None or not undisturbed(known):
            asked = StudyLatencyJob(
                candidate=name,
                folder=kept.folder,
                manifest=job.manifest,
                root=job.root,
                num_runs=num_runs,
                batches=batches,
            )
            outcome = study_latency_task.submit(asked).result()
            known = ledger.keep(
                "study_latency",
                f"latency {name}",
                mark,
                outcome,
                params={"candidate": name},
                metrics={f"latency_p95_ms_batch_{m.batch}": m.p95_ms for m in outcome.repeats},
                tags=dict(PROTOCOL),
            )
        return ModelLatency(
            detector=job.key.detector,
            backbone=job.key.backbone,
            image_size_px=job.params.image_size_px,
            station=job.key.station,
            num_train=kept.outcome.num_train,
            size_bytes=(kept.folder / "model.onnx").stat().st_size,
            measured=known.outcome.repeats,
        )

    def _ledger(self, job: CellJob) -> Ledger:
        return self._ledgers[job.key.station]

    def _placed(self, job: CellJob) -> CellJob:
        """Give a cell whose model is kept the folder to keep it in."""
        if not job.export:
            return job
        folder = self._ledger(job).folder("cell", job.fingerprint)
        return job.model_copy(update={"folder": folder})

    def _settle(self, job: CellJob, outcome: Any) -> None:
        if not isinstance(outcome, CellOutcome):
            self._failed(job, f"{type(outcome).__name__}: {outcome}")
            return
        looked = num_images(job, self.looks((job,))[job.fingerprint])
        numbers = {"wall_s": outcome.wall_s, "num_images": looked}
        placed = self._ledger(job).work / f"cell-{job.fingerprint[:16]}"
        kept = self._ledger(job).keep(
            "cell",
            job.key.name,
            job.fingerprint,
            outcome,
            params=job.params.model_dump(mode="json") | {"seed": job.key.seed},
            metrics={**_metrics(outcome), **numbers},
            tags=_tags(job, self._study.name),
            folder=placed if job.export else None,
        )
        self._done(job, kept, "done")

    def _done(self, job: CellJob, kept: Kept[CellOutcome], state: Any) -> None:
        # another study may know the same work under another name
        outcome = kept.outcome.model_copy(update={"key": job.key})
        self._kept[job.key.name] = replace(kept, outcome=outcome)
        self.records[job.key.name] = CellRecord(
            key=job.key, state=state, wall_s=kept.outcome.wall_s, run_id=kept.run_id
        )

    def _failed(self, job: CellJob, error: str) -> None:
        """Record a failure under a kind that is never taken for finished work."""
        run_id = self._tracking.record(
            EXPERIMENT,
            name=job.key.name,
            kind="failed_cell",
            fingerprint=job.fingerprint,
            params=job.params.model_dump(mode="json") | {"seed": job.key.seed},
            metrics={},
            tags=_tags(job, self._study.name) | {"error": error},
            artifacts=None,
            parent=self._parent,
            data=self._images.versions[job.key.station],
        )
        self.records[job.key.name] = CellRecord(
            key=job.key, state="failed", error=error, run_id=run_id
        )


def _window(job: CellJob) -> str:
    return job.variant.window.name if job.variant.window else ""


def _tags(job: CellJob, study: str) -> dict[str, str]:
    key = job.key
    return {
        **PROTOCOL,
        "study": study,
        "station": key.station,
        "detector": key.detector,
        "backbone": key.backbone,
        "variant": key.variant,
        "seed": str(key.seed),
        "image_size_px": str(job.params.image_size_px),
    }


def _metrics(outcome: CellOutcome) -> dict[str, float | None]:
    """Return the figures by name; those of a corrupted condition carry its name in front."""
    return {
        name if condition == CLEAN else f"{condition.replace(' ', '_')}/{name}": value
        for condition in outcome.evaluations
        for name, value in outcome.figures(condition).items()
    }
