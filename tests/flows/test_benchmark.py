"""The cells of a study are computed once, whatever happens to the run that computes them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.errors import ParamsError, PipelineError
from components.models.backbones import WeightStore
from components.records import DataVersion, EvaluationReport, FittedDetector, MetricResult, Split
from components.stores.tracking import Tracking
from components.studies.cells import CellJob, CellOutcome
from components.studies.params import StudyParams, load_detectors
from components.studies.plan import StudySet, candidates, plan
from components.studies.rows import rows_of
from components.studies.table import tables_of
from flows import bench, study_cells
from flows.settings import Settings
from flows.study_cells import EXPERIMENT, Cells
from flows.study_images import StudyImages
from tests.factories import ROOT

STUDY = StudyParams.model_validate(
    {
        "name": "tiny", "title": "t", "stations": ["parts"], "seeds": [0, 1],
        "detectors": ["patchcore", "padim"],
    }
)  # fmt: skip
AUROC = {("patchcore", 0): 0.9, ("patchcore", 1): 0.8, ("padim", 0): 0.6, ("padim", 1): 0.7}


def outcome(job: CellJob) -> CellOutcome:
    """What a compute process would answer, without computing."""
    fitted = FittedDetector(
        detector=job.params.detector.kind, backbone="lite0",
        params=job.params.model_dump(mode="json"), fingerprint=job.fingerprint, data_version="h",
        seed=job.key.seed, num_images=9, fit_s=1.0, peak_bytes=1, weights_sha256="w",
        folder=Path("f"),
    )  # fmt: skip
    value = AUROC[job.key.detector, job.key.seed]
    report = EvaluationReport(
        candidate=job.params.name, split=Split.TEST, fingerprint="f", data_version="h",
        results=(MetricResult(name="image_auroc", value=value, num_images=4),), predictions=(),
        protocol="paper",
    )  # fmt: skip
    return CellOutcome(
        key=job.key, evaluations={"clean": report}, thresholds={}, num_train=9, num_held_out=1,
        num_test=4, fit_s=1.0, predict_s=1.0, wall_s=2.0, peak_bytes=1, size_bytes=1,
        fitted=fitted,
    )  # fmt: skip


@dataclass
class Line:
    """Stands in for Prefect and the pool: answers a cell when it is asked for its result."""

    answer: Callable[[CellJob], object] = outcome
    computed: list[str] = field(default_factory=list)

    def submit(self, job: CellJob) -> "Waiting":
        return Waiting(self, job)

    def warm_up(self) -> None:
        pass


@dataclass(eq=False)
class Waiting:
    line: Line
    job: CellJob

    def result(self, *, raise_on_failure: bool) -> object:
        assert not raise_on_failure
        found = self.line.answer(self.job)
        self.line.computed.append(self.job.key.name)
        return found


class Quiet:
    line = ""
    reused = False

    def total(self, count: int) -> None: ...
    def advance(self, note: str = "") -> None: ...
    def at(self, done: int, total: int) -> None: ...


def settings(root: Path) -> Settings:
    return Settings(
        root=root, workers=1, data_folder=None, weight_folders=(), tracking_uri="",
        artifact_root=root, prefect_api_url=None, s3_endpoint=None, user="tester",
    )  # fmt: skip


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    made = Line()
    monkeypatch.setattr(study_cells, "cell_task", made)
    monkeypatch.setattr(study_cells, "as_completed", iter)
    monkeypatch.setattr(study_cells, "shared_pool", lambda: made)
    return made


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], Cells]]:
    tracking = Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    version = DataVersion(station="parts", stage="prepare", content_hash="h", git_sha="g")
    images = StudyImages({("parts", ""): IMAGES}, {"parts": version}, ())

    def open_run() -> Cells:
        parent = tracking.open_cycle(EXPERIMENT, "run", {"kind": "study"}, {})
        return Cells(tracking, parent, settings(tmp_path), STUDY, "full", images)

    yield open_run


IMAGES = StudySet(Path("m.parquet"), Path(), "h", num_train=9, num_test=4)


@pytest.fixture(scope="module")
def jobs() -> tuple[CellJob, ...]:
    rows, _ = candidates(load_detectors(ROOT / "params", STUDY.detectors), (), WeightStore())
    found = plan(STUDY, "full", rows, {("parts", ""): IMAGES}, (), {}).jobs
    return tuple(job.model_copy(update={"export": False}) for job in found)


Opened = Callable[[], Cells]


def test_the_table_of_a_study_is_the_mean_of_its_seeds(
    line: Line, opened: Opened, jobs: tuple[CellJob, ...]
) -> None:
    cells = opened()
    cells.run(cells.look_up(jobs), Quiet())
    (table,) = tables_of(STUDY, rows_of(cells.finished(jobs)))
    patchcore = table.entries[("patchcore", "lite0"), "parts"].spread
    padim = table.entries[("padim", "lite0"), "parts"].spread
    assert (patchcore.mean, padim.mean) == (pytest.approx(0.85), pytest.approx(0.65))
    assert patchcore.std == pytest.approx(0.1 / 2**0.5)


def test_a_run_killed_after_its_first_cell_goes_on_with_the_second(
    line: Line, opened: Opened, jobs: tuple[CellJob, ...]
) -> None:
    def die_at_the_second(job: CellJob) -> object:
        if line.computed:
            raise KeyboardInterrupt
        return outcome(job)

    line.answer = die_at_the_second
    killed = opened()
    with pytest.raises(KeyboardInterrupt):
        killed.run(killed.look_up(jobs), Quiet())
    line.answer = outcome
    resumed = opened()
    missing = resumed.look_up(jobs)
    assert missing == jobs[1:]
    resumed.run(missing, Quiet())
    assert line.computed == [job.key.name for job in jobs]
    assert [resumed.records[job.key.name].state for job in jobs] == ["reused", *["done"] * 3]
    assert opened().look_up(jobs) == ()


def test_a_failed_cell_is_recorded_with_its_reason_and_the_rest_goes_on(
    line: Line, opened: Opened, jobs: tuple[CellJob, ...]
) -> None:
    bad = jobs[1].key.name

    def fail_one(job: CellJob) -> object:
        return RuntimeError("out of memory") if job.key.name == bad else outcome(job)

    line.answer = fail_one
    cells = opened()
    cells.run(cells.look_up(jobs), Quiet())
    assert cells.records[bad].state == "failed"
    assert cells.records[bad].error == "RuntimeError: out of memory"
    assert len(cells.finished(jobs)) == 3
    assert opened().look_up(jobs) == (jobs[1],)


def test_finished_cells_are_tagged_with_the_papers_protocol(
    line: Line, opened: Opened, jobs: tuple[CellJob, ...], tmp_path: Path
) -> None:
    cells = opened()
    cells.run(cells.look_up(jobs), Quiet())
    tracking = Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    found = tracking.history(EXPERIMENT, "cell")
    assert len(found) == 4
    assert {run.tags["protocol"] for run in found} == {"paper"}
    assert {run.metrics["num_images"] for run in found} == {13.0}
    assert tracking.versions("parts") == ()


@pytest.mark.parametrize("module", ["benchmark", "study_cells", "study_images", "bench"])
def test_a_study_imports_nothing_that_registers_or_promotes(module: str) -> None:
    text = (ROOT / f"flows/{module}.py").read_text(encoding="utf-8")
    for word in ("flows.promotion", "flows.judgement", "components.promote", "set_champion"):
        assert word not in text
    assert ".register(" not in text


def test_only_is_read_field_by_field_and_a_wrong_one_is_told() -> None:
    words = bench._wanted(["detector=padim", "detector=stfpm", "seed=0"])
    assert words == {"detector": ("padim", "stfpm"), "seed": ("0",)}
    with pytest.raises(ParamsError, match=r"E246 .*'size=3'"):
        bench._wanted(["size=3"])
    with pytest.raises(ParamsError, match=r"E246 .*detector=stfpm: not in this study"):
        bench._check_only({"detector": ("stfpm",)}, STUDY, {})


def test_a_study_that_runs_already_is_not_started_twice(tmp_path: Path) -> None:
    from filelock import FileLock

    path = tmp_path / "tiny.yaml"
    path.write_text("{name: tiny, title: t, stations: [elpv], detectors: [padim]}")
    lock = tmp_path / ".defectloop/locks/bench-tiny.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(PipelineError, match="E004"):
        bench.bench(settings(tmp_path), path, "quick")
