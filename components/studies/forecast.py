"""How long a study will take and what it will hold: from cells of before, else from calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from components.costs.forecast import Images, fit_cost, timed_alone
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
    """Predicted wall time, None where it is unknown for every cell; what nothing is known of."""

    wall_s: float | None
    unknown: tuple[str, ...]
    process_bytes: float = 0.0  # the peak of one process; 0 where the machine is not calibrated
    costliest: str = ""  # the cell that has it

    @property
    def words(self) -> str:
        """Return ``about 12 min``, with what the guess leaves out."""
        if self.wall_s is None:
            return "duration unknown: no such cell was run here before" if self.unknown else "none"
        if not self.wall_s and not self.unknown:
            return "none"
        about = f"about {self.wall_s / 60:.0f} min" if self.wall_s >= 90 else "under 2 min"
        return about + (f" without {', '.join(self.unknown)} (never run here)" * bool(self.unknown))


def forecast(
    jobs: Sequence[CellJob],
    looks: Mapping[str, Images],
    past: Sequence[Past],
    workers: int,
    machine: Pace | None = None,
) -> Forecast:
    """Predict the wall time of cells, and the peak of the costliest.

    ``looks``: a cell's fingerprint -> the images that it fits and scores. What ran before, at that
    size, took some seconds an image (the median counts). Of the rest, what the calibration of this
    ``machine`` says; where it has none, other backbones of the detector stand in; else the pair of
    detector and backbone is named as unknown.
    """
    known, unknown, peaks = 0.0, dict[str, None](), {"": 0.0}
    for job in jobs:
        images = looks[job.fingerprint]
        pair = f"{job.key.detector}/{job.key.backbone}"
        seconds = _seconds(job, images, past, machine)
        if seconds is None:
            unknown[pair] = None
        else:
            known += seconds
        if machine is not None:
            peaks[pair] = max(peaks.get(pair, 0), fit_cost(job.params, images, machine).peak_bytes)
    wall_s = known / max(1, min(workers, len(jobs)))
    costliest = max(peaks, key=peaks.__getitem__)
    return Forecast(
        wall_s if known or not jobs else None, tuple(unknown), peaks[costliest], costliest
    )


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
