"""Paper 003 replayed: its tables 4 and 5, with the priorities that it states.

Figures: joined from the paper's tables; three values a cell with the printed mean and deviation.
"""

import csv
from pathlib import Path

import pytest

from components.records import SelectionDecision
from components.select import Criterion, Row, SelectionParams, decide

TABLE = Path(__file__).with_name("paper_003_tables_4_5.csv")
FIGURES = ("image_auroc", "image_f1", "pixel_auroc", "pixel_f1")
PRIORITIES = SelectionParams(
    criteria=(
        Criterion(name="inference_ms", goal="min", aspiration=150, reservation=300),
        Criterion(name="image_auroc", goal="max", aspiration=1, reservation=0.9),
        Criterion(name="pixel_f1", goal="max", aspiration=0.75, reservation=0.45),
    )
)


def paper_rows() -> list[Row]:
    with TABLE.open() as file:
        return [row_of(line) for line in csv.DictReader(file)]


def row_of(line: dict[str, str]) -> Row:
    values = {"inference_ms": (float(line["inference_ms"]),)}
    for figure in FIGURES:
        if line[f"{figure}_mean"]:
            mean, spread = float(line[f"{figure}_mean"]), 1.5**0.5 * float(line[f"{figure}_std"])
            values[figure] = (mean - spread, mean, mean + spread)
    return Row("/".join(filter(None, (line["model"], line["backbone"]))), values)


@pytest.fixture(scope="module")
def decision() -> SelectionDecision:
    return decide(paper_rows(), PRIORITIES, seed=0)


def test_efficient_ad_is_first_and_stfpm_second(decision: SelectionDecision) -> None:
    assert decision.winner == "Efficient_AD"
    assert decision.runner_up is not None
    assert decision.runner_up.startswith("stfpm/")
    assert decision.knee


def test_under_noise_efficient_ad_wins_about_64_percent_and_stfpm_35(
    decision: SelectionDecision,
) -> None:
    stfpm = sum(share for name, share in decision.stability.items() if name.startswith("stfpm/"))
    assert decision.stability["Efficient_AD"] == pytest.approx(0.64, abs=0.1)
    assert stfpm == pytest.approx(0.35, abs=0.1)


def test_the_fall_back_agrees_with_the_knee() -> None:
    # levels so strict that every candidate lies above the plane
    strict = tuple(
        c.model_copy(update={"reservation": (c.aspiration + c.reservation) / 2})
        for c in PRIORITIES.criteria
    )
    fallen = decide(paper_rows(), PRIORITIES.replaced(criteria=[c.model_dump() for c in strict]))
    assert not fallen.knee
    assert "Tchebycheff" in fallen.method
    assert fallen.ranking[0].name == "Efficient_AD"
    assert fallen.ranking[1].name.startswith("stfpm/")


def test_models_without_a_pixel_figure_are_rejected_by_name(decision: SelectionDecision) -> None:
    reasons = {rejection.name: rejection.reason for rejection in decision.rejected}
    unmeasured = ("DFKDE/ResNet18", "DFKDE/WideResNet50", "GANomaly")
    assert reasons == dict.fromkeys(unmeasured, "pixel_f1 was not measured")


def test_without_a_limit_the_fastest_poor_model_tempts_and_a_limit_rules_it_out() -> None:
    two = {
        "criteria": [
            {"name": "inference_ms", "goal": "min", "aspiration": 90, "reservation": 300},
            {"name": "image_auroc", "goal": "max", "aspiration": 1, "reservation": 0.13},
        ]
    }
    tempted = decide(paper_rows(), SelectionParams.model_validate(two))
    assert tempted.ranking[0].name == "GANomaly"
    limited = two | {"limits": [{"name": "image_auroc", "min": 0.9}]}
    assert decide(paper_rows(), SelectionParams.model_validate(limited)).ranking[0].name == (
        "Efficient_AD"
    )
