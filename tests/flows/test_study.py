"""Which candidates go on to be trained over seeds, and what they must beat."""

from pathlib import Path

import pytest

from components.data.manifest import write_manifest
from components.errors import LeakError
from components.records import (
    DataVersion,
    FittedDetector,
    ImageRecord,
    Manifest,
    Prediction,
    Split,
)
from components.station import load_station
from components.stores.tracking import Tracking
from components.train import TrainParams
from components.trial import SetPaths, TrialOutcome, read_sets
from components.tune.objectives import mean_metric
from flows.ledger import Kept, Ledger
from flows.study import Study, candidates, finalists
from tests.factories import ROOT

SETS = SetPaths(
    real_manifest=Path("a"),
    real_root=Path("a"),
    synthetic_manifest=Path("b"),
    synthetic_root=Path("b"),
)


def params(kind: str, noise: float) -> TrainParams:
    return TrainParams.model_validate({"detector": {"kind": kind}, "input_noise": noise})


def outcome(auroc: float | None, *, equal: bool = False, predict_s: float = 1.0) -> TrialOutcome:
    fitted = FittedDetector(
        detector="d", backbone="b", params={}, fingerprint="f", data_version="v", seed=0,
        num_images=1, fit_s=1.0, peak_bytes=1, weights_sha256="w", folder=Path("f"),
    )  # fmt: skip
    predictions = tuple(
        Prediction(
            image_id=str(i), pred_score=1.0 if equal else float(i), gt_label=i % 2,
            defect_type="x", origin="real",
        )
        for i in range(4)
    )  # fmt: skip
    return TrialOutcome(
        metrics={"image_auroc": auroc, "aupro": 0.5}, basis="real", predictions=predictions,
        fit_s=1.0, predict_s=predict_s, peak_bytes=1, fitted=fitted,
    )  # fmt: skip


@pytest.fixture
def study(tmp_path: Path) -> Study:
    config = load_station(ROOT / "params", "elpv")
    tracking = Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    data = DataVersion(station="elpv", stage="prepare", content_hash="h", git_sha="g")
    parent = tracking.open_cycle("elpv", "run", {}, {})
    return Study(
        config=config,
        size=config.station.profiles["quick"].replaced(num_finalists=2),
        ledger=Ledger(tracking, "elpv", parent, tmp_path / "work", data),
        sets=SETS,
        data_hashes=("p", "s"),
        weight_folders=(),
    )


def add(study: Study, kind: str, noise: float, found: TrialOutcome) -> str:
    candidate = params(kind, noise)
    study.params[candidate.name] = candidate
    study.outcomes[candidate.name] = {0: Kept(found, Path("f"), False, "r")}
    return candidate.name


def test_finalists_are_the_front_of_quality_against_time_before_the_next_best(
    study: Study,
) -> None:
    best = add(study, "patchcore", 0.01, outcome(0.95, predict_s=9.0))
    slower_and_worse = add(study, "patchcore", 0.02, outcome(0.94, predict_s=9.5))
    faster = add(study, "padim", 0.01, outcome(0.90, predict_s=4.0))
    assert finalists(study) == [best, faster]
    study.size = study.size.replaced(num_finalists=3)
    assert finalists(study) == [best, faster, slower_and_worse]


def test_an_objective_with_an_undefined_part_is_undefined() -> None:
    assert mean_metric(outcome(0.9), ["image_auroc", "aupro"]) == pytest.approx(0.7)
    assert mean_metric(outcome(None), ["image_auroc", "aupro"]) is None


def test_equal_scores_make_a_candidate_ineligible_whatever_its_figure(study: Study) -> None:
    add(study, "patchcore", 0.01, outcome(1.0, equal=True))
    (found,) = candidates(study, {"image_auroc": 0.6})
    assert found.ineligible.startswith("E120")


def test_a_candidate_below_the_best_single_statistic_is_ineligible(study: Study) -> None:
    add(study, "patchcore", 0.01, outcome(0.58))
    (found,) = candidates(study, {"image_auroc": 0.6})
    assert "0.600" in found.ineligible


def test_a_failed_candidate_stays_in_the_table_with_its_error(study: Study) -> None:
    add(study, "patchcore", 0.01, outcome(0.9))
    study.errors["padim/lite0"] = "RuntimeError: out of memory"
    table = {c.candidate: c for c in candidates(study, {})}
    assert table["padim/lite0"].error == "RuntimeError: out of memory"


def test_work_recorded_in_the_ledger_is_found_by_fingerprint_alone(study: Study) -> None:
    ledger = study.ledger
    kept = ledger.keep("trial", "a", "print", outcome(0.9), params={}, metrics={"x": 1.0})
    found = ledger.find("trial", "print", TrialOutcome)
    assert found is not None
    assert found.outcome == kept.outcome
    assert found.reused
    assert ledger.find("trial", "other", TrialOutcome) is None
    assert ledger.find("refit", "print", TrialOutcome) is None


def test_a_job_that_was_given_a_report_image_refuses_to_start(tmp_path: Path) -> None:
    image = ImageRecord(
        image_id="i", image_path="i.png", category="c", split=Split.REPORT, gt_label=0,
        height_px=8, width_px=8, channels=1,
    )  # fmt: skip
    manifest = Manifest(station="s", layout="folder", root=tmp_path, records=(image,))
    path = tmp_path / "m.parquet"
    write_manifest(manifest, path)
    sets = SetPaths(
        real_manifest=path, real_root=tmp_path, synthetic_manifest=path, synthetic_root=tmp_path
    )
    with pytest.raises(LeakError, match="E167"):
        read_sets(sets)
