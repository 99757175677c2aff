"""How the station was tuned: trials, what decided them, the σ curve, what synthetic is worth."""

from collections.abc import Mapping, Sequence

from components.records import RunSummary, SyntheticCheck, TrialRecord, TuningEvidence
from components.report.blocks import Block, Cell, Heading, Plot, Section, Table, Text, absent, row
from components.report.evidence import floor_values, objective
from components.report.plots.agreement import agreement
from components.report.plots.noise_curve import noise_curve
from components.report.plots.pareto import Limits, Point, Words, pareto
from components.report.plots.tuning import tuning
from components.report.wording import (
    duration,
    interval,
    label,
    listing,
    number,
    percent,
    plural,
    short_label,
)

MOST_IMPORTANT = 12
_AXES = {
    "latency": Words(
        x="ms an image of the tune set took, reading included  (← faster)", against="time an image"
    ),
    "memory": Words(x="peak memory of the fit, MB  (← less)", against="memory of the fit"),
}
_STATISTICS = {"spearman": "Spearman's ρ", "kendall": "Kendall's τ-b"}


def study(summary: RunSummary) -> Section:
    """Return the tuning part of a run's page."""
    metric = objective(summary)
    floors = floor_values(summary.floors, metric)
    blocks = tuning_blocks(summary.trials, summary.tuning, metric, floors, summary.station)
    return Section("study", "Tuning", blocks, summary.profile_note)


def tuning_blocks(
    trials: Sequence[TrialRecord],
    evidence: TuningEvidence | None,
    metric: str,
    floors: Mapping[str, float],
    station: str,
) -> tuple[Block, ...]:
    """Return history, front, importances, σ curve and the synthetic-to-real check."""
    if not any(t.objective is not None for t in trials):
        return (absent("No trial was finished." if trials else "No tuning study was run."),)
    caption = (
        "One point a trial. In the curve of input noise the thin line joins a detector's trials by "
        "noise level; their other parameters differ too."
    )
    blocks: list[Block] = [
        Text(_states(trials)),
        Plot(tuning(trials, floors, metric), caption),
    ]
    if evidence is not None:
        blocks += _front(trials, evidence)
        blocks += _importances(evidence)
        blocks += _noise(evidence, station)
        blocks += _synthetic(evidence.synthetic)
    return tuple(blocks)


def _states(trials: Sequence[TrialRecord]) -> str:
    parts = [f"{plural(len(trials), 'trial')}"]
    for state, words in (
        ("pruned", "given up early"),
        ("failed", "failed"),
        ("duplicate", "duplicate"),
    ):
        count = sum(t.state == state for t in trials)
        parts += [f"{count} {words}"] if count else []
    crashed = sum(t.retried for t in trials)
    parts += [f"{crashed} crashed and tried once more"] if crashed else []
    reused = sum(t.reused for t in trials)
    parts += [f"{reused} reused from earlier runs"] if reused else []
    parts.append(f"{duration(sum(t.duration_s for t in trials if not t.reused))} of work")
    return listing(parts, 9) + "."


def _front(trials: Sequence[TrialRecord], evidence: TuningEvidence) -> list[Block]:
    """Return a plot of the first objective against each further one."""
    blocks: list[Block] = []
    front = {t.candidate for t in trials if t.number in evidence.front}
    done = [t for t in trials if t.state == "complete" and t.objectives]
    for other in evidence.objectives[1:]:
        if other not in _AXES or not done:
            continue
        points = [Point(t.candidate, t.objective or 0.0, None, t.objectives[other]) for t in done]
        joined = len(evidence.objectives) == 2
        svg = pareto(points, sorted(front), None, Limits(), "quality", _AXES[other], joined=joined)
        words = f"{plural(len(front), 'trial')} of {len(done)} on the front ({evidence.sampler})."
        blocks.append(Plot(svg, f"Quality against {_AXES[other].against}: {words}"))
    return [Heading("Front of the trials"), *blocks] if blocks else []


def _importances(evidence: TuningEvidence) -> list[Block]:
    heading = Heading("What decided the quality")
    if not evidence.importances:
        return [heading, absent("Too few complete trials to say which parameter decided them.")]
    shown = list(evidence.importances.items())[:MOST_IMPORTANT]
    most = max(share for _, share in shown) or 1.0
    rows = tuple(row(name, percent(share), Cell("", bar=share / most)) for name, share in shown)
    note = (
        "Share of each parameter in who is among the best trials (PED-ANOVA). Few trials: read it "
        "as a hint where to look next."
    )
    return [heading, Table(("parameter", "share", ""), "lrl", rows), absent(note)]


def _noise(evidence: TuningEvidence, station: str) -> list[Block]:
    if not evidence.noise_curve:
        if not evidence.paper_noise:
            return []
        levels = evidence.paper_noise.values()
        words = (
            f"Input noise in use: σ {evidence.chosen_noise or 0:g}. Paper 004 printed "
            f"{min(levels):g} to {max(levels):g} for the classes of MVTec AD. No σ curve was "
            "measured; search.noise_curve of the station asks for one."
        )
        return [absent(words)]
    svg = noise_curve(evidence.noise_curve, evidence.chosen_noise, evidence.paper_noise, station)
    caption = (
        f"{evidence.noise_curve_of} with its input noise alone varied. The paper's levels are "
        "those its authors kept of several for their encoder-decoder; which images chose them is "
        "not stated."
    )
    return [Heading("Quality by input noise"), Plot(svg, caption)]


def _synthetic(check: SyntheticCheck | None) -> list[Block]:
    """Return how far synthetic defects may be trusted to rank candidates here."""
    if check is None:
        return []
    heading = Heading("Synthetic against real")
    if not check.pairs:
        words = (
            "Not known: the tune set has no real defect to compare with. Grant some by "
            "split.real_defect_share of the station."
        )
        return [heading, absent(words)]
    rows = tuple(
        row(
            _STATISTICS[a.statistic],
            number(a.value, 2),
            interval(a.ci_low, a.ci_high) or a.note or "–",
            str(a.num_candidates),
        )
        for a in check.agreements
    )
    judged = "real" if check.basis == "real" else "synthetic"
    caption = (
        f"{plural(check.num_real_defects, 'real defect')} on the tune set; candidates were judged "
        f"by {judged} defects. A rank correlation near 1 means that synthetic defects alone would "
        "have ordered the candidates alike."
    )
    head = ("rank correlation", "value", "interval", "candidates")
    return [heading, Plot(agreement(check), caption), Table(head, "lrrr", rows)]


def best_table(
    trials: Sequence[TrialRecord], objectives: Sequence[str], default: str, most: int = 12
) -> Block:
    """Return the best trials by their first objective, the default marked."""
    done = [t for t in trials if t.state == "complete" and t.objective is not None]
    done.sort(key=lambda t: (-(t.objective or 0.0), t.number))
    if not done:
        return absent("No trial was finished.")
    rows = tuple(
        row(
            str(t.number),
            Cell(t.candidate, mono=True),
            *(number(t.objectives.get(name), 3) for name in objectives),
            duration(t.duration_s),
            Cell("default" if t.candidate == default else "", "quiet"),
        )
        for t in done[:most]
    )
    names = [short_label(label(name)) for name in objectives]
    return Table(("trial", "candidate", *names, "time", ""), "rl" + "r" * len(names) + "rl", rows)
