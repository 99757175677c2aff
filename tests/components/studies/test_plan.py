"""Which cells a study has, and what is left out with which reason."""

from pathlib import Path

import pytest

from components.costs.forecast import Images, fit_cost
from components.models.backbones import WeightStore
from components.studies.cells import CellJob
from components.studies.forecast import Past, forecast, num_images
from components.studies.params import StudyParams, load_detectors
from components.studies.plan import Plan, StudySet, candidates, plan, with_backbone
from tests.components.costs.test_forecast import PACE
from tests.factories import ROOT

DETECTORS = load_detectors(ROOT / "params", ["patchcore", "padim"])
IMAGES = StudySet(Path("m.parquet"), Path(), "hash", num_train=20, num_test=10)


def study(**changes: object) -> StudyParams:
    values = {
        "name": "s", "title": "t", "stations": ["a", "b"], "detectors": list(DETECTORS),
        "seeds": [0, 1, 2],
    }  # fmt: skip
    return StudyParams.model_validate(values | changes)


def planned(given: StudyParams, *, missing: str = "", **only: tuple[str, ...]) -> Plan:
    rows, _ = candidates(DETECTORS, given.backbones, WeightStore())
    windows = [v.window.name if v.window else "" for v in given.axes.variants]
    sets: dict[tuple[str, str], StudySet | str] = {
        (station, window): "nowhere" if station == missing else IMAGES
        for station in given.stations
        for window in windows
    }
    return plan(given, "full", rows, sets, (), only)


def test_cells_are_the_product_and_the_first_seed_comes_first() -> None:
    jobs = planned(study()).jobs
    assert len(jobs) == 2 * 2 * 3
    assert [job.key.seed for job in jobs] == [0] * 4 + [1] * 4 + [2] * 4
    assert len({job.fingerprint for job in jobs if job.key.station == "a"}) == 6


def test_one_model_of_each_detector_and_backbone_is_kept_for_timing() -> None:
    exported = [job.key for job in planned(study()).jobs if job.export]
    assert [(key.detector, key.station, key.seed) for key in exported] == [
        ("patchcore", "a", 0),
        ("padim", "a", 0),
    ]


def test_the_same_data_under_another_station_name_is_the_same_work() -> None:
    jobs = planned(study(), detector=("padim",)).jobs
    at_a, at_b = (job for job in jobs if job.key.seed == 1)
    assert at_a.key.station != at_b.key.station
    assert at_a.fingerprint == at_b.fingerprint


def test_only_keeps_the_cells_that_it_names() -> None:
    jobs = planned(study(), detector=("padim",), seed=("0", "2")).jobs
    assert {(job.key.detector, job.key.seed) for job in jobs} == {("padim", 0), ("padim", 2)}


def test_a_station_without_images_is_left_out_once_with_its_reason() -> None:
    found = planned(study(), missing="b")
    assert {job.key.station for job in found.jobs} == {"a"}
    assert [(s.what, s.reason) for s in found.skipped] == [("b", "nowhere")]


def test_more_training_images_than_there_are_is_a_reason() -> None:
    found = planned(study(stations=["a"], axes={"num_train": [20, 21]}))
    assert {job.variant.num_train for job in found.jobs} == {20}
    assert found.skipped[0].reason == "21 training images asked for, the station has 20"


def test_a_backbone_that_a_detector_cannot_take_is_left_out_with_the_valid_ones() -> None:
    rows, skipped = candidates(DETECTORS, ("lite0", "no_such"), WeightStore())
    assert [(row.detector, row.backbone) for row in rows] == [
        ("patchcore", "lite0"),
        ("padim", "lite0"),
    ]
    assert {s.what for s in skipped} == {"patchcore/no_such", "padim/no_such"}


def test_a_backbone_whose_weights_are_not_here_is_left_out_with_how_to_get_them() -> None:
    _, (skipped,) = candidates({"padim": DETECTORS["padim"]}, ("resnet18",), WeightStore())
    assert skipped.what == "padim/resnet18"
    assert "E131" in skipped.reason


