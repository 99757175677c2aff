"""A station: one inspection position, wholly described by one YAML file.

``params/stations/<name>.yaml`` holds what changes a result; the files it names under
``params/models``, ``params/selection`` and ``params/expectations`` are part of its fingerprint.
Where things run is in ``flows/settings.py`` and never here.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from components.augment import Augmentation
from components.data.formats import Source
from components.data.images import ImageLimits
from components.data.split import SplitParams
from components.errors import ParamsError
from components.params import Params, digest_of, override, read_yaml, validate
from components.select import SelectionParams
from components.synthesize import Synthesizer
from components.train import TrainParams
from components.tune import SearchSpace

Point = tuple[float, float]

# Sections that DVC owns: their bytes are versioned by the file, so no run may override them.
VERSIONED_SECTIONS = ("source", "images", "masks", "group", "split", "prepare", "synthesize")


class PrepareParams(Params):
    """What of each image the station looks at."""

    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)  # left, top, right, bottom

    @field_validator("window")
    @classmethod
    def _ordered(cls, window: tuple[float, ...]) -> tuple[float, ...]:
        left, top, right, bottom = window
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError("window is left, top, right, bottom in 0..1, left < right, top < bottom")
        return window


class SynthesizeParams(Params):
    """Which synthetic defects to draw, how many of each, and where on the part."""

    seed: int = 0
    num_per_kind: int = Field(default=30, ge=1)
    kinds: tuple[Synthesizer, ...]
    regions: tuple[tuple[Point, ...], ...] = ()  # polygons in 0..1; empty = the whole window


class CalibrateParams(Params):
    """At which false-positive rates thresholds are set; ``deployed`` is the one in force."""

    deployed_fpr: float = Field(default=0.05, gt=0, lt=1)
    declared_fprs: tuple[float, ...] = (0.01, 0.05, 0.10)
    folds: int = Field(default=3, ge=2)

    @model_validator(mode="after")
    def _declared(self) -> "CalibrateParams":
        if self.deployed_fpr not in self.declared_fprs:
            raise ValueError("deployed_fpr must be one of declared_fprs")
        return self


class StressParams(Params):
    """Fixed severities for each corruption; 0 (clean) is always measured."""

    defocus: tuple[float, ...] = (1.0, 2.0, 3.0, 5.0)
    iso_noise: tuple[float, ...] = (0.1, 0.2, 0.3, 0.5)
    rotate: tuple[float, ...] = (2.0, 5.0, 10.0, 15.0)


class EvaluateParams(Params):
    """How figures are measured."""

    bootstrap: int = Field(default=1000, ge=100)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    stress: StressParams = StressParams()
    latency_runs: int = Field(default=60, ge=10)


class StudySize(Params):
    """How large a run is under one profile."""

    num_trials: int = Field(ge=1)
    num_seeds: int = Field(ge=1)
    num_finalists: int = Field(ge=1)
    max_fit_images: int | None = None  # stratified subset, said everywhere; None = all
    max_tune_images: int | None = None
    max_report_images: int | None = None
    stress_images: int | None = None


class Station(Params):
    """One complete configuration."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    title: str
    licence: str = ""
    source: Source
    images: ImageLimits = ImageLimits()
    masks: Literal["required", "optional", "none"] = "optional"
    group: str | None = None  # regex over the file name; its groups name the physical part
    split: SplitParams = SplitParams()
    prepare: PrepareParams = PrepareParams()
    expectations: str = "default"
    synthesize: SynthesizeParams
    objective: tuple[Literal["image_auroc", "image_ap", "aupro", "pixel_auroc"], ...] = (
        "image_auroc",
    )
    augment: tuple[Augmentation, ...] = ()
    models: tuple[str, ...] = Field(min_length=1)  # files of params/models; the first is default
    search: SearchSpace
    calibrate: CalibrateParams = CalibrateParams()
    evaluate: EvaluateParams = EvaluateParams()
    selection: str = "default"
    profiles: dict[Literal["quick", "full"], StudySize]


class StationConfig(Params):
    """A station with the files it names, ready to run."""

    station: Station
    models: dict[str, TrainParams]
    selection: SelectionParams
    expectations: dict[str, Any]

    @property
    def default(self) -> TrainParams:
        """The default configuration, always the first trial."""
        return self.models[self.station.models[0]]


def load_station(params_dir: Path, name: str, settings: tuple[str, ...] = ()) -> StationConfig:
    """Read a station with what it names and apply ``a.b=c`` settings.

    Raises:
        ParamsError: unknown station, key or value; a setting of a section that DVC versions.
    """
    path = params_dir / "stations" / f"{name}.yaml"
    values = read_yaml(path)
    for setting in settings:
        section = setting.partition("=")[0].split(".")[0]
        if section in VERSIONED_SECTIONS:
            raise ParamsError(
                "E014",
                f"--set {setting}: section {section!r} decides bytes that DVC versions by file.",
                f"Edit {path} (or copy it to a new station) and run again.",
            )
    stationed = validate(Station, values, str(path))
    if settings:
        complete = stationed.model_dump(mode="json")
        stationed = validate(Station, override(complete, settings), f"{path} with --set")
    if stationed.name != name:
        raise ParamsError(
            "E013", f"{path}: name is {stationed.name!r}.", "The file's name and 'name' must agree."
        )
    return StationConfig(
        station=stationed,
        models={m: _named(params_dir, "models", m, TrainParams) for m in stationed.models},
        selection=_named(params_dir, "selection", stationed.selection, SelectionParams),
        expectations=read_yaml(params_dir / "expectations" / f"{stationed.expectations}.yaml"),
    )


def _named(params_dir: Path, folder: str, name: str, kind: Any) -> Any:
    path = params_dir / folder / f"{name}.yaml"
    return validate(kind, read_yaml(path), str(path))


def section_digest(station: Station, *sections: str) -> str:
    """Return the digest of some sections of a station."""
    dumped = station.model_dump(mode="json")
    return digest_of({section: dumped[section] for section in sections})
