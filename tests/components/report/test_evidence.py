"""What the records say is counted once, the same way for console and page."""

from components.records import EvaluationReport, MetricResult, Prediction, Split
from components.report import evidence
from tests.components.report import factory, measured


def _report(*scored: tuple[float, int, str], results: tuple[MetricResult, ...] = ()):
    predictions = tuple(
        Prediction(
            image_id=str(i), pred_score=score, gt_label=label, defect_type="crack", origin=origin
        )
        for i, (score, label, origin) in enumerate(scored)
    )
    return EvaluationReport(
        candidate="a",
        split=Split.REPORT,
        fingerprint="f",
        data_version="d",
        results=results,
        predictions=predictions,
        calibration=measured.calibration(),
    )


def test_a_score_on_the_threshold_is_called_anomalous():
    at, below = measured.THRESHOLD, measured.THRESHOLD - 1e-9
    seen = evidence.calls(
        _report((at, 1, "real"), (below, 1, "real"), (at, 0, "real"), (below, 0, "real"))
    )
    assert seen == evidence.Calls(escapes=1, num_anomalous=2, overkill=1, num_normal=2)


def test_synthetic_images_are_no_escapes():
    seen = evidence.calls(_report((0.0, 1, "synthetic"), (99.0, 1, "real")))
    assert seen == evidence.Calls(escapes=0, num_anomalous=1, overkill=0, num_normal=0)


def test_without_a_threshold_nothing_is_counted():
    report = _report((99.0, 1, "real")).model_copy(update={"calibration": None})
    assert evidence.calls(report) is None


def test_the_headline_is_the_real_figure_even_where_synthetic_comes_first():
    figures = tuple(
        MetricResult(name="image_auroc", value=value, num_images=9, slice=where)
        for value, where in ((0.99, {"origin": "synthetic"}), (0.8, {}), (0.9, {"origin": "real"}))
    )
    found = evidence.headline(_report(results=figures), "image_auroc")
    assert found is not None
    assert found.value == 0.9


def test_recalls_come_worst_first_with_undefined_and_synthetic_ones_last():
    rows = (("a", 0.9, "real"), ("b", None, "real"), ("c", 0.2, "synthetic"), ("d", 0.5, "real"))
    figures = tuple(
        MetricResult(name="recall", value=v, num_images=3, slice={"defect_type": t, "origin": o})
        for t, v, o in rows
    )
    found = evidence.recalls(_report(results=figures))
    assert [evidence.type_of(r) for r in found] == ["d", "a", "b", "c (synthetic)"]


def test_winner_comes_first_whatever_the_order_of_the_record():
    summary = factory.run_summary()
    turned = dict(reversed(list(summary.evaluations.items())))
    judged = evidence.evaluated(summary.model_copy(update={"evaluations": turned}))
    assert [role for role, _, _ in judged] == ["winner", "runner-up", "champion"]


def test_seeds_without_a_figure_do_not_count_in_its_mean():
    candidate = measured.candidates()[0].model_copy(update={"metrics": {"m": (0.5, None, 0.7)}})
    mean, std = evidence.over_seeds(candidate, "m")
    assert mean == 0.6
    assert std is not None
    assert abs(std - 0.02**0.5) < 1e-12  # of 0.5 and 0.7 around 0.6: sqrt((0.01 + 0.01) / 1)
    assert evidence.over_seeds(candidate, "unknown") == (None, None)


def test_undefined_floors_are_left_out_and_the_highest_comes_first():
    floors = {"low": {"m": 0.5}, "none": {"m": None}, "high": {"m": 0.7}, "other": {"n": 0.9}}
    assert list(evidence.floor_values(floors, "m").items()) == [("high", 0.7), ("low", 0.5)]
