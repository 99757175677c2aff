"""The last lines of a run on the console, as plain text; colours are the flow's business."""

from pathlib import Path

from components.records import Comparison, EvaluationReport, Outcome, RunSummary
from components.report.evidence import calls, evaluated, floor_values, headline
from components.report.wording import (
    NOT_DEFINED,
    in_table,
    interval,
    label,
    listing,
    milliseconds,
    number,
    percent,
    short_label,
    signed,
    why_undefined,
)


def closing_lines(
    summary: RunSummary, report: Path | None = None, next_command: str = ""
) -> list[str]:
    """Return the table of judged models, the verdict, where the report is and what to type next.

    ``report`` is the page's path as the person may open it (default: below ``runs/``);
    ``next_command`` replaces the one that follows from the outcome.
    """
    page = report or Path("runs") / summary.run_id / "report.html"
    lines = [*_failures(summary), *_table(summary), *_comparison(summary)]
    lines.append(f"VERDICT  {summary.verdict}")
    said = (summary.verdict, summary.profile_note)
    lines += [f"         ! {c}" for c in summary.cautions if not any(c in words for words in said)]
    lines.append(f"Report   {page}")
    lines.append(f"Next     {next_command or _next(summary)}")
    return lines


def _failures(summary: RunSummary) -> list[str]:
    """Return the critical checks that stopped a run, each with its first files."""
    report = summary.validation
    if report is None or report.passed:
        return []
    failed = [c for c in report.checks if c.severity == "critical" and not c.passed]
    return [
        f" ✗ {c.name}: {c.observed} (expected {c.expected})  {listing(c.failing_paths, 3)}".rstrip()
        for c in failed
    ]


def _table(summary: RunSummary) -> list[str]:
    judged = evaluated(summary)
    if not judged:
        return []
    head = ("", f"AUROC [{percent(summary.confidence)} CI]", "escapes", "overkill", "p95 ms")
    rows = [head] + [_row(name, report) for _, name, report in judged]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        (" " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
    lines += [f" {w}" for w in why_undefined(headline(r, "image_auroc") for _, _, r in judged)]
    floors = floor_values(summary.report_floors, "image_auroc")
    if floors:
        lines.append(" floor: " + " · ".join(f"{n} {number(v, 2)}" for n, v in floors.items()))
    if summary.profile_note:
        lines.append(f" {summary.profile_note}")
    return lines


def _row(name: str, report: EvaluationReport) -> tuple[str, ...]:
    seen = calls(report)
    return (
        name,
        in_table(headline(report, "image_auroc")),
        f"{seen.escapes}/{seen.num_anomalous}" if seen else NOT_DEFINED,
        f"{seen.overkill}/{seen.num_normal}" if seen else NOT_DEFINED,
        milliseconds(report.latency.p95_ms) if report.latency else NOT_DEFINED,
    )


def _comparison(summary: RunSummary) -> list[str]:
    """Return the paired differences and the images that changed sides, each image once."""
    if not summary.comparison:
        return []
    names = [short_label(c.metric) for c in summary.comparison]
    width = max(len(n) for n in names)
    judged = summary.evaluations.get("champion")
    of = f" ({len(judged.predictions)} images)" if judged else ""
    lines = [f"Champion and challenger on the same report set{of}"]
    lines += [
        f"  {name.ljust(width)}  {_difference(c)}"
        for name, c in zip(names, summary.comparison, strict=True)
    ]
    fixed = dict.fromkeys(i[:12] for c in summary.comparison for i in c.fixed)
    missed = dict.fromkeys(i[:12] for c in summary.comparison for i in c.newly_missed)
    words = [
        f"{w}: {listing(ids, 3) or 'none'}"
        for w, ids in (("fixed", fixed), ("newly missed", missed))
    ]
    return [*lines, "  " + "   ".join(words)]


def _difference(c: Comparison) -> str:
    if c.delta is None:
        return f"{label(c.metric)} is undefined"
    both = f"{number(c.champion)} → {number(c.challenger)}   Δ {signed(c.delta)}"
    return f"{both} {interval(c.ci_low, c.ci_high, plus=True)}".rstrip()


def _next(summary: RunSummary) -> str:
    station = summary.station
    return {
        Outcome.PROMOTED: "defectloop ingest PATH --station NAME",
        Outcome.UNCHANGED: "defectloop ingest PATH --station NAME",
        Outcome.KEPT: f"add images, then defectloop run {station}",
        Outcome.BLOCKED: f"read the gates in the report, then defectloop run {station}",
        Outcome.BAD_DATA: f"mend the files named above, then defectloop run {station}",
        Outcome.FAILED: f"defectloop run {station}  (finished steps are not run again)",
    }[summary.outcome]
