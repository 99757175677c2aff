"""Reports: undefined figures, real and synthetic apart, counts, comparisons, floors."""

import numpy as np
import pytest

from components.evaluate import (
    compare,
    eligibility,
    equal_scores,
    evaluate,
    image_figures,
    single_statistic_floor,
)
from components.metrics.rates import clopper_pearson
from components.records import (
    Calibration,
    EvaluationReport,
    ImageRecord,
    Prediction,
    Split,
)

CALIBRATION = Calibration(
    image_threshold=0.5,
    pixel_threshold=0.5,
    rule="by hand",
    fpr=0.05,
    by_fpr={"0.01": 0.8, "0.05": 0.5},
    split="tune",
    num_scores=10,
)


def prediction(
    name: str, score: float, label: int = 0, defect_type: str = "", origin: str = "real"
) -> Prediction:
    kind = defect_type or ("crack" if label else "good")
    return Prediction(
        image_id=name, pred_score=score, gt_label=label, defect_type=kind, origin=origin
    )


NORMALS = [prediction(f"n{i}", score) for i, score in enumerate((0.1, 0.2, 0.3, 0.6))]
CRACKS = [prediction(f"c{i}", score, 1) for i, score in enumerate((0.4, 0.9))]
STAINS = [prediction("s0", 0.7, 1, "stain")]
DRAWN = [prediction("d0", 0.05, 1, "warp", "synthetic")]


def report(predictions: list[Prediction], **more) -> EvaluationReport:
    calibration = more.pop("calibration", CALIBRATION)
    return evaluate(
        "a", Split.REPORT, "f" * 64, "d" * 64, predictions, calibration, bootstrap=100, **more
    )


def test_figures_have_their_value_their_interval_and_their_images() -> None:
    figure = report(NORMALS + CRACKS + STAINS).figure("image_auroc", origin="real")
    assert figure.value == pytest.approx(11 / 12)  # 0.4 loses to 0.6 alone
    assert figure.ci_low <= figure.value <= figure.ci_high
    assert figure.num_images == 7


def test_rates_carry_their_counts_and_the_exact_interval() -> None:
    result = report(NORMALS + CRACKS + STAINS)
    escape = result.figure("escape_rate")
    assert (escape.value, escape.note) == (pytest.approx(1 / 3), "1/3")
    assert (escape.ci_low, escape.ci_high) == clopper_pearson(1, 3, 0.95)
    assert result.figure("overkill_rate").note == "1/4"


def test_the_deployed_rate_comes_first_and_declared_ones_by_name() -> None:
    result = report(NORMALS + CRACKS + STAINS)
    assert result.figure("escape_rate").slice == {"origin": "real"}
    assert result.figure("escape_rate", declared_fpr="0.01").note == "2/3"
    assert result.figure("overkill_rate", declared_fpr="0.01").note == "0/4"


def test_recall_is_told_for_each_defect_type_with_its_number() -> None:
    result = report(NORMALS + CRACKS + STAINS)
    assert result.figure("recall", defect_type="crack").note == "1/2"
    assert result.figure("recall", defect_type="stain").note == "1/1"


def test_synthetic_defects_never_touch_the_figures_of_real_ones() -> None:
    with_drawn = report(NORMALS + CRACKS + DRAWN)
    assert with_drawn.figure("image_auroc", origin="synthetic").value == 0
    real = report(NORMALS + CRACKS).figure("image_auroc")
    assert with_drawn.figure("image_auroc") == real
    assert report(NORMALS + CRACKS).figure("image_auroc", origin="synthetic") is None


def test_one_class_gives_no_number_but_a_note() -> None:
    result = report(NORMALS)
    figure = result.figure("image_auroc")
    assert figure.value is None
    assert "4 normal, 0 anomalous" in figure.note
    assert result.figure("escape_rate").value is None
    assert result.figure("overkill_rate").value == 0.25
    assert "NaN" not in result.model_dump_json()


def test_without_a_threshold_rates_say_that_none_was_set() -> None:
    figure = report(NORMALS + CRACKS, calibration=None).figure("escape_rate")
    assert (figure.value, figure.note) == (None, "no threshold was set")


def test_pixel_figures_are_taken_over_or_their_absence_explained() -> None:
    assert report(NORMALS + CRACKS, pixel={"aupro": 0.7}).figure("aupro").value == 0.7
    missing = report(NORMALS + CRACKS).figure("aupro")
    assert (missing.value, missing.note) == (None, "no usable masks of real defects")


