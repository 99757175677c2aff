"""The tuning step: open the station's study, ask, measure, tell, and read what it learned."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from components.errors import PipelineError
from components.identity import fingerprint
from components.pruning import Watch, watch_of
from components.records import NoisePoint, TrialRecord
from components.search import NOISE_STEP, NoiseRange
from components.station import StationConfig, StudySize
from components.train import TrainParams
from components.trial import TrialJob
from components.tune import Suggestion, Tuner
from components.tune.objectives import mean_metric, objectives_of
from components.tune.storage import is_shared
from flows.console import Step
from flows.identity import weights_in_play
from flows.settings import Settings
from flows.study import Broken, Study, measure

# Suggestions are asked for in batches of this size whatever the number of workers, so that the
# study takes the same course on a laptop and on a cluster.
BATCH = 4

_SAID: dict[Literal["duplicate", "pruned", "failed"], str] = {
    "duplicate": "repeated (not measured again)",
    "pruned": "given up early",
    "failed": "failed (reason in report)",
}

Seen = Callable[[Sequence[TrialRecord]], None]  # somebody who watches the trials come in


def open_tuner(
    settings: Settings, config: StationConfig, size: StudySize, data_hashes: tuple[str, str]
) -> Tuner:
    """Open the study that these params and data have, or begin it."""
    station, models = config.station, config.models_of(size)
    mark = fingerprint(
        "study",
        search=station.search.model_dump(mode="json", exclude={"noise_curve"}),
        models={name: model.model_dump(mode="json") for name, model in models.items()},
        objective=list(station.objective),
        data=list(data_hashes),
        subset=[size.max_fit_images, size.max_tune_images, size.max_synthetic_images],
        weights=weights_in_play(config),
    )
    storage = study_storage(settings, station.name)
    return Tuner(storage, mark[:16], station.search, models, seed=0)


def study_storage(settings: Settings, station: str) -> Path | str:
    """Return where a station's study lives: this workspace's SQLite, unless told otherwise."""
    return settings.study_storage or settings.state / "studies" / f"{station}.db"


def is_alone(settings: Settings) -> bool:
    """Whether this process is the only one that may write to its studies."""
    return not is_shared(study_storage(settings, ""))


def tune(
    study: Study,
    tuner: Tuner,
    step: Step,
    seen: Seen | None = None,
) -> tuple[TrialRecord, ...]:
    """Run the study up to its declared number of trials; failed ones are recorded, not fatal.

    ``seen`` gets the records after every batch.

    Raises:
        PipelineError: E180, every trial failed.
    """
    budget = study.size.num_trials
    step.total(budget)
    for _ in range(min(tuner.finished, budget)):
        step.advance()
    while (room := budget - tuner.finished - tuner.at_work) > 0:
        if seen is not None:
            seen(tuner.records())
        asked = [tuner.next() for _ in range(min(BATCH, room))]
        batch = [suggestion for suggestion in asked if suggestion is not None]
        if not batch:
            break
        _run_batch(study, tuner, batch, step)
    records = tuner.records()
    for record in records:
        if record.state == "complete":
            _recall(study, record)
    if seen is not None:
        seen(records)
    if not study.outcomes:
        told = {r.error for r in records if r.error} | set(study.errors.values())
        reasons = "; ".join(sorted(told)[:3])
        raise PipelineError("E180", f"All {len(records)} trials failed: {reasons}", "See the log.")
    step.line = _line(records)
    return tuple(_timed(study, record) for record in records)


def _line(records: Sequence[TrialRecord]) -> str:
    states = Counter(record.state for record in records if not record.retried)
    asked = states.total() - states["duplicate"]
    words = [f"{asked - states['failed']}/{asked} trials"]
    for state, said in _SAID.items():
        words += [f"{states[state]} {said}"] if states[state] else []
    return " · ".join(words)


def _timed(study: Study, record: TrialRecord) -> TrialRecord:
    """Give a trial the seconds that it computed, not those it waited for its batch."""
    kept = study.outcomes.get(record.candidate, {}).get(0)
    if kept is None or record.state != "complete":
        return record
    seconds = kept.outcome.fit_s + kept.outcome.predict_s
    return record.model_copy(update={"duration_s": seconds, "reused": kept.reused})


def _run_batch(study: Study, tuner: Tuner, batch: Sequence[Suggestion], step: Step) -> None:
    jobs = [_watched(study, tuner, suggestion.params) for suggestion in batch]
    results = measure(study, jobs, step)
    for suggestion, result in zip(batch, results, strict=True):
        if isinstance(result, Broken):
            _tell_broken(study, tuner, suggestion, result)
            continue
        values = objectives_of(result.outcome, tuner.space.objectives, study.objective)
        if values is None:
            names = ", ".join((*tuner.space.objectives, *study.objective))
            tuner.fail(suggestion.number, f"undefined on the tune set: one of {names}")
        else:
            tuner.complete(suggestion.number, *values, curve=result.outcome.curve)


def _tell_broken(study: Study, tuner: Tuner, suggestion: Suggestion, broken: Broken) -> None:
    if broken.given_up is not None:
        tuner.prune(suggestion.number, broken.given_up.curve, broken.words)
    elif not tuner.fail(suggestion.number, broken.words, crashed=broken.crashed):
        study.errors[suggestion.params.name] = broken.words


def _watched(study: Study, tuner: Tuner, params: TrainParams) -> TrialJob:
    """Return a trial's job; an epoch-trained detector's is watched where the station says so."""
    job, pruning = study.job(params, seed=0), tuner.space.pruning
    if pruning is None or params.detector.facts.training != "epochs":
        return job
    watch: Watch = watch_of(pruning, tuner.curves(params.detector.kind))
    return job.model_copy(update={"watch": watch})


def _recall(study: Study, record: TrialRecord) -> None:
    """Bring back the figures of a trial that an earlier run finished (or lost: then measure it)."""
    params = TrainParams.model_validate(record.params)
    if 0 in study.outcomes.get(params.name, {}):
        return
    (result,) = measure(study, [study.job(params, seed=0)], None)
    if isinstance(result, Broken):
        study.errors[params.name] = result.words


def noise_curve(study: Study, best: TrainParams, step: Step) -> tuple[NoisePoint, ...]:
    """Measure the best candidate at levels of input noise, everything else held.

    The levels are ``search.noise_curve`` even steps through the detector's range, and its own;
    empty where the station asks for none. They are candidates like any other.
    """
    levels = noise_levels(study.config.station.search.noise_curve, _range(study, best), best)
    jobs = [study.job(best.replaced(input_noise=level), seed=0) for level in levels]
    results = measure(study, jobs, None)
    step.line += f" · σ curve at {len(levels)} levels" if levels else ""
    return tuple(
        NoisePoint(input_noise=level, quality=quality)
        for level, result in zip(levels, results, strict=True)
        if not isinstance(result, Broken)
        and (quality := mean_metric(result.outcome, study.objective)) is not None
    )


def noise_levels(num: int, span: NoiseRange, best: TrainParams) -> tuple[float, ...]:
    """Return ``num`` levels from end to end on the grid of the search, and the candidate's own."""
    if num == 0:
        return ()
    width = span.high - span.low
    even = [span.low + width * i / max(1, num - 1) for i in range(num)]
    snapped = {round(NOISE_STEP * round(level / NOISE_STEP), 6) for level in even}
    return tuple(sorted(snapped | {best.input_noise}))


def _range(study: Study, best: TrainParams) -> NoiseRange:
    search = study.config.station.search
    declared = search.detectors.get(best.detector.kind)
    return (declared.input_noise if declared else None) or search.input_noise
