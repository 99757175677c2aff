"""Latency of an exported model, repeated, on images of the tune set."""

import os
import time
from pathlib import Path

from components.data.images import read_image
from components.data.subset import stratified_subset
from components.records import Latency, Record
from components.trial import SetPaths, read_sets

NUM_IMAGES = 16
MAX_OTHER_CORES = 0.3  # a busier neighbour slows a model on the same memory


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
    """Time batch 1 on the exported model after warm-up, and watch whether anything else ran."""
    from components.export import measure_latency
    from components.predict import ExportedModel

    real, _ = read_sets(job.sets)
    chosen = stratified_subset(real.records, NUM_IMAGES)[:NUM_IMAGES]
    images = [read_image(real.path(record)) for record in chosen]
    model = ExportedModel(job.folder)
    watch = Neighbours()
    measured = [
        measure_latency(model, images, num_runs=job.num_runs, batch=1) for _ in range(job.repeats)
    ]
    alone = watch.cores_used() <= MAX_OTHER_CORES
    return LatencyOutcome(repeats=tuple(m.model_copy(update={"alone": alone}) for m in measured))


class Neighbours:
    """How much of the machine other processes used since this was made."""

    def __init__(self) -> None:
        self._clock, self._own, self._busy = time.perf_counter(), time.process_time(), busy_s()

    def cores_used(self) -> float:
        """Return the mean number of cores that others kept busy; 0 where the system is silent."""
        wall_s = max(time.perf_counter() - self._clock, 1e-9)
        own_s = time.process_time() - self._own
        return max(0.0, busy_s() - self._busy - own_s) / wall_s


def busy_s(stat: Path = Path("/proc/stat")) -> float:
    """Return the CPU seconds that all processes together have used since the machine started."""
    if not stat.is_file():
        return 0.0
    fields = [int(word) for word in stat.read_text().splitlines()[0].split()[1:]]
    user, nice, system, _idle, _wait, irq, softirq = fields[:7]
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
