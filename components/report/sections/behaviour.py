"""Beyond the clean picture: stress curves, and what the model costs."""

from components.records import CandidateResult, EvaluationReport, RunSummary
from components.report.blocks import Block, Cell, Heading, Plot, Section, Table, Text, absent, row
from components.report.evidence import evaluated
from components.report.plots.stress import stress_curves
from components.report.wording import (
    duration,
    milliseconds,
    number,
    percent,
    plural,
    size,
)

Judged = tuple[tuple[str, str, EvaluationReport], ...]


def stress(summary: RunSummary) -> Section:
    """Return both rates against severity at the threshold in force, and the same as a table."""
    points = summary.stress
    if not points:
        words = "No stress test was run: no model reached it."
        return Section("stress", "Under stress", (absent(words),))
    most = max(p.num_images for p in points)
    caption = (
        "Escapes and overkill at the threshold in force, on up to "
        f"{plural(most, 'image')} of the report set; severity 0 is the clean picture."
    )
    first_of = {p.corruption: i for i, p in reversed(list(enumerate(points)))}
    rows = tuple(
        row(
            p.corruption.replace("_", " ") if first_of[p.corruption] == i else "",
            f"{p.severity:g}",
            percent(p.escape_rate),
            percent(p.overkill_rate),
            number(p.image_auroc),
            str(p.num_images),
        )
        for i, p in enumerate(points)
    )
    head = ("corruption", "severity", "escapes", "overkill", "image AUROC", "images")
    blocks: list[Block] = []
    if any(p.escape_rate is not None or p.overkill_rate is not None for p in points):
        blocks.append(Plot(stress_curves(points), caption))
    else:
        blocks.append(absent("No curves: both rates are undefined at every severity."))
    return Section(
        "stress", "Under stress", (*blocks, Table(head, "lrrrrr", rows)), summary.profile_note
    )


def cost(summary: RunSummary) -> Section:
    """Return latency, size and parity of each judged model, and the run's time by step."""
    judged = evaluated(summary)
    blocks: list[Block] = [_latency(judged, summary.candidates)]
    blocks += [Heading("Exported against torch"), _parity(judged)] if judged else []
    blocks += [Heading("Time by step"), _steps(summary)]
    total = f"The run took {duration(summary.wall_s)}"
    if summary.peak_bytes:
        total += f" and at its peak {size(summary.peak_bytes)} of memory"
    if summary.predicted_peak_bytes:
        total += f" (predicted: {size(summary.predicted_peak_bytes)})"
    return Section("cost", "Latency, size and time", (*blocks, Text(total + ".")))


def _latency(judged: Judged, candidates: tuple[CandidateResult, ...]) -> Block:
    rows = []
    for _, name, report in judged:
        if report.latency is None:
            continue
        t = report.latency
        times = (t.p50_ms, t.p95_ms, t.p99_ms, t.pre_ms, t.post_ms)
        alone = "alone" if t.alone else "other work ran"
        threads, runs = plural(t.num_threads, "thread"), plural(t.num_runs, "run")
        where = f"batch {t.batch}, {t.runtime}, {threads}, {t.hardware}, {alone}, {runs}"
        peak = next((c.peak_bytes for c in candidates if c.candidate == name), 0)
        rows.append(
            row(
                Cell(name, mono=True),
                *(milliseconds(v) for v in times),
                size(report.size_bytes),
                size(peak) if peak else "–",
                Cell(where, "quiet"),
            )
        )
    if not rows:
        return absent("No latency was measured in this run.")
    head = ("model", "p50 ms", "p95 ms", "p99 ms", "pre ms", "post ms", "size", "fit memory")
    return Table((*head, "measured on"), "lrrrrrrrl", tuple(rows))


def _parity(judged: Judged) -> Block:
    rows = tuple(
        row(
            Cell("✓ held", "good") if p.held else Cell("✗ not held", "bad"),
            Cell(name, mono=True),
            str(p.num_images),
            f"{p.max_rel_score_diff:.1e}",
            f"{p.tolerance_rel:.0e}",
            f"{p.max_abs_map_diff:.1e}",
        )
        for _, name, report in judged
        for p in (report.parity,)
        if p is not None
    )
    if not rows:
        return absent("The exported model was not compared with torch in this run.")
    head = ("", "model", "images", "largest relative score difference", "tolerance")
    return Table((*head, "largest map difference"), "llrrrr", rows)


def _steps(summary: RunSummary) -> Block:
    if not summary.steps:
        return absent("No step was timed.")
    longest = max(s.wall_s for s in summary.steps) or 1.0
    rows = tuple(
        row(
            s.step,
            duration(s.wall_s),
            Cell("" if s.predicted_s is None else duration(s.predicted_s), "quiet"),
            Cell("", bar=s.wall_s / longest),
            Cell("reused" if s.reused else "", "quiet"),
            Cell(s.line, "quiet"),
        )
        for s in summary.steps
    )
    return Table(("step", "time", "predicted", "", "", "result"), "lrrlll", rows)
