"""The DVC stages: each reads what the stage before it wrote and writes its own folder.

``defectloop stage STAGE --station NAME`` runs one, in the repository's root. Every stage imports
what it needs inside its function, so that ``dvc.yaml`` can name exactly the code that each runs.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from components.errors import DataError, ParamsError, PipelineError
from components.params import read_yaml
from components.params import validate as build
from components.records import Manifest, ValidationReport
from components.stores.channel import VARIABLE, StageChannel

Progress = Callable[[int, int], None]


def run_stage(stage: str, station: str, root: Path) -> int:
    """Run one stage of one station; return the exit code (0, or the error's).

    A run that started the stage reads its output, progress and error from the channel; without
    one they go to the console.
    """
    folder = os.environ.get(VARIABLE)
    channel = StageChannel(Path(folder), stage, station) if folder else None
    if channel:
        channel.attach()
    try:
        if stage not in STAGES:
            raise ParamsError("E016", f"No stage {stage!r}.", f"Stages: {', '.join(STAGES)}.")
        STAGES[stage](root, station, channel.report if channel else _silent)
    except PipelineError as error:
        if channel:
            channel.fail(error)
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _silent(done: int, total: int) -> None:
    """Say nothing: DVC's own console shows the command."""


def _fetch(root: Path, station: str, _: Progress) -> None:
    from components.data.sections import load_sections

    source = load_sections(root / "params", station).source
    if not hasattr(source, "fetch"):
        raise DataError(
            "E118",
            f"Layout {source.kind} of station {station} makes no raw files of its own.",
            f"Give the images: defectloop ingest PATH --station {station}",
        )
    source.fetch(root / "data/raw" / station)


def _ingest(root: Path, station: str, progress: Progress) -> None:
    from components.data.ingest import ingest
    from components.data.manifest import write_manifest
    from components.data.sections import load_sections
    from components.data.split import split

    sections = load_sections(root / "params", station)
    raw = root / "data/raw" / station
    found = ingest(
        station,
        sections.source,
        raw,
        sections.images,
        sections.masks,
        sections.group,
        progress=progress,
    )
    out = _empty(root / "data/ingest" / station)
    write_manifest(split(found, sections.split), out / "manifest.parquet")


def _validate(root: Path, station: str, _: Progress) -> None:
    from components.data.manifest import read_manifest
    from components.data.sections import load_sections
    from components.data.validate import validate

    sections = load_sections(root / "params", station)
    suite = read_yaml(root / "params/expectations" / f"{sections.expectations}.yaml")
    out = _empty(root / "data/validate" / station)
    report = validate(
        _ingested(root, station, read_manifest),
        suite,
        suite_name=sections.expectations,
        masks=sections.masks,
        docs_dir=out / "docs",
        near_duplicate_bits=sections.split.near_duplicate_bits,
    )
    report.save(out / "report.json")


def _prepare(root: Path, station: str, progress: Progress) -> None:
    from components.data.manifest import read_manifest, write_manifest
    from components.data.prepare import prepare
    from components.data.sections import load_sections

    report = ValidationReport.load(root / "data/validate" / station / "report.json")
    if not report.passed:
        failed = [c.name for c in report.checks if c.severity == "critical" and not c.passed]
        raise DataError(
            "E110",
            f"Station {station}: the images failed {len(failed)} critical checks "
            f"({', '.join(failed)}).",
            f"See data/validate/{station}/report.json and docs/.",
        )
    window = load_sections(root / "params", station).prepare.window
    out = _empty(root / "data/prepare" / station)
    prepared = prepare(_ingested(root, station, read_manifest), window, out, progress=progress)
    write_manifest(prepared, out / "manifest.parquet")


def _synthesize(root: Path, station: str, progress: Progress) -> None:
    from components.data.manifest import read_manifest, write_manifest
    from components.synthesize.draw import synthesize
    from components.synthesize.section import SynthesizeParams

    path = root / "params/stations" / f"{station}.yaml"
    values = read_yaml(path)
    params = build(SynthesizeParams, values["synthesize"], f"{path}: synthesize")
    folder = root / "data/prepare" / station
    out = _empty(root / "data/synthesize" / station)
    prepared = read_manifest(folder / "manifest.parquet", folder)
    drawn = synthesize(prepared, params, out, progress=progress)
    write_manifest(drawn, out / "manifest.parquet")


def _ingested(root: Path, station: str, read: Callable[[Path, Path], Manifest]) -> Manifest:
    return read(root / "data/ingest" / station / "manifest.parquet", root / "data/raw" / station)


def _empty(folder: Path) -> Path:
    """Return the folder without what an interrupted execution left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


STAGES: dict[str, Callable[[Path, str, Progress], None]] = {
    "fetch": _fetch,
    "ingest": _ingest,
    "validate": _validate,
    "prepare": _prepare,
    "synthesize": _synthesize,
}
