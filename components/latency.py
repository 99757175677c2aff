"""Latency of an exported model, repeated, on images of the tune set."""

from pathlib import Path

from components.data.images import read_image
from components.data.subset import stratified_subset
from components.records import Latency, Record
from components.trial import SetPaths, read_sets

NUM_IMAGES = 16


class LatencyJob(Record):
    """Which model folder to time, on which images, how often."""

    candidate: str
    folder: Path
    sets: SetPaths
    num_runs: int
    repeats: int = 3


class LatencyOutcome(Record):
    """One measurement per repeat; the first is quoted in reports."""

    repeats: tuple[Latency, ...]


def run_latency(job: LatencyJob) -> LatencyOutcome:
    """Time batch 1 on the exported model after warm-up; the machine must be otherwise idle."""
    from components.export import measure_latency
    from components.predict import ExportedModel

    real, _ = read_sets(job.sets)
    chosen = stratified_subset(real.records, NUM_IMAGES)[:NUM_IMAGES]
    images = [read_image(real.path(record)) for record in chosen]
    model = ExportedModel(job.folder)
    return LatencyOutcome(
        repeats=tuple(
            measure_latency(model, images, num_runs=job.num_runs, batch=1, alone=True)
            for _ in range(job.repeats)
        )
    )
