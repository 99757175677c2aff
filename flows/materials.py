"""The bytes of one run: DVC brings them up to date, and the sets are laid out for the jobs."""

from collections import Counter
from dataclasses import dataclass, replace

from components.data.drift import DataSummary, drift
from components.data.manifest import read_manifest, write_manifest
from components.data.split import check_no_leak
from components.errors import DataError
from components.records import DataVersion, Manifest, Split, ValidationReport
from components.station import Station
from components.stores.tracking import Tracking
from components.stores.versions import Stage
from components.trial import SetPaths
from flows.console import Step, StepBoard
from flows.promotion import fetch_champion
from flows.settings import Settings
from flows.tasks import materialize_task

STAGES = ("ingest", "validate", "prepare", "synthesize")


@dataclass(frozen=True)
class Materials:
    """Manifests, versions and findings that the rest of the run reads."""

    ingested: Manifest
    prepared: Manifest
    synthetic: Manifest
    validation: ValidationReport
    versions: dict[str, DataVersion]
    sets: SetPaths

    @property
    def hashes(self) -> tuple[str, str]:
        """Content hashes of the prepared and the synthetic images."""
        return self.versions["prepare"].content_hash, self.versions["synthesize"].content_hash

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Images by split and type, synthetic ones apart."""
        drawn = counts_of(self.synthetic).get("tune", {})
        return counts_of(self.prepared) | ({"tune (synthetic)": drawn} if drawn else {})


def counts_of(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Return the number of images by split and defect type."""
    table: dict[str, Counter[str]] = {}
    for record in manifest.records:
        table.setdefault(record.split.value, Counter())[record.defect_type] += 1
    return {split: dict(sorted(types.items())) for split, types in sorted(table.items())}


class CriticalFindingsError(DataError):
    """Validation found what a run must not build on."""

    def __init__(self, report: ValidationReport, ingested: Manifest) -> None:
        self.report, self.ingested = report, ingested
        failed = [c for c in report.checks if c.severity == "critical" and not c.passed]
        names = ", ".join(check.name for check in failed)
        super().__init__("E110", f"Validation failed: {names}.", "Mend the files below, run again.")

    def __reduce__(self) -> tuple[type, tuple[ValidationReport, Manifest]]:  # type: ignore[override]
        return type(self), (self.report, self.ingested)


def prepare_materials(settings: Settings, station: Station, board: StepBoard) -> Materials:
    """Run or pull what is stale, stop on critical findings, and write the fit+tune manifest.

    Raises:
        CriticalFindingsError: with the report, when a critical check failed.
        LeakError: the three sets meet.
    """
    name, found = station.name, {}
    with board.step("ingest") as step:
        found["ingest"], step.reused = _materialize(settings, name, "ingest", step)
        raw = settings.data("raw", name)
        ingested = read_manifest(settings.data("ingest", name) / "manifest.parquet", raw)
        labels = Counter(record.gt_label for record in ingested.records)
        step.line = f"{labels[0]} normal · {labels[1]} anomalous · {len(ingested.rejects)} rejected"
        step.line += f"  data {found['ingest'].content_hash[:8]}"
        if station.licence:
            step.line += f"  licence {station.licence}"
    with board.step("validate") as step:
        found["validate"], step.reused = _materialize(settings, name, "validate", step)
        report = ValidationReport.load(settings.data("validate", name) / "report.json")
        step.line = f"{len(report.checks)} checks · {len(report.warnings)} warnings"
        if not report.passed:
            step.line = "critical findings"
    if not report.passed:
        raise CriticalFindingsError(report, ingested)
    with board.step("synthesize") as step:
        found["prepare"], prepared_reused = _materialize(settings, name, "prepare", step)
        found["synthesize"], drawn_reused = _materialize(settings, name, "synthesize", step)
        step.reused = prepared_reused and drawn_reused
        prepared_root, drawn_root = (
            settings.data("prepare", name),
            settings.data("synthesize", name),
        )
        prepared = read_manifest(prepared_root / "manifest.parquet", prepared_root)
        synthetic = read_manifest(drawn_root / "manifest.parquet", drawn_root)
        step.line = f"{len(synthetic.records)} defects drawn inside the station's regions"
    check_no_leak(prepared, station.split.near_duplicate_bits)
    sets = _lay_out(settings, station, prepared, found)
    return Materials(ingested, prepared, synthetic, report, found, sets)


def compared_with_champion(
    materials: Materials, settings: Settings, tracking: Tracking
) -> Materials:
    """Add to the findings how the data moved since the champion learned from it."""
    reigning = fetch_champion(settings, tracking, materials.prepared.station)
    if reigning is None or not (reigning[1] / "data_summary.json").is_file():
        return materials
    known = DataSummary.load(reigning[1] / "data_summary.json")
    now = read_manifest(materials.sets.real_manifest, materials.sets.real_root)
    checks = (*materials.validation.checks, *drift(now, known))
    validation = materials.validation.model_copy(update={"checks": checks})
    return replace(materials, validation=validation)


def _materialize(
    settings: Settings, station: str, stage: Stage, step: Step
) -> tuple[DataVersion, bool]:
    return materialize_task.submit(settings.root, station, stage, step.at).result()


def _lay_out(
    settings: Settings, station: Station, prepared: Manifest, found: dict[str, DataVersion]
) -> SetPaths:
    """Write the manifest that compute jobs get: fit and tune rows, not one report row."""
    folder = settings.state / "sets" / station.name / found["prepare"].content_hash[:16]
    rows = tuple(r for r in prepared.records if r.split in (Split.FIT, Split.TUNE))
    path = folder / "fit_tune.parquet"
    write_manifest(prepared.model_copy(update={"records": rows, "rejects": ()}), path)
    return SetPaths(
        real_manifest=path,
        real_root=prepared.root,
        synthetic_manifest=settings.data("synthesize", station.name) / "manifest.parquet",
        synthetic_root=settings.data("synthesize", station.name),
    )
