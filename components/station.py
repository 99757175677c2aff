"""A station: one inspection position, wholly described by one YAML file.

``params/stations/<name>.yaml`` holds what changes a result; the files it names under
``params/models``, ``params/selection`` and ``params/expectations`` are part of its fingerprint.
Where things run is in ``flows/settings.py`` and never here.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from components.agreement import SyntheticDemand
from components.data.sections import WRITTEN_OUT, DataSections
from components.errors import ParamsError
from components.model_names import load_models
from components.params import Params, digest_of, override, read_yaml, validate
from components.select import SelectionParams
from components.synthesize.section import SynthesizeParams
from components.train import TrainParams
from components.tune import SearchSpace

# Sections that DVC owns: their bytes are versioned by the file, so no run may override them.
VERSIONED_SECTIONS = (*WRITTEN_OUT, "synthesize")


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
    models: tuple[str, ...] | None = None  # a share of the station's models; None = all
    max_fit_images: int | None = None  # stratified subset, said everywhere; None = all
    max_tune_images: int | None = None
    max_synthetic_images: int | None = None
    max_report_images: int | None = None
    stress_images: int | None = None


class Station(DataSections):
    """One complete configuration."""

    title: str
    licence: str = ""
    synthesize: SynthesizeParams
    objective: tuple[Literal["image_auroc", "image_ap", "aupro", "pixel_auroc"], ...] = (
        "image_auroc",
    )
    models: tuple[str, ...] = Field(min_length=1)  # files of params/models, or kinds; default first
    search: SearchSpace
    calibrate: CalibrateParams = CalibrateParams()
    evaluate: EvaluateParams = EvaluateParams()
    selection: str = "default"
    synthetic_evidence: SyntheticDemand | None = None  # before synthetic defects alone promote
    profiles: dict[Literal["quick", "full"], StudySize]

    @model_validator(mode="after")
    def _profiles_name_models(self) -> "Station":
        for profile, size in self.profiles.items():
            unknown = sorted(set(size.models or ()) - set(self.models))
            if unknown:
                raise ValueError(f"profiles.{profile}.models: {unknown} not in {self.models}")
        return self


class StationConfig(Params):
    """A station with the files it names, ready to run."""

    station: Station
    models: dict[str, TrainParams]
    selection: SelectionParams
    expectations: dict[str, Any]

    def models_of(self, size: StudySize) -> dict[str, TrainParams]:
        """Return the models that a study of this size tries; the first is its default."""
        chosen = size.models or self.station.models
        return {name: self.models[name] for name in self.station.models if name in chosen}

    @property
    def default(self) -> TrainParams:
        """The default configuration, always the first trial."""
        return self.models[self.station.models[0]]


def load_station(params_dir: Path, name: str, settings: tuple[str, ...] = ()) -> StationConfig:
    """Read a station with what it names and apply ``a.b=c`` settings.

    Raises:
        ParamsError: unknown station, model, key or value; a setting of a section that DVC versions.
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
        models=load_models(params_dir, stationed.models),
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
