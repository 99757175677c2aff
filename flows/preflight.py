"""What can be known before a run: the machine, the weights, the data, the disk, the clock."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from components.costs.preview import words
from components.errors import ParamsError, PipelineError
from components.models.backbones import BackboneName, WeightStore
from components.station import StationConfig
from flows.preview import station_preview
from flows.settings import Settings

MIN_DISK_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Finding:
    """One line of the doctor; ``error`` is what a run would fail with."""

    name: str
    text: str
    ok: bool
    needed: bool = True
    error: PipelineError | None = None


_UNKNOWN_TIME = Finding("time", "unknown: see the log for why", True, needed=False)


def examine(settings: Settings, config: StationConfig) -> tuple[Finding, ...]:
    """Check everything that a run of this station would need, and import nothing heavy."""
    return (
        _python(),
        _cores(settings),
        _gpu(),
        _weights(settings, config),
        _data(settings, config),
        _disk(settings),
        _repository(settings),
    )


def costs(settings: Settings, config: StationConfig, profile: str) -> tuple[Finding, ...]:
    """Predict what a first run takes; this machine is calibrated where it was not yet."""
    size = config.station.profiles["quick" if profile == "quick" else "full"]
    try:
        found = station_preview(settings, config, size)
    except PipelineError as error:
        return Finding("memory", "too little", False, error=error), _UNKNOWN_TIME
    if found is None:
        return (_UNKNOWN_TIME,)
    time, memory, *more = words(found)
    coresets = tuple(Finding("coreset", line, True) for line in more)
    return Finding("memory", memory, True), *coresets, Finding("time", time, True)


def require(findings: tuple[Finding, ...]) -> None:
    """Raise the first thing that would make the run fail later."""
    for finding in findings:
        if finding.needed and not finding.ok:
            raise finding.error or PipelineError("E003", f"{finding.name}: {finding.text}")


def _python() -> Finding:
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Finding("Python", found, sys.version_info[:2] == (3, 11))


def _cores(settings: Settings) -> Finding:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("CPU cores", f"{count}, {settings.workers} compute processes", True)


def _gpu() -> Finding:
    found = Path("/proc/driver/nvidia/version").exists()
    return Finding("GPU", "found" if found else "none (not needed)", found, needed=False)


def _weights(settings: Settings, config: StationConfig) -> Finding:
    store = WeightStore(settings.weight_folders)
    names: set[BackboneName] = {
        *config.station.search.backbones,
        *(m.detector.backbone for m in config.models.values()),
    }
    verified = 0
    for name in sorted(names):
        try:
            store.locate_all(name)
            verified += 1
        except PipelineError as error:
            return Finding("weights", f"{verified} of {len(names)} verified", False, error=error)
    return Finding("weights", f"{verified} of {len(names)} verified", True)


def _data(settings: Settings, config: StationConfig) -> Finding:
    try:
        where = locate_data(settings, config)
    except PipelineError as error:
        return Finding("data", "not found", False, error=error)
    return Finding("data", where, True)


def locate_data(settings: Settings, config: StationConfig) -> str:
    """Say where the station's raw images come from.

    Raises:
        ParamsError: a folder station whose folder is nowhere.
    """
    station = config.station
    raw = settings.data("raw", station.name)
    external = external_folder(settings, config)
    if hasattr(station.source, "fetch"):
        return f"{station.source.kind} makes its own"
    if external is not None and external.is_dir():
        return str(external)
    if raw.is_dir() or raw.with_suffix(".dvc").is_file():
        return str(raw)
    looked = f"{external or 'source.path (unset)'}, DEFECTLOOP_DATA, {raw}"
    raise ParamsError(
        "E020",
        f"Station {station.name} has no images: looked at {looked}.",
        "Set DEFECTLOOP_DATA to the folder, or: defectloop ingest PATH --station NAME.",
    )


def external_folder(settings: Settings, config: StationConfig) -> Path | None:
    """Return the folder outside the workspace that a folder station reads, where it has one."""
    named = getattr(config.station.source, "path", None)
    if named:
        return Path(named).expanduser().resolve()
    if settings.data_folder is not None and not hasattr(config.station.source, "fetch"):
        nested = settings.data_folder / config.station.name
        return nested if nested.is_dir() else settings.data_folder
    return None


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.root).free
    text = f"{free / 1024**3:.0f} GB free"
    error = PipelineError(
        "E021", f"Only {text} at {settings.root}.", "Free at least 2 GB; nothing was started."
    )
    return Finding("disk", text, free >= MIN_DISK_BYTES, error=error)


def _repository(settings: Settings) -> Finding:
    ok = (settings.root / ".git").exists() and (settings.root / ".dvc").is_dir()
    error = PipelineError(
        "E022", f"{settings.root} is not a git repository with DVC.", "Clone it with git."
    )
    return Finding("git + DVC", "ready" if ok else "missing", ok, error=error)
