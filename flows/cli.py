"""The ``defectloop`` command. Heavy libraries are imported by the command that needs them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from components.errors import PipelineError

EXIT_CODES = """exit codes:
  0  promoted, or nothing to do      10  kept: the champion stays
  1  failed                          11  blocked by a gate
  2  wrong usage or parameters      130  interrupted; run again to resume
  3  bad data"""


def parser() -> argparse.ArgumentParser:
    """Return the whole command line."""
    top = argparse.ArgumentParser(
        prog="defectloop",
        description="Versioned images in, a promoted and explainable defect detector out.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    doctor = commands.add_parser(
        "doctor", help="what this machine has, and whether a run would start"
    )
    _station_options(doctor)
    run = commands.add_parser("run", help="run the whole cycle of a station")
    _station_options(run)
    run.add_argument("--json", action="store_true", help="print the run's summary as JSON")
    ingest = commands.add_parser("ingest", help="make a station from a folder of your own images")
    ingest.add_argument("path", type=Path, help="folder of images in one of the known layouts")
    ingest.add_argument("--station", required=True, help="name of the new station")
    stage = commands.add_parser("stage", help="run one DVC stage (called by dvc.yaml)")
    stage.add_argument("stage", choices=("fetch", "ingest", "validate", "prepare", "synthesize"))
    stage.add_argument("--station", required=True)
    weights = commands.add_parser(
        "weights", help="list and verify pretrained weights, or add a file"
    )
    weights.add_argument("--add", type=Path, metavar="FILE", help="verify FILE and keep it locally")
    return top


def _station_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("station", nargs="?", default="elpv", help="a station (default: elpv)")
    command.add_argument("--profile", choices=("quick", "full"), default="quick")
    command.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="A.B=C",
        help="override one value of the station for this run",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    try:
        return _dispatch(options)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("INTERRUPTED. Finished work is kept; the same command resumes.", file=sys.stderr)
        return 130
    except OSError as error:
        if error.errno != 28:
            raise
        print(
            f"E190 The disk is full at {error.filename or 'an artifact'}. Finished work is kept; "
            "free some space and run the same command again.",
            file=sys.stderr,
        )
        return 1


def _dispatch(options: argparse.Namespace) -> int:
    from flows.settings import load_settings, quiet_environment

    settings = load_settings()
    quiet_environment(settings)
    if options.command == "stage":
        from flows.stages import run_stage

        return run_stage(options.stage, options.station, settings.root)
    if options.command == "ingest":
        from flows.adopt import adopt_station

        return adopt_station(settings, options.path, options.station)
    if options.command == "weights":
        from flows.weights import show_weights

        return show_weights(settings, options.add)
    from flows.launch import examine_station, launch

    if options.command == "doctor":
        return examine_station(settings, options.station, options.profile, tuple(options.settings))
    return launch(
        settings,
        options.station,
        options.profile,
        tuple(options.settings),
        as_json=options.json,
    )


if __name__ == "__main__":
    sys.exit(main())
