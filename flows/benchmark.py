"""A study: images, cells, latency, tables. It follows the papers' protocol and promotes nothing.

No module of the registry is imported here, and every record carries ``protocol: paper``.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from components.errors import PipelineError
from components.identity import environment_versions, file_sha256
from components.machine import hardware
from components.model_names import is_model
from components.models.backbones import WeightStore
from components.report.study import render_study
from components.station import StationConfig
from components.stores.tracking import Tracking
from components.stores.versions import git_sha
from components.studies.cells import CellJob
from components.studies.forecast import Past, pair_of
from components.studies.formats import write_tables
from components.studies.papers import against_papers, datasets_of, read_papers
from components.studies.params import Profile, StudyParams
from components.studies.plan import Plan, Skipped, candidates, plan
from components.studies.rows import Row, rows_of, write_rows
from components.studies.summary import StudySummary
from components.studies.table import tables_of
from components.train import TrainParams
from flows.compute import open_pool
from flows.console import StepBoard
from flows.named_flow import run_as_flow
from flows.preview import announce_study, study_forecast
from flows.settings import Settings
from flows.study_cells import EXPERIMENT, PROTOCOL, Cells
from flows.study_images import StudyImages, gather

NUM_STEPS = 4


@dataclass
class Bench:
    """One run of one study: what it was asked."""

    settings: Settings
    study: StudyParams
    detectors: Mapping[str, TrainParams]
    stations: Mapping[str, StationConfig]
    profile: Profile
    only: Mapping[str, tuple[str, ...]]
    command: str
    board: StepBoard
    tracking: Tracking
    run_id: str
    run_dir: Path
    started: datetime
    clock: float = field(default_factory=time.perf_counter)


def run_benchmark(bench: Bench) -> tuple[StudySummary, tuple[Row, ...]]:
    """Run a study as one Prefect flow; return its summary and every figure."""
    run_name = f"{bench.study.name} {bench.run_id}"
    return run_as_flow("benchmark", run_name, bench.settings.workers, _benchmark, bench)


def _benchmark(bench: Bench) -> tuple[StudySummary, tuple[Row, ...]]:
    with bench.board.step("images") as step:
        images = gather(bench.settings, bench.study, bench.stations, step)
        step.line = " · ".join(
            f"{i.station} {i.num_train} train, {i.num_test_normal}+{i.num_test_anomalous} test"
            for i in images.images
        )
    todo = _plan(bench, images)
    parent = bench.tracking.open_cycle(
        EXPERIMENT,
        bench.run_id,
        tags={"kind": "study", "study": bench.study.name, **PROTOCOL, **_lineage(bench)},
        params=bench.study.model_dump(mode="json") | {"profile": bench.profile},
    )
    try:
        cells = Cells(bench.tracking, parent, bench.settings, bench.study, bench.profile, images)
        missing = cells.look_up(todo.jobs)
        settings, todo = _preview(bench, todo, missing, cells)
        with open_pool(settings):
            summary, rows = _measure(bench, images, todo, settings.workers, cells)
    except BaseException:
        bench.tracking.close_cycle(parent, "FAILED", {}, {}, None)
        raise
    tags = {"run_dir": str(bench.run_dir)}
    bench.tracking.close_cycle(parent, "FINISHED", {"wall_s": summary.wall_s}, tags, bench.run_dir)
    return summary, rows


def _plan(bench: Bench, images: StudyImages) -> Plan:
    """Return the cells to run.

    Raises:
        PipelineError: E245 nothing is left to run; every reason is named.
    """
    store = WeightStore(bench.settings.weight_folders)
    rows, refused = candidates(bench.detectors, bench.study.backbones, store)
    todo = plan(
        bench.study,
        bench.profile,
        rows,
        images.sets,
        bench.settings.weight_folders,
        bench.only,
    )
    skipped = tuple(_portable(bench, s) for s in (*refused, *todo.skipped))
    if not todo.jobs:
        reasons = "; ".join(f"{s.what}: {s.reason}" for s in skipped) or "--only keeps no cell"
        raise PipelineError("E245", f"Nothing to run: {reasons}.", "Mend one of these.")
    return Plan(todo.jobs, skipped)


def _portable(bench: Bench, skipped: Skipped) -> Skipped:
    """Return a reason without this machine's folders: it is read elsewhere too."""
    reason = skipped.reason.replace(f"{bench.settings.root}/", "").replace(str(Path.home()), "~")
    return skipped.model_copy(update={"reason": reason})


