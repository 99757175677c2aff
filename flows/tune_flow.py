"""The study of one station as a flow: bytes, trials, what they say. Nothing is promoted."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from components.report.tune_page import render_tuning
from components.station import StationConfig, StudySize
from components.stores.tracking import Tracking
from components.tune.summary import TuneSummary
from flows.compute import open_pool
from flows.console import StepBoard
from flows.evidence import tune_and_learn
from flows.leaderboard import Leaderboard
from flows.ledger import Ledger
from flows.materials import Materials, prepare_materials
from flows.named_flow import run_as_flow
from flows.settings import Settings
from flows.study import Study
from flows.summary import profile_note
from flows.tuning import open_tuner

NUM_STEPS = 4


@dataclass
class TuneRun:
    """One run of one station's study: what it was asked."""

    settings: Settings
    config: StationConfig
    profile: Literal["quick", "full"]
    size: StudySize
    command: str
    board: StepBoard
    tracking: Tracking
    run_id: str
    run_dir: Path
    clock: float = field(default_factory=time.perf_counter)


def run_tuning(run: TuneRun) -> TuneSummary:
    """Run the study as one Prefect flow; leave a page, a record and the trials behind.

    Raises:
        CriticalFindingsError: E110, validation stopped it. PipelineError: E180, no trial went well.
    """
    with open_pool(run.settings) as pool:
        pool.warm_up()
        run_name = f"{run.config.station.name} {run.run_id}"
        return run_as_flow("tune", run_name, run.settings.workers, _tuning, run)


def _tuning(run: TuneRun) -> TuneSummary:
    station = run.config.station
    ready = prepare_materials(run.settings, station, run.board)
    parent = run.tracking.open_cycle(
        station.name,
        run.run_id,
        tags={"kind": "tune", "data_version": ready.versions["prepare"].content_hash},
        params={"profile": run.profile, "num_trials": run.size.num_trials},
    )
    try:
        summary = _tune(run, _study(run, ready, parent))
    except BaseException:
        run.tracking.close_cycle(parent, "FAILED", {}, {}, None)
        raise
    summary.save(run.run_dir / "summary.json")
    render_tuning(summary, run.run_dir)
    tags = {"run_dir": str(run.run_dir)}
    run.tracking.close_cycle(parent, "FINISHED", {"wall_s": summary.wall_s}, tags, run.run_dir)
    return summary


def _study(run: TuneRun, ready: Materials, parent: str) -> Study:
    name, state = run.config.station.name, run.settings.state
    return Study(
        config=run.config,
        size=run.size,
        ledger=Ledger(run.tracking, name, parent, state / "work", ready.versions["prepare"]),
        sets=ready.sets,
        data_hashes=ready.hashes,
        weight_folders=run.settings.weight_folders,
    )


def _tune(run: TuneRun, study: Study) -> TuneSummary:
    station, size = run.config.station, run.size
    say = None if run.board.console.is_terminal else run.board.say
    board = Leaderboard(station.search.objectives, size.num_trials, say)
    with run.board.step("tune", below=board) as step:
        tuner = open_tuner(run.settings, run.config, size, study.data_hashes)
        step.reused = tuner.finished >= size.num_trials
        trials, tuning = tune_and_learn(run.settings, study, tuner, step, board.see)
    return TuneSummary(
        run_id=run.run_id,
        station=station.name,
        title=station.title,
        licence=station.licence,
        profile=run.profile,
        profile_note=profile_note(run.config, size, run.profile),
        objective=station.objective,
        trials=trials,
        tuning=tuning,
        default=next(iter(run.config.models_of(size).values())).name,
        steps=tuple(run.board.timings),
        reproduce=run.command,
        wall_s=time.perf_counter() - run.clock,
    )
