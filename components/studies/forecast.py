"""How long a study will take, from cells that this machine has already finished."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

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

    @property
    def words(self) -> str:
        """Return ``about 12 min``, with what the guess leaves out."""
        if self.wall_s is None:
            return "duration unknown: no such cell was run here before" if self.unknown else "none"
        about = f"about {self.wall_s / 60:.0f} min" if self.wall_s >= 90 else "under 2 min"
        return about + (f" without {', '.join(self.unknown)} (never run here)" * bool(self.unknown))


def forecast(
    jobs: Sequence[CellJob], num_images: Mapping[str, int], past: Sequence[Past], workers: int
) -> Forecast:
    """Predict the wall time of cells: images times the median seconds an image took before.

    ``num_images``: a cell's fingerprint -> images it looks at. A pair of detector and backbone
    that never ran at that size is guessed from other backbones of the detector, then named.
    """
    known, unknown = 0.0, dict[str, None]()
    for job in jobs:
        pace = _pace(job, past)
        if pace is None:
            unknown[f"{job.key.detector}/{job.key.backbone}"] = None
        else:
            known += pace * num_images[job.fingerprint]
    seconds = known / max(1, min(workers, len(jobs)))
    return Forecast(seconds if known or not jobs else None, tuple(unknown))


def _pace(job: CellJob, past: Sequence[Past]) -> float | None:
    alike = [
        p
        for p in past
        if p.detector == job.key.detector and p.image_size_px == job.params.image_size_px
    ]
    same = [p for p in alike if p.backbone == job.key.backbone]
    paces = [p.wall_s / p.num_images for p in same or alike if p.num_images]
    return median(paces) if paces else None
