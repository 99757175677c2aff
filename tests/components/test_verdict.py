"""The verdict in words."""

import pytest

from components.records import Outcome, StressPoint
from components.verdict import cautions, images_to_decide, verdict
from tests.components.test_promote import decision, delta, facts, gates, parity


def test_a_promotion_names_the_model_and_counts_the_cautions() -> None:
    text = verdict(Outcome.PROMOTED, decision(), (), (), "3", "2", ("one", "two"))
    assert text == "PROMOTED, WITH 2 CAUTIONS: patchcore is champion v3."


def test_a_promotion_from_a_shortlist_says_so() -> None:
    text = verdict(Outcome.PROMOTED, decision(None), (), (), "1", None, ())
    assert text.startswith("PROMOTED PROVISIONALLY (first of a shortlist)")


def test_a_kept_champion_comes_with_the_difference_and_what_would_decide_it() -> None:
    text = verdict(Outcome.KEPT, decision(), (), (delta(0.01, -0.01, 0.03),), "2", "1", ())
    assert text == (
        "KEEP v1. The difference is within noise (Δ AUROC +0.010 [-0.010, +0.030]). "
        "About 4 times as many report images would decide it."
    )


def test_a_block_names_every_broken_rule_with_its_limit() -> None:
    held = gates(facts(parity=parity(0.5)))
    text = verdict(Outcome.BLOCKED, decision(), held, (), "2", "1", ())
    assert "exported model equals torch (0.5 on 4 images, limit <= 0.001 relative)" in text
    assert text.endswith("v1 stays champion.")


@pytest.mark.parametrize(
    ("delta_auroc", "low", "high", "factor"),
    [(0.01, -0.01, 0.03, 4.0), (0.02, 0.01, 0.03, None), (0.0, -0.02, 0.02, None)],
)
def test_how_many_more_images_would_decide(
    delta_auroc: float, low: float, high: float, factor: float | None
) -> None:
    assert images_to_decide(delta_auroc, low, high) == factor


def point(severity: float, overkill: float, escape: float = 0.05) -> StressPoint:
    return StressPoint(
        corruption="defocus", severity=severity, image_auroc=0.9, escape_rate=escape,
        overkill_rate=overkill, num_images=60,
    )  # fmt: skip


def test_the_first_severity_that_hurts_becomes_a_caution() -> None:
    curve = (point(0, 0.04), point(1, 0.06), point(3, 0.31), point(5, 0.9))
    found = cautions(curve, None, None, (), "")
    assert found == ("defocus ≥ 3 raises overkill from 4% to 31%",)


def test_a_robust_curve_gives_no_caution() -> None:
    assert cautions((point(0, 0.04), point(5, 0.06)), None, None, (), "") == ()
