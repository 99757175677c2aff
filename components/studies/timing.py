"""Latency of a study's exported models, alone and after all cells.

Protocol: the exported model, warmed up, at each batch size; p50, p95 and p99 of the model with
pre- and post-processing apart, the hardware named. A measurement that other processes disturbed
is kept and says so.
"""

from pathlib import Path

from components.data.images import read_image
from components.data.manifest import read_manifest
from components.data.subset import stratified_subset
from components.latency import MAX_OTHER_CORES, NUM_IMAGES, LatencyOutcome, Neighbours
from components.records import Latency, Record, Split

MIN_RUNS = 10


class StudyLatencyJob(Record):
    """Which sealed model folder to time, on which test images, at which batch sizes."""

    candidate: str
    folder: Path
    manifest: Path
    root: Path
    num_runs: int
    batches: tuple[int, ...]


def run_study_latency(job: StudyLatencyJob) -> LatencyOutcome:
    """Return one measurement a batch size; larger batches are run fewer times, 10 at least."""
    from components.export import measure_latency
    from components.predict import ExportedModel

    manifest = read_manifest(job.manifest, job.root)
    chosen = stratified_subset(manifest.of(Split.TEST), NUM_IMAGES)[:NUM_IMAGES]
    images = [read_image(manifest.path(record)) for record in chosen]
    model = ExportedModel(job.folder)
    found: list[Latency] = []
    for batch in job.batches:
        watch = Neighbours()
        num_runs = max(MIN_RUNS, job.num_runs // batch)
        latency = measure_latency(model, images, num_runs=num_runs, batch=batch)
        alone = watch.cores_used() <= MAX_OTHER_CORES
        found.append(latency.model_copy(update={"alone": alone}))
    return LatencyOutcome(repeats=tuple(found))
