"""Paper 003 replayed: its tables 4 and 5, with the priorities that it states.

Figures: docs/examples/paper003/table.csv, joined from the paper's tables, five seeds a cell.
"""

from pathlib import Path

import numpy as np
import pytest
from pymcdm.methods import SPOTIS, TOPSIS, VIKOR

from components.records import SelectionDecision
from components.select import Criterion, Row, SelectionParams, decide
from components.select.table import read_table

TABLE = Path(__file__).parents[3] / "docs/examples/paper003/table.csv"
FIGURES = ("inference_ms", "image_auroc", "image_f1", "pixel_auroc", "pixel_f1")
PRIORITIES = SelectionParams(
    criteria=(
        Criterion(name="inference_ms", goal="min", aspiration=150, reservation=300),
        Criterion(name="image_auroc", goal="max", aspiration=1, reservation=0.9),
        Criterion(name="pixel_f1", goal="max", aspiration=0.75, reservation=0.45),
    )
)


def paper_rows(num_seeds: int = 5) -> list[Row]:
    return list(read_table(TABLE, FIGURES, num_seeds).rows)


@pytest.fixture(scope="module")
def decision() -> SelectionDecision:
    return decide(paper_rows(), PRIORITIES, seed=0)


def test_efficient_ad_is_first_and_stfpm_second(decision: SelectionDecision) -> None:
    assert decision.winner == "Efficient_AD"
    assert decision.runner_up is not None
    assert decision.runner_up.startswith("STFPM/")
    assert decision.knee


@pytest.mark.parametrize(
    ("num_seeds", "efficient_ad", "stfpm"),
    [(5, 0.73, 0.27), (3, 0.71, 0.28), (1, 0.61, 0.30)],
    ids=["the mean of its five seeds", "of three", "a single training run"],
)
def test_under_noise_efficient_ad_wins_about_two_draws_of_three_and_stfpm_the_rest(
    num_seeds: int, efficient_ad: float, stfpm: float
) -> None:
    shares = decide(paper_rows(num_seeds), PRIORITIES.replaced(num_draws=2000)).stability
    assert shares["Efficient_AD"] == pytest.approx(efficient_ad, abs=0.04)
    second = sum(share for name, share in shares.items() if name.startswith("STFPM/"))
    assert second == pytest.approx(stfpm, abs=0.04)


def inside() -> tuple[list[str], np.ndarray]:
    """The rows between the declared levels, which SPOTIS asks for."""
    names = [c.name for c in PRIORITIES.criteria]
    rows = [row for row in paper_rows() if all(row.knows(name) for name in names)]
    means = np.array([[row.mean(name) for name in names] for row in rows])
    held = (means[:, 0] <= 300) & (means[:, 1] >= 0.9) & (means[:, 2] >= 0.45)
    return [row.name for row, stays in zip(rows, held, strict=True) if stays], means[held]


@pytest.mark.parametrize(
    ("method", "best"),
    [
        (TOPSIS(), np.argmax),
        (VIKOR(), np.argmin),
        (SPOTIS(np.array([[150, 300], [0.9, 1], [0.45, 0.75]])), np.argmin),
    ],
    ids=["TOPSIS", "VIKOR", "SPOTIS"],
)
def test_three_other_methods_choose_the_same_first_and_second(method, best) -> None:
    names, means = inside()
    scores = method(means, np.full(3, 1 / 3), np.array([-1, 1, 1]))
    first = int(best(scores))
    assert names[first] == "Efficient_AD"
    rest = [i for i in range(len(names)) if i != first]
    assert names[rest[int(best(scores[rest]))]].startswith("STFPM/")


def test_the_plane_distance_is_spotis_on_another_scale(decision: SelectionDecision) -> None:
    # SPOTIS is the mean of the unit values: (1 - 3 SPOTIS) / sqrt 3
    names, means = inside()
    spotis = SPOTIS(np.array([[150, 300], [0.9, 1], [0.45, 0.75]]))
    theirs = spotis(means, np.full(3, 1 / 3), np.array([-1, 1, 1]))
    ours = {ranked.name: ranked.score for ranked in decision.ranking}
    shared = [i for i, name in enumerate(names) if name in ours]
    assert len(shared) > 3
    for i in shared:
        assert ours[names[i]] == pytest.approx((1 - 3 * theirs[i]) / 3**0.5, abs=1e-9)


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
    assert fallen.ranking[1].name.startswith("STFPM/")


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
