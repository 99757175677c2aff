"""The decision: rejections with reasons, no invented winner, the same digest everywhere."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.records import CandidateResult, SelectionDecision
from components.select import Criterion, Limit, Row, SelectionParams, decide, replay, select

AUROC = Criterion(name="image_auroc", goal="max", aspiration=1.0, reservation=0.8)
LATENCY = Criterion(name="latency_ms", goal="min", aspiration=5, reservation=50, log=True)
PARAMS = SelectionParams(criteria=(AUROC, LATENCY), num_draws=100)


def row(name: str, auroc: float, latency_ms: float, spread: float = 0.001) -> Row:
    return Row(
        name,
        {"image_auroc": (auroc - spread, auroc, auroc + spread), "latency_ms": (latency_ms,)},
    )


BULGE = [row("fast", 0.82, 5), row("knee", 0.97, 9), row("exact", 0.99, 48)]


def test_the_bulge_of_the_front_is_the_knee_and_wins() -> None:
    decision = decide(BULGE, PARAMS)
    assert (decision.winner, decision.knee, decision.shortlist) == ("knee", True, ())
    assert decision.front == ("exact", "fast", "knee")
    # u = 0.15 and ln(9/5)/ln(10) = 0.2553: (1 - 0.4053) / sqrt 2
    assert decision.ranking[0].score == pytest.approx(0.42054, abs=1e-4)
    assert decision.stability["knee"] > 0.9


def test_a_dominated_row_is_not_on_the_front_and_never_wins() -> None:
    decision = decide([*BULGE, row("worse", 0.9, 20)], PARAMS)
    assert "worse" not in decision.front
    assert decision.front_frequency["worse"] == 0
    assert "worse" not in decision.stability


def test_a_row_that_the_noise_lifts_onto_the_front_is_a_candidate() -> None:
    # its best seed beats the knee's AUROC at the same latency
    noisy = row("noisy", 0.965, 9, spread=0.03)
    decision = decide([*BULGE, noisy], PARAMS)
    assert "noisy" not in decision.front
    assert decision.front_frequency["noisy"] >= 0.05
    assert "noisy" in decision.stability


def test_every_rejection_has_its_reason() -> None:
    limits = (Limit(name="image_auroc", min=0.9), Limit(name="latency_ms", max=20))
    unmeasured = Row("unmeasured", {"image_auroc": (0.99,)})
    decision = decide([*BULGE, unmeasured], PARAMS.model_copy(update={"limits": limits}))
    assert {r.name: r.reason for r in decision.rejected} == {
        "fast": "image_auroc 0.82 is below the limit of 0.9",
        "exact": "latency_ms 48 is above the limit of 20",
        "unmeasured": "latency_ms was not measured",
    }
    assert decision.winner == "knee"
    assert decision.method == "the only candidate left"


def test_a_value_on_the_limit_holds_it() -> None:
    limits = (Limit(name="latency_ms", max=9),)
    kept = decide(BULGE, PARAMS.model_copy(update={"limits": limits}))
    assert "knee" not in {r.name for r in kept.rejected}


def test_nothing_left_is_said_and_nobody_wins() -> None:
    decision = decide(
        BULGE, PARAMS.model_copy(update={"limits": (Limit(name="latency_ms", max=1),)})
    )
    assert (decision.winner, decision.first, decision.shortlist) == (None, None, ())
    assert decision.reasons == ("No candidate held the limits and the floors.",)
    assert decide([], PARAMS).winner is None


def test_one_candidate_wins_and_the_reason_says_it_was_alone() -> None:
    decision = decide(BULGE[:1], PARAMS)
    assert decision.winner == "fast"
    assert "nothing to trade" in decision.reasons[0]


def test_two_on_the_front_have_no_knee_and_the_fall_back_is_named() -> None:
    decision = decide(BULGE[1:], PARAMS)
    assert not decision.knee
    assert "Tchebycheff" in decision.method
    assert decision.reasons[0] == "No knee: 2 candidates on the front, a knee needs 3."


def test_a_front_above_the_plane_has_no_knee() -> None:
    poor = [row("a", 0.8, 6), row("b", 0.84, 40), row("c", 0.81, 30)]
    decision = decide(poor, PARAMS)
    assert not decision.knee
    assert "above the plane" in decision.reasons[0]


TWINS = [row("left", 0.97, 9.0, 0.01), row("right", 0.9701, 9.0, 0.01), row("exact", 0.99, 48)]


def test_noise_that_hides_the_better_one_gives_a_shortlist_and_no_winner() -> None:
    decision = decide(TWINS, PARAMS)
    assert decision.winner is None
    assert set(decision.shortlist) == {"left", "right"}
    assert decision.first == decision.shortlist[0]
    assert decision.runner_up == decision.shortlist[1]


@pytest.mark.parametrize("champion", ["left", "right"])
def test_the_champion_stays_inside_the_noise(champion: str) -> None:
    decision = decide(TWINS, PARAMS, champion=champion)
    assert decision.first == champion
    assert f"The champion {champion} is inside the noise and stays." in decision.reasons


def test_equal_rows_are_ordered_by_name_and_never_by_place() -> None:
    same = [row(name, 0.97, 9) for name in ("b", "a", "c")]
    assert [r.name for r in decide(same, PARAMS).ranking] == ["a", "b", "c"]
    assert decide(same, PARAMS).winner is None


def test_what_would_change_names_a_limit_a_weight_and_a_figure() -> None:
    limited = PARAMS.model_copy(update={"limits": (Limit(name="latency_ms", max=40),)})
    told = " ".join(decide([*BULGE, row("slow", 0.95, 30)], limited).would_change)
    assert "A limit of latency_ms below 9 would reject knee." in told
    assert "The limit of latency_ms alone keeps out exact." in told
    assert "weight on" in told
    assert "knee would give way to" in told


def test_weights_move_the_answer() -> None:
    heavy = LATENCY.model_copy(update={"weight": 12.0})
    decision = decide(BULGE, PARAMS.model_copy(update={"criteria": (AUROC, heavy)}))
    assert decision.ranking[0].name == "fast"


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(5)), seed=st.integers(0, 3))
def test_the_order_of_rows_changes_nothing(order: list[int], seed: int) -> None:
    rows = [*BULGE, row("noisy", 0.965, 9, 0.03), row("worse", 0.9, 20)]
    assert decide([rows[i] for i in order], PARAMS, seed) == decide(rows, PARAMS, seed)


@pytest.mark.parametrize(
    "rows", [BULGE, TWINS, BULGE[:1], []], ids=["knee", "noise", "one", "none"]
)
def test_a_recorded_decision_replays_to_the_same_digest(rows: list[Row], tmp_path: Path) -> None:
    decision = decide(rows, PARAMS, seed=3, champion="left")
    loaded = SelectionDecision.load(decision.save(tmp_path / "decision.json"))
    assert replay(loaded) == decision


def test_a_changed_record_no_longer_gives_its_digest() -> None:
    decision = decide(BULGE, PARAMS)
    first = dict(decision.candidates[0])
    first["values"] = first["values"] | {"latency_ms": [7.0]}
    forged = decision.model_copy(update={"candidates": (first, *decision.candidates[1:])})
    assert replay(forged).digest != decision.digest


def test_another_process_gives_the_same_digest() -> None:
    code = (
        "import random; from tests.components.select.test_decide import *;"
        "rows = BULGE[:]; random.shuffle(rows); print(decide(rows, PARAMS).digest)"
    )
    root = Path(__file__).parents[3]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert told.stdout.strip() == decide(BULGE, PARAMS).digest, told.stderr


def candidate(name: str, num_seeds: int = 3, **more) -> CandidateResult:
    fields = {
        "candidate": name,
        "params": {},
        "fingerprint": name,
        "seeds": tuple(range(num_seeds)),
        "metrics": {"image_auroc": tuple(0.95 + 0.01 * s for s in range(num_seeds))},
        "latency_ms": (9.0, 9.5),
    }
    return CandidateResult(**(fields | more))


def test_candidates_are_read_with_their_seeds_and_latency() -> None:
    decision = select([candidate("a")], PARAMS, seed=0)
    assert decision.winner == "a"
    assert decision.candidates[0]["values"] == {
        "image_auroc": [0.95, 0.96, 0.97],
        "latency_ms": [9.0, 9.5],
    }


def test_what_selection_cannot_weigh_is_rejected_in_words() -> None:
    decision = select(
        [
            candidate("good"),
            candidate("once", 1, latency_ms=()),
            candidate("flat", ineligible="E120 all 46 scores are identical"),
            candidate("broken", 0, error="MemoryError: no room"),
            candidate("gap", metrics={"image_auroc": (0.9, None, 0.9)}),
            candidate("untimed", latency_ms=()),
        ],
        PARAMS,
        seed=0,
    )
    assert {r.name: r.reason for r in decision.rejected} == {
        "once": "measured on 1 of 3 seeds: not among the finalists",
        "flat": "E120 all 46 scores are identical",
        "broken": "failed: MemoryError: no room",
        "gap": "image_auroc is undefined for 1 of 3 seeds",
        "untimed": "latency_ms was not measured",
    }
    assert decision.winner == "good"
