"""How the candidate was chosen on the tune set: the Pareto plot, the table, the reasons."""

from components.records import CandidateResult, RunSummary, SelectionDecision
from components.report.blocks import (
    Block,
    Bullets,
    Cell,
    Heading,
    Plot,
    Section,
    Table,
    Text,
    absent,
    row,
)
from components.report.evidence import floor_values, mean_and_std, objective, over_seeds
from components.report.plots.parallel import parallel
from components.report.plots.pareto import Limits, Point, pareto
from components.report.plots.stability import stability
from components.report.wording import (
    duration,
    label,
    listing,
    milliseconds,
    number,
    percent,
    plural,
    short_label,
    size,
    spread,
)

MOST_METRICS = 3
USUAL = ("image_auroc", "aupro", "image_ap", "pixel_auroc", "image_f1_max")


def choice(summary: RunSummary) -> Section:
    """Return the Pareto plot, why the chosen one was chosen, and every candidate."""
    blocks: list[Block] = []
    if summary.decision is not None:
        blocks += _reasons(summary.decision)
    else:
        blocks.append(absent("No choice was made: the run ended before candidates were compared."))
    blocks.append(_plot(summary))
    if summary.decision is not None:
        blocks += _compared(summary.decision)
    blocks += [Heading("Candidates on the tune set"), *_table(summary)]
    blocks += _ruled_out(summary)
    return Section("choice", "Choice", tuple(blocks), summary.profile_note)


def _reasons(decision: SelectionDecision) -> list[Block]:
    share = decision.stability.get(decision.first or "")
    sure = f", first in {percent(share)} of resamples" if share is not None else ""
    if decision.winner:
        kind = "the knee of the front" if decision.knee else f"by {decision.method}"
        words = f"Chosen: {decision.winner}, {kind}{sure}."
    elif decision.shortlist:
        names = listing(decision.shortlist, 5)
        words = f"No single winner. Shortlist: {names}; the first is proposed{sure}."
    else:
        words = "No candidate is left to choose from."
    blocks: list[Block] = [Text(words)]
    if decision.runner_up:
        blocks.append(absent(f"Runner-up: {decision.runner_up}."))
    if decision.reasons:
        blocks.append(Bullets(decision.reasons))
    if decision.would_change:
        blocks += [Heading("What would change the answer"), Bullets(decision.would_change)]
    return blocks


def _plot(summary: RunSummary) -> Block:
    metric = objective(summary)
    points = points_of(summary, metric)
    if not any(p.latency_ms is not None for p in points):
        return absent("No Pareto plot: no candidate has both a quality and a measured latency.")
    decision = summary.decision
    front = decision.front if decision else ()
    chosen = decision.first if decision else None
    joined = decision is None or len(decision.criteria) == 2
    limits = limits_of(decision, metric)
    svg = pareto(points, front, chosen, limits, metric, joined=joined)
    words = (
        f"Quality (mean {label(metric)} over seeds on the tune set) against the p95 latency of the "
        "exported model; bars are one standard deviation over seeds and repeats. "
    )
    if chosen:
        words += "The star is the chosen candidate, black dots are the front."
    return Plot(svg, words)


def _compared(decision: SelectionDecision) -> list[Block]:
    """Return the finalists side by side and how stable the first is, where there are several."""
    if len(decision.ranking) < 2:
        return []
    blocks: list[Block] = []
    if len(decision.criteria) > 1:
        words = (
            "Each criterion from its reservation (barely acceptable) below to its aspiration "
            "(nothing more is gained) above; a figure beyond an end is drawn just past it."
        )
        blocks.append(Plot(parallel(decision), words))
    words = (
        "How often each candidate comes first when seeds, weights and levels are redrawn, together "
        "(bar) and one at a time (marks)."
    )
    return [*blocks, Plot(stability(decision), words)]


def points_of(summary: RunSummary, metric: str) -> tuple[Point, ...]:
    """Return a point for each candidate, and one for each other trial that has an objective."""
    points = []
    for candidate in summary.candidates:
        quality, quality_std = over_seeds(candidate, metric)
        latency, latency_std = mean_and_std(candidate.latency_ms)
        if quality is not None:
            points.append(Point(candidate.candidate, quality, quality_std, latency, latency_std))
    known = {p.name for p in points}
    for trial in summary.trials:
        if trial.objective is not None and trial.candidate not in known:
            points.append(Point(trial.candidate, trial.objective))
            known.add(trial.candidate)
    return tuple(points)