def test_image_figures_agree_with_the_report() -> None:
    predictions = NORMALS + CRACKS + STAINS
    scores, labels = [p.pred_score for p in predictions], [p.gt_label for p in predictions]
    figures = image_figures(scores, labels, 0.5)
    result = report(predictions)
    for name in ("image_auroc", "image_ap", "image_f1_max", "tpr_at_tnr_0.95", "escape_rate"):
        assert figures[name] == result.figure(name).value
    assert figures["threshold"] == 0.5


def test_image_figures_of_one_class_are_none() -> None:
    figures = image_figures([0.2, 0.7], [0, 0], 0.5)
    assert figures["image_auroc"] is None
    assert figures["escape_rate"] is None
    assert figures["overkill_rate"] == 0.5


def test_a_comparison_names_what_was_fixed_and_what_is_newly_missed() -> None:
    champion = report(NORMALS + CRACKS + STAINS)
    scores = {"c0": 0.8, "s0": 0.1}
    moved = [
        p.model_copy(update={"pred_score": scores.get(p.image_id, p.pred_score)})
        for p in NORMALS + CRACKS + STAINS
    ]
    by_name = {c.metric: c for c in compare(champion, report(moved), seed=0)}
    escape = by_name["escape_rate"]
    assert (escape.fixed, escape.newly_missed) == (("c0",), ("s0",))
    assert (escape.champion, escape.challenger, escape.delta) == (pytest.approx(1 / 3),) * 2 + (0,)
    assert by_name["overkill_rate"].fixed == ()
    assert by_name["image_auroc"].delta == pytest.approx(8.5 / 12 - 11 / 12)  # 0.1 ties


def test_a_model_against_itself_differs_by_nothing() -> None:
    same = report(NORMALS + CRACKS + STAINS)
    for comparison in compare(same, same):
        assert (comparison.delta, comparison.ci_low, comparison.ci_high) == (0, 0, 0)


def test_only_images_that_both_have_scored_are_compared() -> None:
    champion = report(NORMALS + CRACKS)
    challenger = report(NORMALS[:2] + CRACKS + STAINS)
    auroc = compare(champion, challenger)[0]
    assert auroc.champion == auroc.challenger == 1  # without the normal at 0.6


def test_nothing_in_common_gives_no_number() -> None:
    auroc = compare(report(NORMALS), report(CRACKS))[0]
    assert (auroc.delta, auroc.ci_low) == (None, None)


def image_record(label: int, brightness: float) -> ImageRecord:
    return ImageRecord(
        image_id=f"{label}{brightness}",
        image_path="x.png",
        category="tile",
        split=Split.TUNE,
        gt_label=label,
        height_px=8,
        width_px=8,
        channels=1,
        brightness=brightness,
    )


def test_the_floor_takes_a_statistic_in_its_better_direction() -> None:
    dark_defects = [image_record(0, b) for b in (0.5, 0.6, 0.7)]
    dark_defects += [image_record(1, b) for b in (0.2, 0.55)]
    floor = single_statistic_floor(dark_defects)
    assert floor["brightness"]["image_auroc"] == pytest.approx(5 / 6)
    assert floor["contrast"]["image_auroc"] == 0.5  # the same for all


def test_there_is_no_floor_without_both_classes() -> None:
    assert single_statistic_floor([image_record(0, 0.5)]) == {}


def test_equal_scores_are_noticed_through_float32_rounding() -> None:
    assert equal_scores([prediction("a", 46.0), prediction("b", float(np.float32(46.000002)), 1)])
    assert not equal_scores([prediction("a", 46.0), prediction("b", 46.1, 1)])
    assert equal_scores([prediction("a", 0.0), prediction("b", 0.0)])


def test_a_candidate_must_beat_the_floor() -> None:
    floor = {"image_auroc": 0.6, "escape_rate": 0.1}
    assert eligibility({"image_auroc": (0.7, 0.8), "escape_rate": (0.5, 0.5)}, floor) == ""
    assert eligibility({"image_auroc": (0.5, 0.7)}, floor).startswith("E121")
    assert eligibility({"image_auroc": (0.7, None)}, floor).startswith("E114")
    assert eligibility({}, floor).startswith("E114")
    assert eligibility({"image_auroc": (0.7,)}, {}) == ""
