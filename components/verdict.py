"""The verdict in words: who won, by how much, how sure, and what it means for the line."""

import math
from collections.abc import Sequence

from components.records import (
    Comparison,
    EvaluationReport,
    Gate,
    Outcome,
    SelectionDecision,
    StressPoint,
    TrialRecord,
)

# A corruption is worth a caution when it multiplies the alarm or miss rate by this and by enough.
_WORSE_FACTOR = 2.0
_WORSE_BY = 0.10


def verdict(
    outcome: Outcome,
    decision: SelectionDecision,
    gates: Sequence[Gate],
    comparison: Sequence[Comparison],
    version: str | None,
    champion: str | None,
    cautions: Sequence[str],
) -> str:
    """Return the one sentence that a person reads first."""
    if decision.first is None:
        return "BLOCKED. No candidate is eligible; the report set stays closed."
    if outcome is Outcome.BLOCKED:
        failed = "; ".join(
            f"{g.rule} ({g.measured}, limit {g.limit})" for g in gates if not g.passed
        )
        stays = f" v{champion} stays champion." if champion else ""
        return f"BLOCKED: {failed}.{stays}"
    if outcome is Outcome.KEPT:
        return f"KEEP v{champion}. " + _why_kept(decision, comparison)
    with_caution = f", WITH {len(cautions)} CAUTION{'S'[: len(cautions) != 1]}" if cautions else ""
    provisional = "" if decision.winner else " PROVISIONALLY (first of a shortlist)"
    return f"PROMOTED{provisional}{with_caution}: {decision.first} is champion v{version}."


def _why_kept(decision: SelectionDecision, comparison: Sequence[Comparison]) -> str:
    deciding = next((c for c in comparison if c.metric == "image_auroc"), None)
    if deciding is None or deciding.delta is None:
        return "The challenger is the model that already reigns."
    if decision.winner is None:
        return "Selection gave a shortlist, not a winner."
    low, high = deciding.ci_low or 0.0, deciding.ci_high or 0.0
    more = images_to_decide(deciding.delta, low, high)
    hint = f" About {more:.0f} times as many report images would decide it." if more else ""
    return (
        f"The difference is within noise (Δ AUROC {deciding.delta:+.3f} [{low:+.3f}, {high:+.3f}])."
        + hint
    )


def images_to_decide(delta: float, low: float, high: float) -> float | None:
    """Return by what factor the report set would have to grow for the interval to leave zero.

    An interval shrinks with the square root of the number of images. None where the difference is
    so small that no realistic number (a factor above 100) would do.
    """
    half_width = (high - low) / 2
    if abs(delta) < 1e-12 or half_width <= abs(delta):
        return None
    factor = math.ceil((half_width / abs(delta)) ** 2)
    return float(factor) if factor <= 100 else None


def cautions(
    stress: Sequence[StressPoint],
    evaluation: EvaluationReport | None,
    decision: SelectionDecision | None,
    trials: Sequence[TrialRecord],
    profile_note: str,
) -> tuple[str, ...]:
    """Return what a person should know before trusting the promoted model."""
    found = [*_stress_cautions(stress)]
    if decision is not None and decision.first and decision.winner is None:
        share = decision.stability.get(decision.first, 0.0)
        found.append(f"{decision.first} was picked in only {share:.0%} of resamples: a shortlist")
    if evaluation is not None:
        overkill = evaluation.figure("overkill_rate", origin="real")
        calibration = evaluation.calibration
        if evaluation.latency is not None and not evaluation.latency.alone:
            found.append("latency was measured while other work ran on the machine")
        if (
            overkill is not None
            and calibration is not None
            and overkill.ci_low is not None
            and overkill.ci_low > calibration.fpr
        ):
            found.append(
                f"overkill {overkill.value:.1%} on the report set is above the declared "
                f"{calibration.fpr:.0%}: the threshold did not transfer"
            )
    failed = sum(t.state == "failed" for t in trials)
    if failed:
        found.append(f"{failed} of {len(trials)} trials failed; their errors are in the report")
    if profile_note:
        found.append(profile_note)
    return tuple(found)


def _stress_cautions(stress: Sequence[StressPoint]) -> list[str]:
    found = []
    for kind in dict.fromkeys(point.corruption for point in stress):
        points = sorted((p for p in stress if p.corruption == kind), key=lambda p: p.severity)
        clean = points[0]
        for name in ("overkill_rate", "escape_rate"):
            at_rest = getattr(clean, name)
            worse = next(
                (p for p in points[1:] if _much_worse(at_rest, getattr(p, name))),
                None,
            )
            if worse is not None:
                word = name.removesuffix("_rate")
                found.append(
                    f"{kind} ≥ {worse.severity:g} raises {word} from {at_rest:.0%} "
                    f"to {getattr(worse, name):.0%}"
                )
    return found


def _much_worse(clean: float | None, stressed: float | None) -> bool:
    if clean is None or stressed is None:
        return False
    return stressed >= _WORSE_FACTOR * clean and stressed - clean >= _WORSE_BY