def _measure(
    bench: Bench, images: StudyImages, todo: Plan, workers: int, cells: Cells
) -> tuple[StudySummary, tuple[Row, ...]]:
    with bench.board.step("cells") as step:
        missing = cells.look_up(todo.jobs)
        cells.run(missing, step)
        failed = sum(record.state == "failed" for record in cells.records.values())
        step.reused = not missing
        step.line = f"{len(todo.jobs) - failed}/{len(todo.jobs)} cells" + (
            f" · {failed} failed (reason in study.html)" if failed else ""
        )
    with bench.board.step("latency") as step:
        latencies = cells.time_models(todo.jobs, step)
        disturbed = sum(not latency.alone for latency in latencies)
        step.line = f"{len(latencies)} models, batch " + ", ".join(
            map(str, bench.study.profiles[bench.profile].batches)
        )
        step.line += f" · {disturbed} not alone on the machine" if disturbed else ""
    with bench.board.step("tables") as step:
        rows = rows_of(cells.finished(todo.jobs))
        write_rows(rows, bench.run_dir / "cells.parquet")
        papers = bench.settings.params_dir / "papers"
        official = bench.study.stations if bench.study.sets == "official" else ()
        compared = against_papers(rows, read_papers(papers), datasets_of(papers, official))
        step.line = f"{len(rows)} figures · {len(compared)} beside a paper's"
    summary = StudySummary(
        run_id=bench.run_id,
        study=bench.study,
        profile=bench.profile,
        started=bench.started,
        wall_s=time.perf_counter() - bench.clock,
        images=images.images,
        cells=tuple(cells.records[job.key.name] for job in todo.jobs),
        skipped=(*todo.skipped, *_planned(bench)),
        latencies=latencies,
        comparisons=compared,
        steps=tuple(bench.board.timings),
        hardware=hardware(),
        workers=workers,
        lineage=_lineage(bench),
        reproduce=bench.command,
    )
    summary.save(bench.run_dir / "study.json")
    write_tables(tables_of(bench.study, rows), bench.run_dir / "tables", bench.study.percent)
    render_study(summary, rows, bench.run_dir)
    return summary, rows


def _preview(
    bench: Bench, todo: Plan, missing: tuple[CellJob, ...], cells: Cells
) -> tuple[Settings, Plan]:
    """Say what is about to happen before it takes time; return the settings and cells that fit.

    Raises:
        PipelineError: E245 no cell fits the memory.
    """
    reused = len(todo.jobs) - len(missing)
    past = [
        Past(
            detector=found.tags.get("detector", ""),
            backbone=found.tags.get("backbone", ""),
            image_size_px=int(found.tags.get("image_size_px", "0")),
            num_images=int(found.metrics.get("num_images", 0)),
            wall_s=found.metrics.get("wall_s", 0.0),
        )
        for found in bench.tracking.history(EXPERIMENT, "cell", limit=500)
    ]
    guess = study_forecast(bench.settings, missing, cells.looks(missing), past)
    bench.board.say(f"{len(todo.jobs)} cells, {reused} of them reused")
    settings, too_large = announce_study(bench.settings, guess, bench.board)
    left = {job.key.name for job in missing if pair_of(job) in too_large}
    skipped = tuple(Skipped(what=pair, reason=reason) for pair, reason in too_large.items())
    fitting = Plan(
        tuple(job for job in todo.jobs if job.key.name not in left), (*todo.skipped, *skipped)
    )
    for one in fitting.skipped:
        bench.board.say(f"  left out  {one.what}: {one.reason}")
    if not fitting.jobs:
        reasons = "; ".join(f"{s.what} {s.reason}" for s in skipped)
        raise PipelineError("E245", f"Nothing to run: {reasons}.", "Mend one of these.")
    return settings, fitting


def _planned(bench: Bench) -> tuple[Skipped, ...]:
    params_dir = bench.settings.params_dir
    return tuple(
        Skipped(
            what=name,
            reason="a detector by now: move it from planned to detectors"
            if is_model(params_dir, name)
            else "in the paper's table; not a detector here yet",
        )
        for name in bench.study.planned
    )


def _lineage(bench: Bench) -> dict[str, str]:
    return {
        "git_sha": git_sha(bench.settings.root),
        "study_fingerprint": bench.study.fingerprint(),
        "lock_sha256": file_sha256(bench.settings.root / "requirements.lock"),
        **{f"library.{name}": version for name, version in environment_versions().items()},
    }