def test_layers_that_another_backbone_lacks_give_way_to_its_own() -> None:
    moved = with_backbone(DETECTORS["padim"], "resnet18")
    assert moved.detector.layers
    assert not set(moved.detector.layers) & set(DETECTORS["padim"].detector.layers)
    kept = with_backbone(DETECTORS["padim"], "lite2")
    assert kept.detector.layers == DETECTORS["padim"].detector.layers


def test_augmentation_joins_the_detectors_own_and_changes_the_work() -> None:
    given = study(stations=["a"], axes={"augment": {"kinds": [{"kind": "rotate"}], "copies": 2}})
    plain, augmented = planned(given, detector=("padim",), seed=("0",)).jobs
    assert [a.kind for a in augmented.params.augment] == ["rotate"]
    assert augmented.params.augment_copies == 2
    assert plain.fingerprint != augmented.fingerprint


def cell(detector: str, backbone: str) -> CellJob:
    (job,) = planned(
        study(stations=["a"], backbones=[backbone]), detector=(detector,), seed=("0",)
    ).jobs
    return job


THIRTY = Images(num_fit=20, num_scored=10, megapixels=0.1)


def test_the_forecast_is_images_times_the_median_pace_over_the_processes() -> None:
    past = [Past("padim", "lite0", 256, 100, s) for s in (10.0, 20.0, 90.0)]
    jobs = [cell("padim", "lite0")] * 2
    found = forecast(jobs, {jobs[0].fingerprint: THIRTY}, past)
    assert found.wall_s(2) == pytest.approx(2 * 30 * 0.2 / 2)
    assert found.unknown == ()


def test_another_backbone_stands_in_and_an_unknown_detector_is_named() -> None:
    past = [Past("padim", "lite2", 256, 100, 10.0)]
    known, unknown = cell("padim", "lite0"), cell("patchcore", "lite0")
    images = {known.fingerprint: THIRTY, unknown.fingerprint: THIRTY}
    found = forecast([known, unknown], images, past)
    assert (found.wall_s(1), found.unknown) == (pytest.approx(3.0), ("patchcore/lite0",))
    assert "without patchcore/lite0" in found.words(1)
    assert "unknown" in forecast([unknown], images, past).words(1)


def test_what_never_ran_here_is_predicted_from_the_machines_calibration() -> None:
    job = cell("patchcore", "lite0")
    found = forecast([job], {job.fingerprint: THIRTY}, [], PACE)
    cost = fit_cost(job.params, THIRTY, PACE)
    assert (found.cells_s, found.unknown) == (pytest.approx(cost.seconds), ())
    assert found.peaks == {"patchcore/lite0": cost.peak_bytes}
    # 20 images of 32 x 32 patches, 1 % of them picked
    assert found.coreset.startswith("largest coreset of 204 of 20,480 × 152 features")


def test_what_ran_here_counts_more_than_a_calibration_but_other_backbones_count_less() -> None:
    job = cell("padim", "lite0")
    looks = {job.fingerprint: THIRTY}
    same = [Past("padim", "lite0", 256, 100, 10.0)]
    other = [Past("padim", "lite2", 256, 100, 10.0)]
    assert forecast([job], looks, same, PACE).cells_s == pytest.approx(3.0)
    assert forecast([job], looks, other, PACE).cells_s == pytest.approx(
        fit_cost(job.params, THIRTY, PACE).seconds
    )


def test_a_backbone_that_cannot_be_timed_alone_stays_unknown() -> None:
    job = cell("padim", "lite0")
    machine = PACE.model_copy(update={"backbones": {}})
    found = forecast([job], {job.fingerprint: THIRTY}, [], machine)
    assert (found.unknown, found.peaks) == (("padim/lite0",), {})


def test_augmented_copies_are_looked_at_too() -> None:
    job = cell("padim", "lite0")
    twice = job.model_copy(update={"params": job.params.replaced(augment_copies=2)})
    assert (num_images(job, THIRTY), num_images(twice, THIRTY)) == (30, 70)


def test_a_detector_without_pretrained_weights_is_a_candidate() -> None:
    detectors = load_detectors(ROOT / "params", ["ganomaly", "draem"])
    rows, skipped = candidates(detectors, ("lite0",), WeightStore())
    assert [(row.detector, row.backbone) for row in rows] == [
        ("ganomaly", "none"),
        ("draem", "none"),
    ]
    assert skipped == ()
