"""The gate: the rules that a model must hold before the ``champion`` alias moves to it."""

from collections.abc import Mapping

from components.agreement import SyntheticDemand
from components.errors import LeakError
from components.records import (
    Comparison,
    EvaluationReport,
    Gate,
    Outcome,
    Parity,
    Record,
    SelectionDecision,
    SyntheticCheck,
)


class GateFacts(Record):
    """What the gate looks at, all of it measured on the exported model."""

    evaluation: EvaluationReport
    parity: Parity
    limits: tuple[tuple[str, float | None, float | None], ...]  # name, min, max
    floors: dict[str, dict[str, float | None]]  # floor -> metric -> value, same set
    decision: SelectionDecision
    comparison: tuple[Comparison, ...] = ()
    champion_version: str | None = None
    seen_report_images: int = 0
    demand: SyntheticDemand | None = None  # of the station, on its synthetic defects
    synthetic: SyntheticCheck | None = None


def gates(facts: GateFacts) -> tuple[Gate, ...]:
    """Return every rule with what was measured; all must pass.

    Raises:
        LeakError: E247 the figures are a study's: its protocol keeps no report set apart.
    """
    if facts.evaluation.protocol != "leak_rule":
        raise LeakError(
            "E247",
            f"The figures of {facts.evaluation.candidate} follow protocol "
            f"{facts.evaluation.protocol}: a study's figures promote nothing.",
            "Run the station's cycle, which keeps a report set apart.",
        )
    rules = [
        _selected(facts.decision),
        _scores_differ(facts.evaluation),
        _parity(facts.parity),
        *(_limit(facts.evaluation, *limit) for limit in facts.limits),
        _beats_floors(facts.evaluation, facts.floors),
        Gate(
            rule="no training image in the report set",
            limit="0",
            measured=str(facts.seen_report_images),
            passed=facts.seen_report_images == 0,
        ),
    ]
    if facts.demand is not None:
        rules.append(_synthetic_agrees(facts.demand, facts.synthetic))
    if facts.champion_version is not None:
        rules.append(_not_worse(facts))
    return tuple(rules)


def outcome(facts: GateFacts, held: tuple[Gate, ...]) -> Outcome:
    """Return what the gate means: blocked, kept (inside the noise or a shortlist), or promoted."""
    if not all(gate.passed for gate in held):
        return Outcome.BLOCKED
    if facts.champion_version is None:
        return Outcome.PROMOTED
    if facts.decision.winner is None:
        return Outcome.KEPT
    deciding = next((c for c in facts.comparison if c.metric == "image_auroc"), None)
    better = deciding is not None and deciding.ci_low is not None and deciding.ci_low > 0
    return Outcome.PROMOTED if better else Outcome.KEPT


def _selected(decision: SelectionDecision) -> Gate:
    named = decision.first
    share = decision.stability.get(named, 0.0) if named else 0.0
    return Gate(
        rule="selection names a candidate",
        limit="winner or shortlist",
        measured=f"{named} ({'winner' if decision.winner else 'shortlist'}, {share:.0%})",
        passed=named is not None,
    )


def _scores_differ(evaluation: EvaluationReport) -> Gate:
    distinct = len({p.pred_score for p in evaluation.predictions})
    return Gate(
        rule="scores differ between images",
        limit="> 1 distinct",
        measured=f"{distinct} distinct of {len(evaluation.predictions)}",
        passed=distinct > 1,
    )


def _parity(parity: Parity) -> Gate:
    return Gate(
        rule="exported model equals torch",
        limit=f"<= {parity.tolerance_rel:g} relative",
        measured=f"{parity.max_rel_score_diff:.2g} on {parity.num_images} images",
        passed=parity.held,
    )


def _limit(
    evaluation: EvaluationReport, name: str, lowest: float | None, highest: float | None
) -> Gate:
    interval = ""
    if name == "latency_ms":
        value = evaluation.latency.p95_ms if evaluation.latency else None
    else:
        figure = evaluation.figure(name, origin="real")
        value = figure.value if figure else None
        if figure and figure.ci_low is not None and figure.ci_high is not None:
            interval = f"[{figure.ci_low:.3f}, {figure.ci_high:.3f}]"
    passed = value is not None
    if value is not None:
        passed = (lowest is None or value >= lowest) and (highest is None or value <= highest)
    wanted = " and ".join(
        text
        for text in (
            f">= {lowest:g}" if lowest is not None else "",
            f"<= {highest:g}" if highest is not None else "",
        )
        if text
    )
    return Gate(
        rule=f"{name} within its limit",
        limit=wanted,
        measured="n/a" if value is None else f"{value:.3f}",
        interval=interval,
        passed=passed,
    )


def _beats_floors(
    evaluation: EvaluationReport, floors: Mapping[str, Mapping[str, float | None]]
) -> Gate:
    figure = evaluation.figure("image_auroc", origin="real")
    values = {n: f["image_auroc"] for n, f in floors.items() if f.get("image_auroc") is not None}
    best = max(values, key=lambda name: values[name] or 0.0, default=None)
    highest = (values[best] or 0.0) if best else 0.5
    low = figure.ci_low if figure and figure.ci_low is not None else None
    return Gate(
        rule="image AUROC beats the floors",
        limit=f"> {highest:.3f} ({best or 'chance'})",
        measured="n/a" if figure is None or figure.value is None else f"{figure.value:.3f}",
        interval="" if figure is None or low is None else f"[{low:.3f}, {figure.ci_high:.3f}]",
        passed=low is not None and low > highest,
    )


def _synthetic_agrees(demand: SyntheticDemand, check: SyntheticCheck | None) -> Gate:
    """Hold candidates that were chosen on synthetic defects alone to what these are worth."""
    rule = "synthetic defects rank candidates as real ones do"
    limit = f">= {demand.min:g} {demand.statistic}, {demand.min_candidates} candidates or more"
    if check is None:
        return Gate(rule=rule, limit=limit, measured="n/a: not measured", passed=False)
    if check.basis == "real":
        measured = f"not needed: judged on {check.num_real_defects} real defects"
        return Gate(rule=rule, limit=limit, measured=measured, passed=True)
    found = check.of(demand.statistic)
    enough = found.value is not None and found.num_candidates >= demand.min_candidates
    ends = (found.ci_low, found.ci_high)
    return Gate(
        rule=rule,
        limit=limit,
        measured=f"n/a: {found.note}"
        if found.value is None
        else f"{found.value:+.2f} over {found.num_candidates} candidates",
        interval="" if None in ends else f"[{ends[0]:+.2f}, {ends[1]:+.2f}]",
        passed=enough and found.value is not None and found.value >= demand.min,
    )


def _not_worse(facts: GateFacts) -> Gate:
    deciding = next((c for c in facts.comparison if c.metric == "image_auroc"), None)
    if deciding is None or deciding.delta is None or deciding.ci_high is None:
        return Gate(
            rule="not worse than the champion",
            limit="Δ image AUROC interval reaches 0",
            measured="n/a",
            passed=False,
        )
    return Gate(
        rule="not worse than the champion",
        limit="Δ image AUROC interval reaches 0",
        measured=f"{deciding.delta:+.3f}",
        interval=f"[{deciding.ci_low:+.3f}, {deciding.ci_high:+.3f}]",
        passed=deciding.ci_high >= 0,
    )
