"""From a study to its cells: which are run, and which cannot be and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from pydantic import ValidationError

from components.errors import WeightsError
from components.models.backbones import WeightStore
from components.records import Record
from components.studies.cells import CellJob, CellKey
from components.studies.params import Profile, StudyParams
from components.studies.variants import Variant
from components.train import TrainParams

NO_BACKBONE = "none"  # of detectors that start from no pretrained network


class Skipped(Record):
    """Cells that are not run, and the reason that a reader of the tables is told."""

    what: str
    reason: str


@dataclass(frozen=True)
class StudySet:
    """One station's images for one window: a manifest of TRAIN and TEST rows."""

    manifest: Path
    root: Path
    data_version: str
    num_train: int  # normals to learn from once the thresholds' share is held out
    num_test: int
    megapixels: float = 0.1  # of one image, on average


@dataclass(frozen=True)
class Candidate:
    """One row of a study's tables."""

    detector: str
    backbone: str
    params: TrainParams


@dataclass(frozen=True)
class Plan:
    """Every cell of a study in running order, and what was left out."""

    jobs: tuple[CellJob, ...]
    skipped: tuple[Skipped, ...]


def candidates(
    detectors: Mapping[str, TrainParams], backbones: tuple[str, ...], store: WeightStore
) -> tuple[tuple[Candidate, ...], tuple[Skipped, ...]]:
    """Return each detector with each backbone that it takes and whose weights are here."""
    found: list[Candidate] = []
    skipped: list[Skipped] = []
    for name, params in detectors.items():
        own = params.detector.backbone
        choices = (own,) if own == NO_BACKBONE else backbones or (own,)
        for backbone in choices:
            try:
                chosen = with_backbone(params, backbone)
                if params.detector.weights == "pretrained":
                    store.locate_all(chosen.detector.backbone)
                found.append(Candidate(name, backbone, chosen))
            except (ValidationError, WeightsError) as error:
                skipped.append(Skipped(what=f"{name}/{backbone}", reason=_reason(error)))
    return tuple(found), tuple(skipped)


def with_backbone(params: TrainParams, backbone: str) -> TrainParams:
    """Return the params with another backbone; layers that it lacks give way to its own default.

    Raises:
        ValidationError: the detector does not take this backbone.
    """
    detector = params.detector.model_dump()
    if detector["backbone"] == backbone:
        return params
    try:
        return params.replaced(detector=detector | {"backbone": backbone})
    except ValidationError:
        bare = {key: value for key, value in detector.items() if key != "layers"}
        return params.replaced(detector=bare | {"backbone": backbone})


def _reason(error: ValidationError | WeightsError) -> str:
    if isinstance(error, WeightsError):
        return str(error)
    return "; ".join(str(detail["msg"]) for detail in error.errors())


def plan(
    study: StudyParams,
    profile: Profile,
    rows: tuple[Candidate, ...],
    sets: Mapping[tuple[str, str], StudySet | str],
    weight_folders: tuple[Path, ...],
    only: Mapping[str, tuple[str, ...]],
) -> Plan:
    """Return the cells of a study, seed by seed, so that early ones fill every row of a table.

    ``sets`` holds, by station and window name ("" for none), the images or the reason why there
    are none. ``only`` keeps cells whose field (station, detector, backbone, variant, seed) is
    among the given words.
    """
    size, jobs, skipped = study.profiles[profile], [], dict[str, Skipped]()
    for seed, (station, variant, row) in product(
        study.seeds_of(profile), product(study.stations, study.axes.variants, rows)
    ):
        key = CellKey(
            station=station,
            detector=row.detector,
            backbone=row.backbone,
            variant=variant.name,
            seed=seed,
        )
        if not _wanted(key, only):
            continue
        images = sets[station, variant.window.name if variant.window else ""]
        reason = images if isinstance(images, str) else _too_many(variant, images, study, profile)
        if isinstance(images, str) or reason:
            whole = isinstance(images, str) and variant.window is None
            what = station if whole else f"{station} · {variant.name}"
            skipped.setdefault(what, Skipped(what=what, reason=reason))
            continue
        jobs.append(
            CellJob(
                key=key,
                params=trained_as(row.params, variant),
                variant=variant,
                conditions=study.axes.conditions,
                manifest=images.manifest,
                root=images.root,
                data_version=images.data_version,
                held_out=study.held_out,
                sets=study.sets,
                size=size,
                weight_folders=weight_folders,
            )
        )
    return Plan(_exporting(jobs), tuple(skipped.values()))


def trained_as(params: TrainParams, variant: Variant) -> TrainParams:
    """Return the params with the variant's augmentation beside their own."""
    if not variant.augment:
        return params
    augment = [a.model_dump() for a in (*params.augment, *variant.augment)]
    copies = max(params.augment_copies, variant.augment_copies)
    return params.replaced(augment=augment, augment_copies=copies)


def _too_many(variant: Variant, images: StudySet, study: StudyParams, profile: Profile) -> str:
    asked, limit = variant.num_train, study.profiles[profile].max_train_images
    if asked is None:
        return ""
    if asked > images.num_train:
        return f"{asked} training images asked for, the station has {images.num_train}"
    return f"beyond the {profile} profile's {limit} images" if limit and asked > limit else ""


def _wanted(key: CellKey, only: Mapping[str, tuple[str, ...]]) -> bool:
    return all(str(getattr(key, field)) in words for field, words in only.items())


def _exporting(jobs: list[CellJob]) -> tuple[CellJob, ...]:
    """Mark the first cell of each detector, backbone and size: its model will be timed.

    Latency hardly depends on station or seed, so one measurement stands for all. A model that
    cannot be exported is not timed.
    """
    seen: set[tuple[str, str, int]] = set()
    marked = []
    for job in jobs:
        mark = (job.key.detector, job.key.backbone, job.params.image_size_px)
        first = mark not in seen and job.params.detector.facts.exportable
        seen.add(mark)
        marked.append(job.model_copy(update={"export": first}))
    return tuple(marked)