def limits_of(decision: SelectionDecision | None, metric: str) -> Limits:
    """Return the limits on the two axes of the plot."""
    by_name = {str(limit.get("name")): limit for limit in (decision.limits if decision else ())}
    return Limits(
        quality_min=by_name.get(metric, {}).get("min"),
        latency_max_ms=by_name.get("latency_ms", {}).get("max"),
    )


def _table(summary: RunSummary) -> list[Block]:
    if not summary.candidates:
        return [absent("No candidate was finished in this run.")]
    metrics = _metrics(summary)
    best = sorted(
        summary.candidates,
        key=lambda c: -(over_seeds(c, metrics[0])[0] or 0.0) if metrics else 0.0,
    )
    rows = [_candidate(c, metrics, summary.decision) for c in best]
    rows += _floors(summary, metrics)
    head = ("candidate", *(short_label(m) for m in metrics))
    head += ("p95 ms", "fit", "size", "picked", "")
    note = (
        "Mean ± standard deviation over seeds. Picked: share of resamples in which it came first."
    )
    align = "l" + "r" * len(metrics) + "rrrrl"
    return [Table(head, align, tuple(rows)), absent(note)]


def _metrics(summary: RunSummary) -> tuple[str, ...]:
    """Return the objective and the first figures of the usual order that were measured."""
    measured = {m for c in summary.candidates for m in c.metrics}
    others = [m for m in USUAL if m in measured]
    return tuple(dict.fromkeys((objective(summary), *others)))[:MOST_METRICS]


def _candidate(
    candidate: CandidateResult, metrics: tuple[str, ...], decision: SelectionDecision | None
) -> tuple[Cell, ...]:
    latency, latency_std = mean_and_std(candidate.latency_ms)
    within = f" ± {milliseconds(latency_std)}" if latency_std is not None else ""
    fit_s, _ = mean_and_std(candidate.fit_s)
    share = decision.stability.get(candidate.candidate) if decision else None
    return row(
        Cell(candidate.candidate, mono=True),
        *(spread(*over_seeds(candidate, metric)) for metric in metrics),
        milliseconds(latency) + within if latency is not None else "–",
        duration(fit_s) if fit_s is not None else "–",
        size(candidate.size_bytes) if candidate.size_bytes is not None else "–",
        percent(share) if share is not None else "–",
        _status(candidate, decision),
    )


def _status(candidate: CandidateResult, decision: SelectionDecision | None) -> Cell:
    seeds = plural(len(candidate.seeds), "seed")
    if candidate.error:
        return Cell("failed", "bad")
    if candidate.ineligible:
        return Cell("not eligible", "bad")
    if decision and candidate.candidate == decision.first:
        return Cell("★ chosen" if decision.winner else "★ proposed", "good")
    if decision and candidate.candidate in decision.front:
        return Cell("on the front")
    return Cell(f"default, {seeds}" if candidate.is_default else seeds, "quiet")


def _floors(summary: RunSummary, metrics: tuple[str, ...]) -> list[tuple[Cell, ...]]:
    rows = []
    for name in floor_values(summary.floors, metrics[0]) | dict.fromkeys(summary.floors, 0.0):
        values = [summary.floors[name].get(m) for m in metrics]
        texts = [f"floor: {name}", *(number(v) if v is not None else "–" for v in values)]
        rows.append(tuple(Cell(t, "quiet") for t in (*texts, *("",) * 5)))
    return rows


def _ruled_out(summary: RunSummary) -> list[Block]:
    reasons: dict[str, str] = {}
    for candidate in summary.candidates:
        if candidate.error or candidate.ineligible:
            reasons[candidate.candidate] = candidate.error or candidate.ineligible
    for rejection in summary.decision.rejected if summary.decision else ():
        reasons.setdefault(rejection.name, rejection.reason)
    for trial in summary.trials:
        if trial.state == "failed":
            reasons[f"{trial.candidate} (trial {trial.number})"] = trial.error or "no reason given"
    if not reasons:
        return [absent("No candidate was ruled out and no trial failed.")]
    together: dict[str, list[str]] = {}
    for name, why in reasons.items():
        together.setdefault(why, []).append(name)
    rows = tuple(row(Cell(", ".join(n), mono=True), why) for why, n in together.items())
    return [Heading("Ruled out, and why"), Table(("candidate", "reason"), "ll", rows)]
