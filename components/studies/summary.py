"""The record of one run of a study: what console, page, Markdown and ``study.json`` share."""

from datetime import datetime
from typing import Literal

from components.records import Latency, Record, StepTiming
from components.studies.cells import CellKey
from components.studies.papers import AgainstPaper
from components.studies.params import Profile, StudyParams
from components.studies.plan import Skipped


class CellRecord(Record):
    """How one cell ended; ``error`` says why it failed."""

    key: CellKey
    state: Literal["done", "reused", "failed"]
    wall_s: float = 0.0
    error: str = ""
    run_id: str = ""  # of MLflow


class ModelLatency(Record):
    """The latency of one exported model, one measurement a batch size."""

    detector: str
    backbone: str
    image_size_px: int
    station: str  # whose images were looked at
    num_train: int
    size_bytes: int  # of the exported model
    measured: tuple[Latency, ...]

    @property
    def alone(self) -> bool:
        """Whether nothing else used the machine meanwhile."""
        return all(latency.alone for latency in self.measured)


class StationImages(Record):
    """What one station gave to a study."""

    station: str
    title: str
    licence: str
    num_train: int
    num_held_out: int
    num_test_normal: int
    num_test_anomalous: int
    data_version: str
    notes: tuple[str, ...] = ()


class StudySummary(Record):
    """Everything that is said about one run of a study, but the figures: those are rows."""

    run_id: str
    study: StudyParams
    profile: Profile
    protocol: Literal["paper"] = "paper"
    started: datetime
    wall_s: float
    images: tuple[StationImages, ...]
    cells: tuple[CellRecord, ...]
    skipped: tuple[Skipped, ...]
    latencies: tuple[ModelLatency, ...] = ()
    comparisons: tuple[AgainstPaper, ...] = ()
    steps: tuple[StepTiming, ...] = ()
    hardware: str
    workers: int
    lineage: dict[str, str] = {}
    reproduce: str

    @property
    def failed(self) -> tuple[CellRecord, ...]:
        """The cells that failed."""
        return tuple(cell for cell in self.cells if cell.state == "failed")

    @property
    def tested_on(self) -> str:
        """Which test images this profile reads, in words."""
        most = self.study.profiles[self.profile].max_test_images
        kind = "test set" if self.study.sets == "official" else "report set"
        return f"the whole {kind}" if most is None else f"at most {most} images of the {kind}"

    @property
    def learned_from(self) -> str:
        """Which normals the detectors learn from, in words."""
        if self.study.sets == "official":
            return "the source's training normals"
        return "the normals of the station's fit and tune sets"

    @property
    def protocol_words(self) -> str:
        """Whose sets are followed, what is read, and that nothing is chosen here."""
        if self.study.sets == "official":
            return f"the papers' protocol: {self.tested_on}, nothing tuned, nothing promoted"
        return f"the station's own sets: {self.tested_on}, nothing chosen on it, nothing promoted"

    @property
    def profile_note(self) -> str:
        """What the profile leaves out, or nothing."""
        size = self.study.profiles[self.profile]
        limits = (
            ("training images", size.max_train_images),
            ("held-out normals", size.max_held_out_images),
            ("test images", size.max_test_images),
        )
        parts = [f"{words} ≤ {limit}" for words, limit in limits if limit is not None]
        left = len(self.study.seeds) - len(self.study.seeds_of(self.profile))
        parts += [f"{left} of {len(self.study.seeds)} seeds left out"] if left else []
        return f"{self.profile} profile: {', '.join(parts)}" if parts else ""
