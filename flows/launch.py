"""Start a run: examine, find out whether there is anything to do, and only then load the rest."""

import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from components.errors import PipelineError
from components.records import Outcome, RunSummary, ValidationReport
from components.station import StationConfig, load_station
from flows.console import StepBoard
from flows.preflight import costs, examine, external_folder, require
from flows.preview import announce, station_preview
from flows.settings import Settings

if TYPE_CHECKING:
    from components.stores.tracking import Tracking


def examine_station(settings: Settings, name: str, profile: str, overrides: tuple[str, ...]) -> int:
    """Print what the machine has; 0 when a run would start, 1 when not."""
    config = load_station(settings.params_dir, name, overrides)
    findings = (*examine(settings, config), *costs(settings, config, profile))
    console = Console(highlight=False)
    for finding in findings:
        sign = "✓" if finding.ok else ("✗" if finding.needed else "–")
        console.print(f"{sign} {finding.name:<10} {finding.text}", markup=False)
    broken = [f for f in findings if f.needed and not f.ok]
    for finding in broken:
        console.print(str(finding.error or finding.text), markup=False, soft_wrap=True)
    minutes = next(f.text for f in findings if f.name == "time")
    console.print(
        "NOT READY."
        if broken
        else f"READY. `defectloop run {name} --profile {profile}`: {minutes}.",
        markup=False,
    )
    return 1 if broken else 0


def launch(
    settings: Settings,
    name: str,
    profile: Literal["quick", "full"],
    overrides: tuple[str, ...],
    *,
    as_json: bool,
) -> int:
    """Run a station's cycle unless a finished run already answers it; return the exit code."""
    from filelock import FileLock, Timeout

    config = load_station(settings.params_dir, name, overrides)
    require(examine(settings, config))
    lock_file = settings.state / "locks" / f"{name}.lock"
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock_file, timeout=0):
            return _launch(settings, config, profile, overrides, as_json)
    except Timeout:
        raise PipelineError(
            "E004", f"Another run of {name} is going on here.", "Wait for it, or stop it first."
        ) from None


def _launch(
    settings: Settings,
    config: StationConfig,
    profile: Literal["quick", "full"],
    overrides: tuple[str, ...],
    as_json: bool,
) -> int:
    from components.stores.tracking import Tracking

    name = config.station.name
    adopt_external(settings, config)
    tracking = Tracking(settings.tracking_uri, settings.artifact_root)
    done = _answered(settings, config, profile, tracking)
    if done is not None:
        run_dir = Path(done)
        if as_json:
            summary = RunSummary.load(run_dir / "summary.json")
            print(
                summary.model_copy(update={"outcome": Outcome.UNCHANGED}).model_dump_json(indent=1)
            )
        else:
            print(
                "NOTHING TO DO. Data, code, params, weights and environment are unchanged "
                f"since run {run_dir.name}.\nReport   {shown(settings, run_dir / 'report.html')}"
            )
        return 0
    from flows.cycle import NUM_STEPS, CycleRun, run_cycle

    tracking.mark_stale_running(name)
    started = datetime.now()
    run_id = f"{started:%Y%m%d-%H%M%S}-{name}"
    run_dir = settings.root / "runs" / run_id
    run_dir.mkdir(parents=True, exist_ok=True)
    board = StepBoard(NUM_STEPS, quiet=as_json)
    size = config.station.profiles[profile]
    settings = announce(settings, station_preview(settings, config, size), board)
    run = CycleRun(
        settings=settings,
        config=config,
        profile=profile,
        command=_command(name, profile, overrides),
        board=board,
        tracking=tracking,
        run_id=run_id,
        run_dir=run_dir,
        started=started,
    )
    summary = run_cycle(run)
    if as_json:
        print(summary.model_dump_json(indent=1))
    else:
        _close(summary, Path(shown(settings, run_dir / "report.html")))
    return summary.outcome.exit_code


def adopt_external(settings: Settings, config: StationConfig) -> None:
    """Bring a folder from outside under DVC; unchanged folders cost a look at their file list."""
    from components.stores.raw import adopt

    folder = external_folder(settings, config)
    if folder is not None and folder.is_dir():
        adopt(settings.root, config.station.name, folder)


def _answered(
    settings: Settings, config: StationConfig, profile: str, tracking: "Tracking"
) -> str | None:
    """Return the folder of a finished run with today's fingerprint, or None."""
    from components.stores.versions import Stage, is_fresh, version
    from flows.identity import cycle_fingerprint

    name = config.station.name
    if not is_fresh(settings.root, name, "synthesize"):
        return None
    stages: tuple[Stage, ...] = ("prepare", "synthesize")
    hashes = tuple(version(settings.root, name, stage).content_hash for stage in stages)
    mark = cycle_fingerprint(config, profile, hashes)
    found = tracking.find_finished(name, mark, "cycle")
    run_dir = found.tags.get("run_dir", "") if found else ""
    summary = Path(run_dir) / "summary.json"
    if not run_dir or not summary.is_file():
        return None
    return run_dir if settled(RunSummary.load(summary)) else None


def settled(summary: RunSummary) -> bool:
    """Whether a finished run need not be asked again.

    A run that was blocked with a latency taken beside other work is: only that is measured anew.
    """
    judged = summary.evaluations.get("winner")
    disturbed = bool(judged and judged.latency and not judged.latency.alone)
    return not (summary.outcome is Outcome.BLOCKED and disturbed)


def _close(summary: RunSummary, report: Path) -> None:
    from components.report.console import closing_lines

    console = Console(highlight=False)
    if summary.outcome is Outcome.BAD_DATA and summary.validation is not None:
        _print_findings(console, summary.validation)
    for line in closing_lines(summary, report):
        if summary.outcome is Outcome.BAD_DATA and line.startswith(" ✗"):
            continue  # the table above says it with every file
        console.print(line, markup=False, soft_wrap=True)
    sys.stdout.flush()


def _print_findings(console: Console, report: ValidationReport) -> None:
    """Print a table of the offending files, a few per check."""
    from rich.table import Table

    if not console.is_terminal:  # a file or a pipe has no width to fold paths at
        console = Console(highlight=False, width=200)
    table = Table("check", "expected", "observed", "files", title="Critical findings")
    for check in report.checks:
        if check.severity == "critical" and not check.passed:
            files = "\n".join(check.failing_paths[:8])
            more = len(check.failing_paths) - 8
            table.add_row(
                check.name,
                check.expected,
                check.observed,
                files + (f"\n… and {more} more (report)" if more > 0 else ""),
            )
    console.print(table)


def _command(name: str, profile: str, overrides: tuple[str, ...]) -> str:
    words = ["defectloop", "run", name, "--profile", profile]
    for override in overrides:
        words += ["--set", override]
    return shlex.join(words)


def shown(settings: Settings, path: Path) -> str:
    return str(path.relative_to(settings.root)) if path.is_relative_to(settings.root) else str(path)
