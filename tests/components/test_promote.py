"""The gate: which rules hold, and what follows for the champion."""

import re

import pytest

from components.agreement import SyntheticDemand, synthetic_check
from components.promote import GateFacts, gates, outcome
from components.records import (
    Comparison,
    EvaluationReport,
    MetricResult,
    Outcome,
    Parity,
    Prediction,
    SelectionDecision,
    Split,
    SyntheticCheck,
)


def decision(winner: str | None = "patchcore") -> SelectionDecision:
    return SelectionDecision(
        criteria=(), limits=(), candidates=(), seed=0, rejected=(), front=("patchcore",),
        front_frequency={"patchcore": 1.0}, ranking=(), stability={"patchcore": 0.8}, knee=True,
        method="knee", winner=winner, shortlist=() if winner else ("patchcore", "padim"),
        runner_up=None, reasons=(), digest="d",
    )  # fmt: skip


def evaluation(auroc: float = 0.95, low: float = 0.92, *, equal: bool = False) -> EvaluationReport:
    scores = [1.0, 1.0] if equal else [1.0, 2.0]
    return EvaluationReport(
        candidate="patchcore", split=Split.REPORT, fingerprint="f", data_version="v",
        results=(
            MetricResult(
                name="image_auroc", value=auroc, ci_low=low, ci_high=0.98, num_images=2,
                slice={"origin": "real"},
            ),
        ),
        predictions=tuple(
            Prediction(image_id=str(i), pred_score=s, gt_label=i, defect_type="x", origin="real")
            for i, s in enumerate(scores)
        ),
    )  # fmt: skip


def parity(difference: float = 1e-6) -> Parity:
    return Parity(
        num_images=4, max_abs_score_diff=difference, max_rel_score_diff=difference,
        max_abs_map_diff=difference, tolerance_rel=1e-3,
    )  # fmt: skip


def delta(value: float, low: float, high: float) -> Comparison:
    return Comparison(
        metric="image_auroc", champion=0.9, challenger=0.9 + value, delta=value,
        ci_low=low, ci_high=high,
    )  # fmt: skip


def facts(**changes: object) -> GateFacts:
    values: dict[str, object] = {
        "evaluation": evaluation(),
        "parity": parity(),
        "limits": (("image_auroc", 0.7, None),),
        "floors": {"random weights": {"image_auroc": 0.70}, "brightness": {"image_auroc": 0.6}},
        "decision": decision(),
    }
    return GateFacts.model_validate(values | changes)


def end(given: GateFacts) -> Outcome:
    return outcome(given, gates(given))


def test_a_first_model_that_holds_every_rule_is_promoted() -> None:
    assert all(gate.passed for gate in gates(facts()))
    assert end(facts()) is Outcome.PROMOTED


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"evaluation": evaluation(equal=True)}, "scores differ between images"),
        ({"parity": parity(0.01)}, "exported model equals torch"),
        ({"limits": (("image_auroc", 0.96, None),)}, "image_auroc within its limit"),
        ({"limits": (("latency_ms", None, 50.0),)}, "latency_ms within its limit"),
        ({"evaluation": evaluation(low=0.69)}, "image AUROC beats the floors"),
        ({"seen_report_images": 3}, "no training image in the report set"),
    ],
)
def test_one_broken_rule_blocks_and_is_named(changes: dict[str, object], rule: str) -> None:
    given = facts(**changes)
    assert [gate.rule for gate in gates(given) if not gate.passed] == [rule]
    assert end(given) is Outcome.BLOCKED


def test_the_floor_must_be_beaten_by_the_interval_not_by_the_point() -> None:
    assert end(facts(evaluation=evaluation(auroc=0.75, low=0.699))) is Outcome.BLOCKED


def test_a_challenger_inside_the_noise_leaves_the_champion() -> None:
    given = facts(champion_version="1", comparison=(delta(0.003, -0.008, 0.014),))
    assert end(given) is Outcome.KEPT


def test_a_challenger_better_beyond_the_noise_is_promoted() -> None:
    given = facts(champion_version="1", comparison=(delta(0.03, 0.01, 0.05),))
    assert end(given) is Outcome.PROMOTED


def test_a_challenger_worse_beyond_the_noise_is_blocked() -> None:
    given = facts(champion_version="1", comparison=(delta(-0.03, -0.05, -0.01),))
    assert end(given) is Outcome.BLOCKED


def test_a_shortlist_never_moves_a_reigning_champion() -> None:
    given = facts(
        champion_version="1", comparison=(delta(0.03, 0.01, 0.05),), decision=decision(None)
    )
    assert end(given) is Outcome.KEPT


def test_with_no_champion_the_first_of_a_shortlist_is_proposed() -> None:
    assert end(facts(decision=decision(None))) is Outcome.PROMOTED


def agreement(*pairs: tuple[float, float], basis: str = "synthetic") -> SyntheticCheck:
    return synthetic_check(
        {str(i): pair for i, pair in enumerate(pairs)},
        metric="image_auroc", num_real_defects=3, basis=basis,
    )  # fmt: skip


ALIKE = tuple((i / 10, i / 10) for i in range(6))
CROSSED = ((0.1, 0.9), (0.2, 0.8), (0.3, 0.7), (0.4, 0.6), (0.5, 0.5))


@pytest.mark.parametrize(
    ("check", "passed", "words"),
    [
        (agreement(*ALIKE), True, r"\+1\.00 over 6 candidates"),
        (agreement(*CROSSED), False, r"-1\.00 over 5 candidates"),
        (agreement(*ALIKE[:4]), False, r"\+1\.00 over 4 candidates"),
        (agreement(), False, "n/a: 0 candidates have both figures"),
        (agreement(basis="real"), True, "not needed: judged on 3 real defects"),
        (None, False, "not measured"),
    ],
)
def test_synthetic_evidence_alone_promotes_where_it_ranks_as_real_defects_do(
    check: SyntheticCheck | None, passed: bool, words: str
) -> None:
    rules = gates(facts(demand=SyntheticDemand(min=0.5), synthetic=check))
    gate = next(g for g in rules if g.rule.startswith("synthetic defects"))
    assert gate.passed is passed
    assert re.search(words, gate.measured)


def test_a_station_that_demands_nothing_has_no_such_gate() -> None:
    assert not [g for g in gates(facts(synthetic=None)) if "synthetic" in g.rule]
