"""``defectloop tune STATION``: the study alone. It trains no finalist and promotes nothing."""

import shlex
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from components.errors import ParamsError, PipelineError
from components.station import load_station
from flows.console import StepBoard
from flows.launch import adopt_external, shown
from flows.model_file import ModelFile
from flows.preflight import examine, require
from flows.preview import announce, station_preview
from flows.settings import Settings

if TYPE_CHECKING:
    from components.tune.summary import TuneSummary

Profile = Literal["quick", "full"]


def tune_station(
    settings: Settings,
    name: str,
    profile: Profile,
    overrides: tuple[str, ...],
    *,
    num_trials: int | None = None,
    save: str | None = None,
    as_json: bool = False,
) -> int:
    """Run a station's study up to its number of trials and show what it says; 0 unless it fails.

    A later ``defectloop run`` of the same profile takes its trials over. ``save`` names a file of
    ``params/models`` that keeps the best one's params.

    Raises:
        ParamsError: E346 fewer than one trial; E347, E348 the name to save under is none, or taken
            by a file that was written by hand. PipelineError: E004 the station is at work already
            (several workers may tune where DEFECTLOOP_STUDY_STORAGE is shared); E180 every trial
            failed.
    """
    if num_trials is not None and num_trials < 1:
        raise ParamsError("E346", f"--trials {num_trials} asks for nothing.", "Give 1 or more.")
    kept = None if save is None else ModelFile.at(settings.params_dir, save)
    config = load_station(settings.params_dir, name, overrides)
    require(examine(settings, config))
    size = config.station.profiles[profile]
    if num_trials is not None:
        size = size.replaced(num_trials=num_trials)
    with _alone(settings, name):
        adopt_external(settings, config)
        from components.stores.tracking import Tracking
        from flows.tune_flow import NUM_STEPS, TuneRun, run_tuning

        tracking = Tracking(settings.tracking_uri, settings.artifact_root)
        tracking.mark_stale_running(name)
        started = datetime.now()
        run_id = f"{started:%Y%m%d-%H%M%S}-tune-{name}"
        run_dir = settings.root / "runs" / run_id
        run_dir.mkdir(parents=True, exist_ok=True)
        board = StepBoard(NUM_STEPS, quiet=as_json)
        found = station_preview(settings, config, size, steps=("tune",))
        settings = announce(settings, found, board)
        summary = run_tuning(
            TuneRun(
                settings=settings,
                config=config,
                profile=profile,
                size=size,
                command=_command(name, profile, overrides, num_trials, save),
                board=board,
                tracking=tracking,
                run_id=run_id,
                run_dir=run_dir,
            )
        )
    if kept is not None:
        kept.write(summary)
    _show(settings, summary, run_dir, kept, as_json=as_json)
    return 0


def _alone(settings: Settings, name: str) -> AbstractContextManager[object]:
    """Hold the station where one process may tune it; where many may, hold nothing.

    Raises:
        PipelineError: E004 another run of the station is going on here.
    """
    from filelock import FileLock, Timeout

    path = settings.state / "locks" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)  # Prefect wants a home in there when imported
    from flows.tuning import is_alone

    if not is_alone(settings):
        return nullcontext()
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise PipelineError(
            "E004",
            f"Another run of {name} is going on here.",
            "Wait for it; to tune with several workers set DEFECTLOOP_STUDY_STORAGE.",
        ) from None
    return lock


def _show(
    settings: Settings,
    summary: "TuneSummary",
    run_dir: Path,
    kept: ModelFile | None,
    *,
    as_json: bool,
) -> None:
    if as_json:
        print(summary.model_dump_json(indent=1))
        return
    from components.report.tune_console import closing_lines

    for line in closing_lines(summary, shown(settings, run_dir / "report.html")):
        print(line)
    if kept is not None:
        print(f"Saved    {shown(settings, kept.path)}")
    sys.stdout.flush()


def _command(
    name: str, profile: str, overrides: tuple[str, ...], num_trials: int | None, save: str | None
) -> str:
    words = ["defectloop", "tune", name, "--profile", profile]
    words += ["--trials", str(num_trials)] if num_trials is not None else []
    words += ["--save", save] if save is not None else []
    for override in overrides:
        words += ["--set", override]
    return shlex.join(words)
