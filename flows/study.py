"""The candidates that selection will compare, measured on the tune set alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.errors import PipelineError
from components.evaluate import eligibility, equal_scores
from components.identity import fingerprint
from components.latency import LatencyOutcome
from components.models.backbones import weights_digest
from components.pruning import GivenUpError
from components.records import CandidateResult
from components.station import StationConfig, StudySize
from components.train import TrainParams
from components.trial import SetPaths, TrialJob, TrialOutcome
from components.tune.objectives import mean_metric
from flows.console import Step
from flows.ledger import Kept, Ledger
from flows.tasks import trial_task
from flows.timing import time_model

CRASHES = ("E194",)  # of our own errors: no fault of the configuration


@dataclass(frozen=True)
class Broken:
    """A job without an outcome: why, and whether the same could go well another time."""

    words: str
    crashed: bool = False
    given_up: GivenUpError | None = None


@dataclass
class Study:
    """The candidates of one run and everything learned about them."""

    config: StationConfig
    size: StudySize
    ledger: Ledger
    sets: SetPaths
    data_hashes: tuple[str, str]
    weight_folders: tuple[Path, ...]
    outcomes: dict[str, dict[int, Kept[TrialOutcome]]] = field(default_factory=dict)
    params: dict[str, TrainParams] = field(default_factory=dict)
    latencies: dict[str, LatencyOutcome] = field(default_factory=dict)
    floors: dict[str, Kept[TrialOutcome]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def objective(self) -> tuple[str, ...]:
        """The tune-set metrics whose mean is maximised."""
        return self.config.station.objective

    def job(self, params: TrainParams, seed: int, export_to: Path | None = None) -> TrialJob:
        """Return the job of one candidate with one seed."""
        size, station = self.size, self.config.station
        return TrialJob(
            params=params,
            seed=seed,
            fingerprint=fingerprint(
                "trial",
                params=params.model_dump(mode="json"),
                seed=seed,
                data=list(self.data_hashes),
                weights=weights_digest(params.detector.backbone, params.detector.weights),
                subset=[size.max_fit_images, size.max_tune_images, size.max_synthetic_images],
                fpr=station.calibrate.deployed_fpr,
                exported=export_to is not None,
            ),
            data_version=self.data_hashes[0],
            sets=self.sets,
            max_fit_images=size.max_fit_images,
            max_tune_images=size.max_tune_images,
            max_synthetic_images=size.max_synthetic_images,
            weight_folders=self.weight_folders,
            deployed_fpr=station.calibrate.deployed_fpr,
            export_to=export_to,
        )


def measure(
    study: Study, jobs: Sequence[TrialJob], step: Step | None, *, floor: bool = False
) -> list[Kept[TrialOutcome] | Broken]:
    """Return, job by job, the kept outcome or the error; finished ones are not computed again.

    A floor is measured like a candidate and never becomes one.
    """
    results: list[Kept[TrialOutcome] | Broken] = []
    found = [study.ledger.find("trial", job.fingerprint, TrialOutcome) for job in jobs]
    futures = [trial_task.submit(j) if f is None else None for j, f in zip(jobs, found)]
    for job, known, future in zip(jobs, found, futures):
        result = known if future is None else _settle(study, job, future)
        assert result is not None
        results.append(result)
        if not isinstance(result, Broken) and not floor:
            study.params[job.params.name] = job.params
            study.outcomes.setdefault(job.params.name, {})[job.seed] = result
        if step is not None:
            step.advance(job.params.name)
    return results


def _settle(study: Study, job: TrialJob, future: Any) -> Kept[TrialOutcome] | Broken:
    """Wait for a trial and record it; an error comes back as its words."""
    outcome = future.result(raise_on_failure=False)
    if not isinstance(outcome, TrialOutcome):
        return broken(outcome)
    return study.ledger.keep(
        "trial",
        f"{job.params.name} seed {job.seed}",
        job.fingerprint,
        outcome,
        params=job.params.model_dump(mode="json") | {"seed": job.seed},
        metrics=outcome.metrics | {"fit_s": outcome.fit_s},
        tags={"candidate": job.params.name, "basis": outcome.basis},
        folder=job.export_to,
    )


def broken(error: object) -> Broken:
    """Return what an error means for a study: given up, failed for good, or crashed."""
    if isinstance(error, GivenUpError):
        return Broken(str(error), given_up=error)
    crashed = not isinstance(error, PipelineError) or error.code in CRASHES
    return Broken(f"{type(error).__name__}: {error}", crashed)


def finalists(study: Study) -> list[str]:
    """Return the front of quality against time on the tune set, best first, then the next best.

    The seconds of one seed's predictions stand in for latency, which is measured later and only
    for those chosen here.
    """

    def quality(name: str) -> float:
        return mean_metric(study.outcomes[name][0].outcome, study.objective) or 0.0

    def seconds(name: str) -> float:
        return study.outcomes[name][0].outcome.predict_s

    ordered = sorted(study.outcomes, key=lambda name: (-quality(name), seconds(name), name))
    front: list[str] = []
    for name in ordered:  # falling quality: on the front is who is faster than all before
        if not front or seconds(name) < seconds(front[-1]):
            front.append(name)
    rest = [name for name in ordered if name not in front]
    return (front + rest)[: study.size.num_finalists]


def train(study: Study, step: Step) -> list[str]:
    """Measure the finalists over all seeds, their random-weight floors, and their latency."""
    chosen = finalists(study)
    num_seeds = study.size.num_seeds
    jobs: list[TrialJob] = []
    for name in chosen:
        params = study.params[name]
        exported_seed = min(1, num_seeds - 1)
        for seed in range(min(1, num_seeds - 1), num_seeds):
            jobs.append(
                _exporting(study, params, seed)
                if seed == exported_seed
                else study.job(params, seed)
            )
    floor_params = {
        study.params[name].detector.kind: _random(study.params[name]) for name in chosen
    }
    floor_jobs = [_exporting(study, params, 0) for params in floor_params.values()]
    step.total(len(jobs) + len(floor_jobs))
    floor_results = measure(study, floor_jobs, step, floor=True)
    for kind, result in zip(floor_params, floor_results, strict=True):
        if not isinstance(result, Broken):
            study.floors[kind] = result
    results = measure(study, jobs, step)
    for job, result in zip(jobs, results, strict=True):
        if isinstance(result, Broken):
            study.errors[job.params.name] = result.words
    for name in chosen:
        _time(study, name)
    step.line = f"{len(chosen)} candidates × {num_seeds} seeds · {len(study.floors)} floors"
    return chosen


def _exporting(study: Study, params: TrainParams, seed: int) -> TrialJob:
    draft = study.job(params, seed, export_to=Path("unset"))
    return draft.model_copy(update={"export_to": study.ledger.folder("trial", draft.fingerprint)})


def _random(params: TrainParams) -> TrainParams:
    return params.replaced(detector=params.detector.replaced(weights="random").model_dump())


def _time(study: Study, name: str) -> None:
    """Time the candidate's exported model; nothing else of the run is going on."""
    exported = [k for k in study.outcomes[name].values() if (k.folder / "model.onnx").is_file()]
    if not exported:
        return
    kept = exported[0]
    study.latencies[name] = time_model(
        study.ledger,
        study.sets,
        name,
        kept.folder,
        kept.outcome.fitted.fingerprint,
        study.config.station.evaluate.latency_runs,
    )


