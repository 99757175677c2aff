"""How long a study will take and what it will hold: from cells of before, else from calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from components.costs.forecast import Images, coreset_plan, fit_cost, largest_plan, timed_alone
from components.costs.pace import Pace
from components.studies.cells import CellJob


@dataclass(frozen=True)
class Past:
    """One finished cell: what ran, on how many images in all, for how long."""

    detector: str
    backbone: str
    image_size_px: int
    num_images: int
    wall_s: float


@dataclass(frozen=True)
class Forecast:
    """What the cells of a study take, as far as it is known."""

    cells_s: float  # of all known cells, one after the other
    num_cells: int
    unknown: tuple[str, ...] = ()  # detector/backbone of which nothing is known
    peaks: Mapping[str, float] = field(default_factory=dict)  # the known ones': bytes of a process
    coreset: str = ""  # how the largest coreset lies in memory, where there is one

    def wall_s(self, workers: int) -> float:
        """Return how long the known cells take in some processes."""
        return self.cells_s / max(1, min(workers, self.num_cells))

    def words(self, workers: int) -> str:
        """Return ``about 12 min``, with what the guess leaves out."""
        seconds = self.wall_s(workers)
        if not seconds:
            return "duration unknown: no such cell was run here before" if self.unknown else "none"
        about = f"about {seconds / 60:.0f} min" if seconds >= 90 else "under 2 min"
        return about + (f" without {', '.join(self.unknown)} (never run here)" * bool(self.unknown))


def forecast(
    jobs: Sequence[CellJob],
    looks: Mapping[str, Images],
    past: Sequence[Past],
    machine: Pace | None = None,
) -> Forecast:
    """Predict the time of cells and the peak of each detector with each backbone.

    ``looks``: a cell's fingerprint -> the images that it fits and scores. What ran before, at that
    size, took some seconds an image (the median counts). Of the rest, what the calibration of this
    ``machine`` says; where it has none, other backbones of the detector stand in; else the pair of
    detector and backbone is named as unknown. No peak is given that would rest on a guess.
    """
    known, unknown, peaks = 0.0, dict[str, None](), dict[str, float]()
    for job in jobs:
        images = looks[job.fingerprint]
        seconds = _seconds(job, images, past, machine)
        if seconds is None:
            unknown[pair_of(job)] = None
        else:
            known += seconds
        if machine is not None and _is_timed(job, machine):
            peak = fit_cost(job.params, images, machine).peak_bytes
            peaks[pair_of(job)] = max(peaks.get(pair_of(job), 0.0), peak)
    plans = (coreset_plan(job.params, looks[job.fingerprint]) for job in jobs)
    return Forecast(known, len(jobs), tuple(unknown), peaks, largest_plan(plans))


def pair_of(job: CellJob) -> str:
    """Return a cell's detector and backbone as people read them."""
    return f"{job.key.detector}/{job.key.backbone}"


def num_images(job: CellJob, images: Images) -> int:
    """Return how many images a cell looks at, with augmented copies of those it learns from."""
    return (1 + job.params.augment_copies) * images.num_fit + images.num_scored


def _seconds(
    job: CellJob, images: Images, past: Sequence[Past], machine: Pace | None
) -> float | None:
    alike = [
        p
        for p in past
        if p.detector == job.key.detector and p.image_size_px == job.params.image_size_px
    ]
    same = [p for p in alike if p.backbone == job.key.backbone]
    if not same and machine is not None and _is_timed(job, machine):
        return fit_cost(job.params, images, machine).seconds
    paces = [p.wall_s / p.num_images for p in same or alike if p.num_images]
    return median(paces) * num_images(job, images) if paces else None


def _is_timed(job: CellJob, machine: Pace) -> bool:
    parts = timed_alone(job.params.detector.backbone)
    return bool(parts) and set(parts) <= set(machine.backbones)
