"""Plots: the numbers behind them by hand, and the SVG as a page needs it."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.records import Prediction, StressPoint
from components.report.plots import canvas
from components.report.plots.curves import pr_points, recall_by_type, roc_and_pr, roc_points
from components.report.plots.pareto import Limits, Point, lowest_in_view, pareto
from components.report.plots.scores import MOST_TYPES, by_type, scores_by_type
from components.report.plots.stress import curves_of, stress_curves
from components.report.plots.tuning import best_so_far, tuning
from components.report.sections.choice import limits_of, points_of
from tests.components.report import factory, measured


def test_roc_steps_by_hand():
    scores, labels = np.array([4.0, 3.0, 2.0, 1.0]), np.array([1, 0, 1, 0])
    overkill, recall = roc_points(scores, labels)
    assert overkill.tolist() == [0, 0, 0.5, 0.5, 1]
    assert recall.tolist() == [0, 0.5, 0.5, 1, 1]


def test_precision_and_recall_by_hand():
    recall, precision = pr_points(np.array([4.0, 3.0, 2.0, 1.0]), np.array([1, 0, 1, 0]))
    assert recall.tolist() == [0.5, 0.5, 1, 1]
    assert precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])


def test_equal_scores_are_one_step_on_the_diagonal():
    overkill, recall = roc_points(np.array([7.0, 7.0, 7.0, 7.0]), np.array([1, 0, 1, 0]))
    assert overkill.tolist() == [0, 1]
    assert recall.tolist() == [0, 1]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), min_size=2, max_size=40).filter(
        lambda rows: len({label for _, label in rows}) == 2
    )
)
def test_the_area_under_the_roc_is_the_share_of_pairs_in_order(rows: list[tuple[int, int]]):
    scores = np.array([float(s) for s, _ in rows])
    labels = np.array([label for _, label in rows])
    overkill, recall = roc_points(scores, labels)
    pairs = scores[labels == 1][:, None] - scores[labels == 0][None]
    share = float(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    assert np.trapezoid(recall, overkill) == pytest.approx(share)


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=12), st.floats(0.01, 5))
def test_labels_are_set_apart_in_the_same_order(wanted: list[float], gap: float):
    placed = canvas.apart(wanted, gap)
    heights = sorted(placed)
    assert all(b - a >= gap - 1e-6 for a, b in pairwise(heights))
    for i, j in ((i, j) for i in range(len(wanted)) for j in range(len(wanted))):
        assert wanted[i] >= wanted[j] or placed[i] < placed[j]


def test_labels_with_room_stay_where_they_belong():
    assert canvas.apart([0.0, 5.0, 2.0], 1.0) == [0.0, 5.0, 2.0]


def test_types_with_the_most_escapes_are_shown_when_there_are_too_many():
    normal = [_prediction(0, "good", 0.0)]
    many = [_prediction(1, f"type{n:02d}", 1.0) for n in range(20)]
    missed = [_prediction(1, "worst", 0.1), _prediction(1, "worst", 0.2)]
    rows = by_type([*many, *missed, *normal], threshold=0.5)
    assert len(rows) == MOST_TYPES
    assert [name for name, _, _ in rows[:2]] == ["normal", "worst"]


def test_a_far_worse_candidate_does_not_flatten_the_view():
    points = [Point("best", 0.97), Point("near", 0.93), Point("far", 0.4)]
    assert lowest_in_view(points, ("best", "near")) == 0.93
    assert lowest_in_view([*points, Point("mid", 0.91)], ("best", "near")) == 0.91


def test_the_front_is_always_in_view():
    points = [Point("best", 0.97), Point("fast", 0.6)]
    assert lowest_in_view(points, ("best", "fast")) == 0.6


def test_every_trial_has_a_point_and_only_measured_ones_a_latency():
    points = {p.name: p for p in points_of(factory.run_summary(), "image_auroc")}
    assert points[measured.WINNER].quality == pytest.approx((0.968 + 0.971 + 0.965) / 3)
    assert points[measured.WINNER].latency_ms == pytest.approx((14.1 + 14.4 + 14.2) / 3)
    assert points["padim/lite0·256·σ0.07"].latency_ms is None
    assert measured.FAILED not in points


def test_limits_are_read_from_the_decision():
    assert limits_of(measured.decision(), "image_auroc") == Limits(0.7, 200.0)
    assert limits_of(None, "image_auroc") == Limits(None, None)


def test_a_shared_clean_point_starts_every_curve():
    points = (
        _stress("clean", 0),
        _stress("defocus", 2),
        _stress("defocus", 1),
        _stress("rotate", 5),
    )
    curves = curves_of(points)
    assert [p.severity for p in curves["defocus"]] == [0, 1, 2]
    assert [p.severity for p in curves["rotate"]] == [0, 5]


def test_the_best_so_far_never_falls():
    done = [t for t in measured.trials() if t.objective is not None]
    assert best_so_far(done) == [0.961, 0.968, 0.968, 0.968, 0.969, 0.969, 0.969, 0.969]


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    hostile = [
        p.model_copy(update={"defect_type": "<script>$x_1$</script>"})
        for p in measured.predictions(1)
    ]
    summary = factory.run_summary()
    decision = summary.decision
    assert decision is not None
    points = points_of(summary, "image_auroc")
    recalls = [r for r in summary.evaluations["winner"].results if r.name == "recall"]
    return {
        "scores": scores_by_type(hostile, measured.THRESHOLD),
        "pareto": pareto(points, decision.front, decision.winner, Limits(0.95, 20), "image_auroc"),
        "curves": roc_and_pr({"a < b": measured.predictions(1)}, measured.THRESHOLD),
        "recalls": recall_by_type(recalls),
        "stress": stress_curves(measured.stress()),
        "tuning": tuning(measured.trials(), {"random weights": 0.9}, "image_auroc"),
    }


def test_an_svg_names_no_address_no_script_and_no_colour_of_its_own(drawn: dict[str, str]):
    for name, svg in drawn.items():
        assert "http" not in svg, name
        assert "<script" not in svg, name
        assert "&lt;script&gt;$x_1$" in svg or name != "scores"
        assert set(re.findall(r"(?:fill|stroke): (#\w+)", svg)) <= {"#000000"}, name
        assert svg.startswith('<svg role="img" aria-label='), name


def test_every_id_of_an_svg_is_used_and_every_use_has_an_id(drawn: dict[str, str]):
    for name, svg in drawn.items():
        ids = re.findall(r' id="([^"]+)"', svg)
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
        assert used <= set(ids), name


def test_the_same_records_give_the_same_bytes(drawn: dict[str, str]):
    assert stress_curves(measured.stress()) == drawn["stress"]
    again = tuning(measured.trials(), {"random weights": 0.9}, "image_auroc")
    assert again == drawn["tuning"]


def test_limits_in_view_and_the_chosen_name_are_written(drawn: dict[str, str]):
    for words in ("latency limit 20 ms", "AUROC limit 0.950", measured.WINNER, "latency not"):
        assert words in drawn["pareto"]


def test_words_keep_all_their_digits_while_places_are_cut(drawn: dict[str, str]):
    svg = scores_by_type([_prediction(0, "good", 0.01), _prediction(1, "#010203", 0.04)], 0.02657)
    assert "threshold 0.027<" in svg
    assert "#010203<" in svg  # a type may be called like a colour of ours
    assert "0.970 · n 15" in drawn["recalls"]
    assert not re.search(r'[ "(]\d+\.\d{3,}[ ",)]', re.sub(r">[^<]*<", "><", svg.partition(">")[2]))


def test_an_undefined_recall_says_na_beside_its_type(drawn: dict[str, str]):
    assert "scratch" in drawn["recalls"]
    assert "n/a · n 0" in drawn["recalls"]


def test_a_plot_of_one_single_point_can_be_drawn():
    svg = pareto([Point("only", 0.9, None, 12.0)], (), None, Limits(), "image_auroc")
    assert "<svg" in svg


def test_words_that_the_drawing_font_lacks_raise_no_warning(recwarn: pytest.WarningsRecorder):
    svg = scores_by_type([_prediction(0, "good", 0.0), _prediction(1, "裂纹", 1.0)], 0.5)
    assert "裂纹" in svg
    assert not [w for w in recwarn if "Glyph" in str(w.message)]


def _prediction(label: int, defect_type: str, score: float) -> Prediction:
    return Prediction(
        image_id="i", pred_score=score, gt_label=label, defect_type=defect_type, origin="real"
    )


def _stress(corruption: str, severity: float) -> StressPoint:
    return StressPoint(
        corruption=corruption,
        severity=severity,
        image_auroc=None,
        escape_rate=0.1,
        overkill_rate=None,
        num_images=4,
    )
