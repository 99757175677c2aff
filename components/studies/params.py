"""A study as its YAML file states it: typed, checked whole, fingerprinted."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from components.augment import CORRUPTIONS
from components.errors import ParamsError
from components.metrics.image import TNRS
from components.model_names import load_models
from components.params import Params, read_yaml, validate
from components.studies.variants import Axes
from components.train import TrainParams

LIMITS = (0.01, 0.05, 0.1, 0.3, 1.0)
DECLARED_FPRS = (0.01, 0.05, 0.10)
IMAGE_METRICS = (
    "image_auroc",
    "image_ap",
    "image_f1_max",
    *(f"tpr_at_tnr_{tnr:.2f}" for tnr in TNRS),
    *(f"{rate}_at_fpr_{fpr:g}" for fpr in DECLARED_FPRS for rate in ("overkill", "escape")),
)
PIXEL_METRICS = (
    "pixel_auroc",
    "pixel_ap",
    "pixel_f1_max",
    "aupro",
    *(f"auspro_{limit:g}" for limit in LIMITS),
)
COSTS = ("fit_s", "predict_s", "peak_bytes", "size_bytes")
METRICS = (*IMAGE_METRICS, *PIXEL_METRICS, *COSTS)
LOWER_IS_BETTER = frozenset({*COSTS, *(m for m in METRICS if m.startswith(("overkill", "escape")))})

PAPERS = {
    "002": "Carvalho et al., Computers in Industry 163 (2024) 104151",
    "003": "Chen et al., Engineering Applications of Artificial Intelligence 153 (2025) 110740",
    "004": "Mekhilef et al., A Generative Encoder-Decoder Model for Quality Control (2024)",
}
Profile = Literal["quick", "full"]
# Whose sets a study follows: the source's own split, as the papers do, or the station's, where the
# report set tests what was chosen on the others.
Sets = Literal["official", "station"]


class Reproduces(Params):
    """The printed table that a study repeats; its figures stand beside ours where data agree."""

    paper: Literal["002", "003", "004"]
    table: str  # "Table 6", "Figure 5"
    comment: str = ""  # what cannot be repeated, and why


class StudySize(Params):
    """How much of a study one profile runs; None means all. What is left out is said."""

    num_seeds: int | None = Field(default=None, ge=1)
    max_train_images: int | None = Field(default=None, ge=2)
    max_held_out_images: int | None = Field(default=None, ge=2)
    max_test_images: int | None = Field(default=None, ge=4)
    latency_runs: int = Field(default=60, ge=10)
    batches: tuple[int, ...] = (1, 32)


class StudyParams(Params):
    """Which detectors, on which stations, over which seeds, varying what."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    title: str
    reproduces: Reproduces | None = None
    stations: tuple[str, ...] = Field(min_length=1)
    detectors: tuple[str, ...] = Field(min_length=1)  # files of params/models, or kinds
    planned: tuple[str, ...] = ()  # of the paper's table, not here yet: said, never run
    backbones: tuple[str, ...] = ()  # empty: each detector's own
    sets: Sets = "official"
    seeds: tuple[int, ...] = (0, 1, 2)
    held_out: float = Field(default=0.1, ge=0, lt=1)  # share of the training normals: thresholds
    axes: Axes = Axes()
    metrics: tuple[str, ...] = ("image_auroc",)
    percent: bool = False  # print figures in %
    profiles: dict[Profile, StudySize] = {"quick": StudySize(), "full": StudySize()}

    @field_validator("metrics")
    @classmethod
    def _known(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in metrics if name not in METRICS]
        if unknown:
            raise ValueError(f"unknown {', '.join(unknown)} (valid: {', '.join(METRICS)})")
        return metrics

    @field_validator("stations", "detectors", "backbones", "seeds")
    @classmethod
    def _once(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(values)) < len(values):
            raise ValueError("an entry stands twice")
        return values

    @model_validator(mode="after")
    def _both_profiles(self) -> "StudyParams":
        missing = sorted({"quick", "full"} - set(self.profiles))
        if missing:
            raise ValueError(f"profiles leaves out {', '.join(missing)}")
        corrupt = self.axes.corrupt
        unknown = sorted(set(corrupt.severities) - set(CORRUPTIONS)) if corrupt else []
        if unknown:
            raise ValueError(
                f"axes.corrupt.severities: no {', '.join(unknown)} "
                f"(valid: {', '.join(sorted(CORRUPTIONS))})"
            )
        return self

    def seeds_of(self, profile: Profile) -> tuple[int, ...]:
        """Return the seeds that a profile runs."""
        return self.seeds[: self.profiles[profile].num_seeds]


def load_study(path: Path) -> StudyParams:
    """Read a study file.

    Raises:
        ParamsError: E010 no such file; E011 no YAML; E013 an unknown key (the valid ones are
            named) or a bad value; E240 the file's name is not the study's.
    """
    study = validate(StudyParams, read_yaml(path), str(path))
    if study.name != path.stem:
        raise ParamsError("E240", f"{path}: name is {study.name!r}.", "File and name must agree.")
    return study


def load_detectors(params_dir: Path, names: Iterable[str]) -> dict[str, TrainParams]:
    """Return the params that the names of a study's detectors stand for.

    Raises:
        ParamsError: E241 names that stand for nothing; E013 a bad value in a file.
    """
    return load_models(params_dir, names, "Name those that are not here yet under `planned`.")