def candidates(
    study: Study, statistic_floor: dict[str, float | None]
) -> tuple[CandidateResult, ...]:
    """Return every candidate as selection reads it, with its floor and why it may be ineligible."""
    table = []
    for name, by_seed in sorted(study.outcomes.items()):
        params = study.params[name]
        seeds = tuple(sorted(by_seed))
        outcomes = [by_seed[seed].outcome for seed in seeds]
        floor = _floor(study, params.detector.kind, statistic_floor)
        names = sorted({metric for outcome in outcomes for metric in outcome.metrics})
        metrics = {m: tuple(o.metrics.get(m) for o in outcomes) for m in names}
        latency = study.latencies.get(name)
        table.append(
            CandidateResult(
                candidate=name,
                params=params.model_dump(mode="json"),
                fingerprint=params.fingerprint(),
                seeds=seeds,
                metrics=metrics,
                fit_s=tuple(o.fit_s for o in outcomes),
                peak_bytes=max(o.peak_bytes for o in outcomes),
                latency_ms=tuple(r.p95_ms for r in latency.repeats) if latency else (),
                size_bytes=next((o.size_bytes for o in outcomes if o.size_bytes), None),
                floor_metrics=floor,
                is_default=params == study.config.default,
                ineligible=_ineligible(outcomes, metrics, floor),
                error=study.errors.get(name, ""),
            )
        )
    failed = sorted(set(study.errors) - set(study.outcomes))
    return (*table, *(_failed(name, study.errors[name]) for name in failed))


def _ineligible(
    outcomes: Sequence[TrialOutcome],
    metrics: dict[str, tuple[float | None, ...]],
    floor: dict[str, float | None],
) -> str:
    if any(equal_scores(outcome.predictions) for outcome in outcomes):
        return f"E120 all {len(outcomes[0].predictions)} scores are identical: it separates nothing"
    return eligibility(metrics, floor)


def _floor(
    study: Study, kind: str, statistic_floor: dict[str, float | None]
) -> dict[str, float | None]:
    """Return, metric by metric, the better of random weights and the best single statistic."""
    random = study.floors[kind].outcome.metrics if kind in study.floors else {}
    floor: dict[str, float | None] = {}
    for name in {*random, *statistic_floor}:
        values = [v for v in (random.get(name), statistic_floor.get(name)) if v is not None]
        floor[name] = max(values, default=None)
    return floor


def _failed(name: str, error: str) -> CandidateResult:
    return CandidateResult(
        candidate=name, params={}, fingerprint="", seeds=(), metrics={}, error=error
    )
