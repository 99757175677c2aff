"""What a station's study will cost, step by step, and how many processes fit beside each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from components.costs.forecast import Cost, Images, coreset_plan, fit_cost, largest_plan
from components.costs.pace import Pace
from components.errors import PipelineError
from components.memory import PARENT_BYTES
from components.records import Record
from components.station import StationConfig, StudySize
from components.train import TrainParams

_EXPORT_SHARE = 0.4  # of the imports' time: writing an exported model and checking its parity
_TIMED_REPEATS = 3  # measurements of a model's latency
_CORRUPTED = 4  # reading an image and corrupting it against reading it


class Counts(Record):
    """The images that a run will find, or a guess of them."""

    num_fit: int
    num_tune: int
    num_synthetic: int
    num_report: int
    num_images: int  # all of them, with those that no set takes
    megapixels: float
    guessed: bool  # nothing was prepared yet


@dataclass(frozen=True)
class Preview:
    """Predicted wall seconds by step, and the peak of one compute process."""

    steps: dict[str, float]
    process_bytes: float
    workers: int
    asked_workers: int
    costliest: str  # the candidate with the highest peak
    guessed: bool
    coreset: str = ""  # how the largest of all candidates lies in memory, where there is one

    @property
    def seconds(self) -> float:
        """All steps together."""
        return sum(self.steps.values())

    @property
    def peak_bytes(self) -> int:
        """The whole run: every compute process at its worst, and the one that orders them."""
        return int(PARENT_BYTES + self.workers * self.process_bytes)


def preview(
    config: StationConfig,
    size: StudySize,
    counts: Counts,
    pace: Pace,
    *,
    workers: int,
    remembers: bool,
) -> Preview:
    """Predict a first run of a station; ``remembers``: whether there is a feature store."""
    tried = candidates(config, size)
    num_fit = _at_most(counts.num_fit, size.max_fit_images)
    num_tune = _at_most(counts.num_tune, size.max_tune_images)
    num_drawn = _at_most(counts.num_synthetic, size.max_synthetic_images)
    num_report = _at_most(counts.num_report, size.max_report_images)
    trial = Images(num_fit=num_fit, num_scored=num_tune + num_drawn, megapixels=counts.megapixels)
    refit = Images(num_fit=num_fit + num_tune, num_scored=num_tune, megapixels=counts.megapixels)
    costs = [fit_cost(params, trial, pace) for params in tried]
    refits = [fit_cost(params, refit, pace) for params in tried]
    seeds = size.num_finalists * max(0, size.num_seeds - 1) + len(config.models_of(size))
    folds = config.station.calibrate.folds + 1
    evaluate = replace(_mean(refits), backbone_scored_s=_mean(refits).backbone_scored_s / folds)
    judged_s = num_report / max(1, refit.num_scored) * _mean(refits).backbone_scored_s
    # Scored images are the same in every trial: with a store each backbone sees them once.
    distinct = len({(p.detector.backbone, p.image_size_px) for p in tried})
    steps = {
        "tune": _wall(_mean(costs), size.num_trials, workers, distinct if remembers else None),
        "train": _wall(_mean(costs), seeds, workers, 0 if remembers else None),
        "evaluate": _wall(evaluate, 2 * folds, workers, None) + 2 * judged_s,
    }
    steps["tune"] += pace.imports_s
    image_s = _mean(costs).backbone_scored_s / max(1, trial.num_scored)
    timed_s = _TIMED_REPEATS * config.station.evaluate.latency_runs * image_s
    num_exported = size.num_finalists + len(config.models_of(size))
    steps["train"] += num_exported / workers * _EXPORT_SHARE * pace.imports_s
    steps["train"] += size.num_finalists * timed_s
    stressed = len(_severities(config)) * _at_most(num_report, size.stress_images)
    read_s = counts.megapixels * pace.read_s
    steps["evaluate"] += 2 * (_EXPORT_SHARE * pace.imports_s + timed_s)
    steps["evaluate"] += stressed * (image_s + _CORRUPTED * read_s)
    peaks = [max(a.peak_bytes, b.peak_bytes) for a, b in zip(costs, refits, strict=True)]
    highest = max(range(len(peaks)), key=peaks.__getitem__)
    return Preview(
        steps=steps,
        process_bytes=peaks[highest],
        workers=workers,
        asked_workers=workers,
        costliest=tried[highest].name,
        guessed=counts.guessed,
        coreset=largest_plan(coreset_plan(params, refit) for params in tried),
    )


def candidates(config: StationConfig, size: StudySize) -> tuple[TrainParams, ...]:
    """Return each model of a study with each backbone and image size that it may take."""
    search = config.station.search
    found: dict[str, TrainParams] = {}
    for model in config.models_of(size).values():
        accepted = [b for b in search.backbone if b in model.detector.facts.backbones]
        for backbone in accepted or [model.detector.backbone]:
            same = backbone == model.detector.backbone
            layers = model.detector.layers if same else model.detector.facts.layers_of(backbone)
            fields = {"backbone": backbone, "layers": layers}
            ratios = getattr(search, "coreset_ratio", ())
            if hasattr(model.detector, "coreset_ratio") and ratios:
                fields["coreset_ratio"] = max(ratios)
            detector = model.detector.model_dump() | fields
            for side in search.image_size_px or (model.image_size_px,):
                try:
                    made = model.replaced(detector=detector, image_size_px=side)
                except ValueError:  # a transformer that looks at one size alone
                    made = model
                found[made.name] = made
    return tuple(found.values())


def fitting(found: Preview, available_bytes: int) -> Preview:
    """Return the preview with as many processes as the memory holds.

    Raises:
        PipelineError: E333, not even one fits.
    """
    room = available_bytes - PARENT_BYTES
    fits = int(room // found.process_bytes) if room > 0 else 0
    if fits < 1:
        raise PipelineError(
            "E333",
            f"{found.costliest} needs about {_gb(found.process_bytes)} in one process, and "
            f"{_gb(max(room, 0))} are free or declared beside the run itself.",
            "Take a smaller coreset_ratio, image_size_px, batch_size or max_fit_images, free some "
            "memory, or declare more in DEFECTLOOP_MEMORY_BYTES.",
        )
    workers = min(found.workers, fits)
    slower = found.workers / workers
    steps = {name: seconds * slower for name, seconds in found.steps.items()}
    return replace(found, workers=workers, steps=steps)


def words(found: Preview) -> tuple[str, ...]:
    """Return the time, the memory and the largest coreset of a preview as people read them."""
    taken = {name: seconds for name, seconds in found.steps.items() if seconds > 0}
    by_step = ", ".join(f"{name} {_minutes(seconds)}" for name, seconds in taken.items())
    guess = "; images not counted yet" if found.guessed else ""
    time = f"about {_minutes(found.seconds)} here ({by_step}{guess})"
    processes = "1 process" if found.workers == 1 else f"{found.workers} processes"
    memory = f"about {_gb(found.peak_bytes)}: {processes} of up to {_gb(found.process_bytes)}"
    if found.workers < found.asked_workers:
        memory += f" instead of {found.asked_workers}, which do not fit"
    return time, memory, *([found.coreset] if found.coreset else [])


def _severities(config: StationConfig) -> list[float]:
    stress = config.station.evaluate.stress
    return [s for kind in type(stress).model_fields for s in getattr(stress, kind)]


def _wall(cost: Cost, num: int, workers: int, num_scored: int | None) -> float:
    """Return wall seconds of some fits; scored images pass a backbone ``num_scored`` times."""
    passes = num if num_scored is None else min(num, num_scored)
    own = num * (cost.backbone_fit_s + cost.other_s) + passes * cost.backbone_scored_s
    return own / max(1, min(workers, num))


def _mean(costs: Sequence[Cost]) -> Cost:
    num = len(costs)
    return Cost(
        backbone_fit_s=sum(cost.backbone_fit_s for cost in costs) / num,
        backbone_scored_s=sum(cost.backbone_scored_s for cost in costs) / num,
        other_s=sum(cost.other_s for cost in costs) / num,
        peak_bytes=max(cost.peak_bytes for cost in costs),
    )


def _at_most(count: int, limit: int | None) -> int:
    return count if limit is None else min(count, limit)


def _minutes(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _gb(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:.1f} GB"
