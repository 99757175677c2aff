"""``defectloop bench STUDY.yaml``: read the study, run it, write its tables and its page."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import ParamsError, PipelineError
from components.station import StationConfig, load_station
from components.studies.params import Profile, StudyParams, load_detectors, load_study
from flows.console import StepBoard
from flows.model_file import tuned_on
from flows.settings import Settings

if TYPE_CHECKING:
    from components.studies.rows import Row
    from components.studies.summary import StudySummary

FIELDS = ("station", "detector", "backbone", "variant", "seed")


def bench(
    settings: Settings,
    path: Path,
    profile: Profile,
    *,
    stations: Sequence[str] = (),
    only: Sequence[str] = (),
    docs: Path | None = None,
    as_json: bool = False,
) -> int:
    """Run a study; 0 unless every cell failed (1).

    Raises:
        ParamsError: a study, station, detector or ``--only`` that does not exist.
        DataError: images that are there and cannot be used.
        PipelineError: E004 the study is running already; E245 nothing to run.
    """
    from filelock import FileLock, Timeout

    study = load_study(path)
    if stations:
        study = study.replaced(stations=tuple(stations))
    lock = settings.state / "locks" / f"bench-{study.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    command = _command(path, profile, stations, only)
    try:
        with FileLock(lock, timeout=0):
            summary = _run(settings, study, profile, _wanted(only), command, docs, as_json)
    except Timeout:
        raise PipelineError(
            "E004", f"Study {study.name} is running here already.", "Wait for it, or stop it first."
        ) from None
    return 1 if len(summary.failed) == len(summary.cells) else 0


def _run(
    settings: Settings,
    study: StudyParams,
    profile: Profile,
    only: Mapping[str, tuple[str, ...]],
    command: str,
    docs: Path | None,
    as_json: bool,
) -> "StudySummary":
    configs = {name: load_station(settings.params_dir, name) for name in study.stations}
    detectors = load_detectors(settings.params_dir, study.detectors)
    _check_only(only, study, configs)
    _check_tuned(settings.params_dir, study)
    from components.stores.tracking import Tracking
    from flows.benchmark import NUM_STEPS, Bench, run_benchmark
    from flows.study_cells import EXPERIMENT

    tracking = Tracking(settings.tracking_uri, settings.artifact_root)
    tracking.mark_stale_running(EXPERIMENT)
    started = datetime.now()
    run_id = f"{started:%Y%m%d-%H%M%S}-bench-{study.name}"
    run_dir = settings.root / "runs" / run_id
    run_dir.mkdir(parents=True, exist_ok=True)
    made = Bench(
        settings=settings,
        study=study,
        detectors=detectors,
        stations=configs,
        profile=profile,
        only=only,
        command=command,
        board=StepBoard(NUM_STEPS, quiet=as_json),
        tracking=tracking,
        run_id=run_id,
        run_dir=run_dir,
        started=started,
    )
    summary, rows = run_benchmark(made)
    _show(settings, summary, rows, run_dir, docs, as_json)
    return summary


def _show(
    settings: Settings,
    summary: "StudySummary",
    rows: "tuple[Row, ...]",
    run_dir: Path,
    docs: Path | None,
    as_json: bool,
) -> None:
    """Write tables and pages; print the tables, or the whole record as JSON."""
    from components.studies.formats import console_table
    from components.studies.table import tables_of

    if docs is not None:
        from components.report.study_docs import write_docs

        write_docs(summary, rows, docs)
    if as_json:
        print(summary.model_dump_json(indent=1))
        return
    percent = summary.study.percent
    for table in tables_of(summary.study, rows):
        print("\n" + console_table(table, percent))
    for cell in summary.failed:
        print(f"FAILED   {cell.key.name}: {cell.error}")
    print(f"\nPage     {_shown(settings, run_dir / 'study.html')}")
    if docs is not None:
        print(f"Docs     {docs / f'{summary.study.name}.md'}")
    sys.stdout.flush()


def _wanted(only: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read ``field=word`` settings; several words of one field are alternatives."""
    found: dict[str, tuple[str, ...]] = {}
    for setting in only:
        field, equals, word = setting.partition("=")
        if not equals or field not in FIELDS:
            raise ParamsError(
                "E246",
                f"--only {setting!r} is not FIELD=WORD with a known field.",
                f"Fields: {', '.join(FIELDS)}.",
            )
        found[field] = (*found.get(field, ()), word)
    return found


def _check_tuned(params_dir: Path, study: StudyParams) -> None:
    """Refuse to test a model on the images that it was chosen on.

    Raises:
        ParamsError: E249 a model that was tuned on a station of a study with official sets.
    """
    if study.sets == "station":
        return
    for name in study.detectors:
        station = tuned_on(params_dir, name)
        if station in study.stations:
            raise ParamsError(
                "E249",
                f"{name} was chosen on images of {station} that study {study.name} tests on.",
                "Give the study `sets: station`, which tests on the report set alone.",
            )


def _check_only(
    only: Mapping[str, tuple[str, ...]], study: StudyParams, configs: Mapping[str, StationConfig]
) -> None:
    """Refuse a word that would keep nothing because it is mistyped."""
    known = {
        "station": tuple(configs),
        "detector": study.detectors,
        "variant": tuple(variant.name for variant in study.axes.variants),
        "seed": tuple(map(str, study.seeds)),
    }
    for field, words in only.items():
        unknown = [word for word in words if word not in known.get(field, words)]
        if unknown:
            raise ParamsError(
                "E246",
                f"--only {field}={unknown[0]}: not in this study.",
                f"Known: {', '.join(known[field])}.",
            )


def _command(path: Path, profile: str, stations: Sequence[str], only: Sequence[str]) -> str:
    words = ["defectloop", "bench", str(path), "--profile", profile]
    words += ["--stations", ",".join(stations)] if stations else []
    for setting in only:
        words += ["--only", setting]
    return shlex.join(words)


def _shown(settings: Settings, path: Path) -> str:
    return str(path.relative_to(settings.root)) if path.is_relative_to(settings.root) else str(path)
