"""The cost preview of a station: its images counted, this machine calibrated once."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from components.costs.forecast import Images, timed_alone
from components.costs.pace import Pace, hardware_digest
from components.costs.preview import Counts, Preview, candidates, fitting, preview, words
from components.costs.stages import Bytes, stage_seconds
from components.data.manifest import read_manifest
from components.errors import StoreError
from components.memory import PARENT_BYTES, available_bytes
from components.records import Split
from components.station import Station, StationConfig, StudySize
from components.stores.versions import ORDER, locked_files, stale_stages
from components.studies.cells import CellJob
from components.studies.forecast import Forecast, Past, forecast
from flows.console import StepBoard
from flows.settings import Settings

_LOG = logging.getLogger(__name__)
_CALIBRATION_S = 180  # a machine that cannot do it in this time gets no preview
_GUESSED_IMAGES = 1000
_GUESSED_MEGAPIXELS = 0.1
_NORMAL = 0.65  # of the images of a station that nothing is known of

# A process of its own: the libraries stay out of the one that may find nothing to do.
_PROGRAM = """
import json, sys
from components.costs.pace import Pace, measure
names, known = json.loads(sys.argv[1])
print(measure(names, Pace.model_validate(known) if known else None).model_dump_json())
"""


def station_preview(
    settings: Settings,
    config: StationConfig,
    size: StudySize,
    steps: tuple[str, ...] = ("tune", "train", "evaluate"),
) -> Preview | None:
    """Predict steps of a run, with as many processes as fit; None where nothing is known.

    Raises:
        PipelineError: E333, not even one process fits the memory.
    """
    names = {p.detector.backbone for p in candidates(config, size)}
    pace = calibration(settings, sorted({part for n in names for part in timed_alone(n)}))
    if pace is None:
        return None
    counts = count_images(settings, config.station)
    found = preview(
        config,
        size,
        counts,
        pace,
        workers=settings.workers,
        remembers=settings.features_bytes > 0,
    )
    found = fitting(found, _room_bytes(settings))
    made = Bytes(
        num_images=counts.num_images,
        num_synthetic=counts.num_synthetic,
        megapixels=counts.megapixels,
    )
    stages = stage_seconds(made, _stale(settings, config.station.name), pace)
    return replace(found, steps=stages | {name: found.steps[name] for name in steps})


def study_forecast(
    settings: Settings, jobs: Sequence[CellJob], looks: Mapping[str, Images], past: Sequence[Past]
) -> Forecast:
    """Predict a study's cells, what never ran here by calibration (done if there is any cell)."""
    if not jobs:
        return forecast(jobs, looks, past)
    names = {job.params.detector.backbone for job in jobs}
    machine = calibration(settings, sorted({part for n in names for part in timed_alone(n)}))
    return forecast(jobs, looks, past, machine)


def announce_study(
    settings: Settings, found: Forecast, board: StepBoard
) -> tuple[Settings, dict[str, str]]:
    """Say what a study's cells will take and hold; return the settings that fit.

    Beside them, by detector and backbone: why it does not fit even alone, where it does not. The
    board remembers a prediction only of cells that all have one.
    """
    room = _room_bytes(settings) - PARENT_BYTES
    too_large = {
        pair: f"needs about {peak / 1e9:.1f} GB in one process, {max(room, 0) / 1e9:.1f} GB are "
        "free or declared: take smaller images or batches, or fewer images"
        for pair, peak in found.peaks.items()
        if peak > room
    }
    kept = [peak for pair, peak in found.peaks.items() if pair not in too_large]
    fits = min(settings.workers, int(room // max(kept))) if kept else settings.workers
    board.say(f"cells that are not there yet: {found.words(fits)}")
    if kept:
        whole = PARENT_BYTES + fits * max(kept)
        shrunk = f" instead of {settings.workers}, which do not fit" * (fits < settings.workers)
        board.say(f"about {whole / 1e9:.1f} GB: {fits} at a time{shrunk}")
        board.predicted_bytes = int(whole)
    if found.coreset:
        board.say(found.coreset)
    if not (found.unknown or too_large):
        board.predicted_s = {"cells": found.wall_s(fits)}
    return replace(settings, workers=fits), too_large


def _room_bytes(settings: Settings) -> int:
    free = available_bytes()
    return free if settings.memory_bytes is None else min(free, settings.memory_bytes)


def _stale(settings: Settings, station: str) -> tuple[str, ...]:
    """Return the stages that will run; all without a repository, of which others complain."""
    try:
        return stale_stages(settings.root, station, "synthesize")
    except StoreError:
        return ORDER


def announce(settings: Settings, found: Preview | None, board: StepBoard) -> Settings:
    """Say what a run will take, let the board remember it; return the settings that fit."""
    if found is None:
        return settings
    for line in words(found):
        board.say(line)
    board.predicted_s, board.predicted_bytes = dict(found.steps), found.peak_bytes
    return replace(settings, workers=found.workers)


def calibration(settings: Settings, backbones: list[str]) -> Pace | None:
    """Return this machine's calibration, measuring what it lacks; None where that fails."""
    path = settings.state / "pace" / f"{hardware_digest()}.json"
    known = _read(path)
    if known is not None and set(backbones) <= set(known.backbones):
        return known
    asked = json.dumps([backbones, known.model_dump(mode="json") if known else None])
    command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, asked]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_CALIBRATION_S, check=True,
            cwd=Path(__file__).resolve().parents[1],
        )  # fmt: skip
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        reason = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
        _LOG.warning("E334 this machine was not calibrated: %s", " ".join(reason))
        return known
    measured = Pace.model_validate_json(done.stdout.splitlines()[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    measured.save(path)
    return measured


def _read(path: Path) -> Pace | None:
    """Return a calibration; one that an older version wrote counts as none."""
    try:
        return Pace.load(path)
    except (FileNotFoundError, ValueError):
        return None


def count_images(settings: Settings, station: Station) -> Counts:
    """Count the images of the last preparation, or guess before there was one.

    A guess goes by the number of prepared files in ``dvc.lock``, if a clone brought one.
    """
    prepared = settings.data("prepare", station.name)
    drawn = settings.data("synthesize", station.name)
    path = prepared / "manifest.parquet"
    if not path.is_file():
        return _guess(station, locked_files(settings.root, station.name) or _GUESSED_IMAGES)
    manifest = read_manifest(path, prepared)
    areas = [record.height_px * record.width_px for record in manifest.records]
    path = drawn / "manifest.parquet"
    return Counts(
        num_fit=len(manifest.of(Split.FIT, label=0)),
        num_tune=len(manifest.of(Split.TUNE)),
        num_synthetic=len(read_manifest(path, drawn).records)
        if path.is_file()
        else _num_drawn(station),
        num_report=len(manifest.of(Split.REPORT)),
        num_images=len(manifest.records),
        megapixels=sum(areas) / max(1, len(areas)) / 1e6,
        guessed=False,
    )


def _guess(station: Station, num_images: int) -> Counts:
    split = station.split
    normal, defective = _NORMAL * num_images, (1 - _NORMAL) * num_images
    granted = split.real_defect_share * defective
    return Counts(
        num_fit=round(split.fit * normal),
        num_tune=round(split.tune * normal + granted),
        num_synthetic=_num_drawn(station),
        num_report=round(split.report * normal + defective - granted),
        num_images=num_images,
        megapixels=_GUESSED_MEGAPIXELS,
        guessed=True,
    )


def _num_drawn(station: Station) -> int:
    return station.synthesize.num_per_kind * len(station.synthesize.kinds)
