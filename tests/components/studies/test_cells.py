"""One cell, computed for real on a handful of drawn parts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.data.manifest import write_manifest
from components.errors import DataError, LeakError
from components.metrics.regions import Region
from components.promote import gates
from components.records import Defect, ImageRecord, Manifest, Split
from components.studies.cells import CellJob, CellKey, CellOutcome, run_cell
from components.studies.params import StudySize
from components.studies.variants import Condition, Variant
from components.train import TrainParams
from tests.components.test_promote import facts
from tests.factories import SIZE_PX, part_image

CONDITIONS = (Condition(), Condition(kind="rotate", severity=90.0))
PARAMS = TrainParams.model_validate(
    {"detector": {"kind": "padim", "n_features": 20}, "image_size_px": 64}
)


def drawn(root: Path, index: int, split: Split, *, defective: bool = False) -> ImageRecord:
    name = f"{split.value}-{index}{'-bad' * defective}"
    Image.fromarray(part_image(index + 1000 * defective, defective=defective)).save(
        root / f"{name}.png"
    )
    defects: tuple[Defect, ...] = ()
    if defective:
        mask = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
        mask[2:10, 4:8] = 255
        Image.fromarray(mask).save(root / f"{name}-mask.png")
        defects = (Defect(defect_type="scratch", mask_path=f"{name}-mask.png", mask_area_px=32),)
    return ImageRecord(
        image_id=name, image_path=f"{name}.png", category="parts", split=split,
        gt_label=1 if defective else 0, defects=defects, height_px=SIZE_PX, width_px=SIZE_PX,
        channels=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> CellJob:
    root = tmp_path_factory.mktemp("parts")
    records = (
        *(drawn(root, i, Split.TRAIN) for i in range(10)),
        *(drawn(root, 100 + i, Split.TEST) for i in range(4)),
        *(drawn(root, 200 + i, Split.TEST, defective=True) for i in range(4)),
    )
    manifest = Manifest(station="parts", layout="folder", root=root, records=records)
    return CellJob(
        key=CellKey(
            station="parts", detector="padim", backbone="lite0", variant="as it is", seed=0
        ),
        params=PARAMS,
        variant=Variant(),
        conditions=CONDITIONS,
        manifest=write_manifest(manifest, root / "study.parquet"),
        root=root,
        data_version="hash",
        held_out=0.2,
    )


@pytest.fixture(scope="module")
def outcome(job: CellJob) -> CellOutcome:
    return run_cell(job)


def test_a_fifth_of_the_training_normals_is_held_out_and_all_others_are_learned_from(
    outcome: CellOutcome,
) -> None:
    assert (outcome.num_train, outcome.num_held_out, outcome.num_test) == (8, 2, 8)
    assert outcome.fitted.num_images == 8


def test_the_image_auroc_is_the_share_of_pairs_in_the_right_order(outcome: CellOutcome) -> None:
    report = outcome.evaluations["clean"]
    normal = [p.pred_score for p in report.predictions if p.gt_label == 0]
    defective = [p.pred_score for p in report.predictions if p.gt_label == 1]
    pairs = [(d > n) + 0.5 * (d == n) for d in defective for n in normal]
    assert outcome.figures("clean")["image_auroc"] == pytest.approx(sum(pairs) / 16)


def test_thresholds_come_from_the_held_out_normals_and_are_carried_to_the_test_set(
    outcome: CellOutcome,
) -> None:
    threshold = outcome.thresholds["0.05"]
    predictions = outcome.evaluations["clean"].predictions
    stopped = [p.pred_score >= threshold for p in predictions if p.gt_label == 0]
    missed = [p.pred_score < threshold for p in predictions if p.gt_label == 1]
    found = outcome.figures("clean")
    assert found["overkill_at_fpr_0.05"] == sum(stopped) / 4
    assert found["escape_at_fpr_0.05"] == sum(missed) / 4


def test_masks_give_every_localisation_figure(outcome: CellOutcome) -> None:
    found = outcome.figures("clean")
    assert {"pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro", "auspro_0.05"} <= set(found)
    assert all(0 <= (found[name] or 0) <= 1 for name in found if name.startswith("pixel"))


def test_a_corrupted_condition_tests_the_same_detector_on_other_pictures(
    outcome: CellOutcome,
) -> None:
    clean, turned = (outcome.evaluations[name].predictions for name in ("clean", "rotate 90"))
    assert [p.image_id for p in clean] == [p.image_id for p in turned]
    assert [p.pred_score for p in clean] != [p.pred_score for p in turned]
    assert "fit_s" not in outcome.figures("rotate 90")


def test_masks_turn_with_their_pictures(job: CellJob) -> None:
    from components.data.manifest import read_manifest
    from components.studies.measure import _Disturbed

    manifest = read_manifest(job.manifest, job.root)
    record = next(r for r in manifest.records if r.gt_label == 1)
    turning = _Disturbed(manifest, [record], CONDITIONS[1])
    mask = np.array(Image.open(job.root / f"{record.image_id}-mask.png"))
    turned = turning(mask, np.random.default_rng(3))  # the mask itself as the picture
    (region,) = turning.of[record.image_id] or ()
    assert isinstance(region, Region)
    assert np.array_equal(turned > 127, region.mask)
    assert not np.array_equal(mask > 127, region.mask)


def test_maps_beyond_memory_are_streamed_to_the_same_figures(
    job: CellJob, outcome: CellOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.studies.measure.IN_MEMORY_PX", SIZE_PX**2)
    again = run_cell(job.model_copy(update={"conditions": CONDITIONS[:1]}))
    expected = outcome.figures("clean")
    for name, value in again.figures("clean").items():
        if name.startswith(("pixel", "au", "image")):
            assert value == pytest.approx(expected[name], abs=1e-4)


def test_every_record_of_a_cell_says_that_it_follows_the_papers_protocol(
    outcome: CellOutcome,
) -> None:
    assert outcome.protocol == "paper"
    assert {e.protocol for e in outcome.evaluations.values()} == {"paper"}
    assert {e.split for e in outcome.evaluations.values()} == {Split.TEST}


def test_the_same_images_by_other_sets_are_another_cell(job: CellJob) -> None:
    station = job.model_copy(update={"sets": "station"})
    assert station.fingerprint != job.fingerprint


def test_the_gate_refuses_the_figures_of_a_study(outcome: CellOutcome) -> None:
    with pytest.raises(LeakError, match=r"E247 .*protocol paper"):
        gates(facts(evaluation=outcome.evaluations["clean"]))


def test_the_number_of_training_images_is_the_variants_and_too_many_is_an_error(
    job: CellJob,
) -> None:
    few = job.model_copy(
        update={
            "variant": Variant(num_train=3),
            "conditions": CONDITIONS[:1],
            "size": StudySize(max_test_images=4),
        }
    )
    found = run_cell(few)
    assert (found.num_train, found.num_test) == (3, 4)
    with pytest.raises(DataError, match="E243"):
        run_cell(job.model_copy(update={"variant": Variant(num_train=9)}))
