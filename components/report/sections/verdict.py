"""The first screen: the verdict, the figures it rests on, the gates and the cautions."""

from components.records import Gate, Outcome, RunSummary
from components.report.blocks import Block, Bullets, Cell, Heading, Section, Table, absent, row
from components.report.evidence import calls, evaluated, floor_values, headline
from components.report.wording import (
    NOT_DEFINED,
    in_table,
    milliseconds,
    number,
    percent,
    short_label,
    why_undefined,
)

OUTCOMES = {
    Outcome.PROMOTED: ("Promoted", "good"),
    Outcome.UNCHANGED: ("Nothing to do", "quiet"),
    Outcome.KEPT: ("Champion kept", "warn"),
    Outcome.BLOCKED: ("Blocked by a gate", "bad"),
    Outcome.BAD_DATA: ("Stopped: bad data", "bad"),
    Outcome.FAILED: ("Failed", "bad"),
}


def verdict(summary: RunSummary) -> Section:
    """Return key figures, gates and cautions (the sentence itself stands above them)."""
    blocks: list[Block] = list(_key_figures(summary))
    blocks += [Heading("Gates"), _gates(summary.gates)]
    blocks.append(Heading("Cautions"))
    if summary.cautions:
        blocks.append(Bullets(summary.cautions, "warn"))
    else:
        blocks.append(absent("None was raised."))
    return Section("verdict", "Verdict", tuple(blocks), summary.profile_note)


def _key_figures(summary: RunSummary) -> list[Block]:
    judged = evaluated(summary)
    if not judged:
        return [
            absent("No model was judged on the report set in this run, so there are no figures.")
        ]
    rows = []
    for role, name, report in judged:
        seen = calls(report)
        latency = report.latency
        rows.append(
            row(
                role,
                Cell(name, mono=True),
                in_table(headline(report, "image_auroc")),
                f"{seen.escapes}/{seen.num_anomalous}" if seen else NOT_DEFINED,
                f"{seen.overkill}/{seen.num_normal}" if seen else NOT_DEFINED,
                milliseconds(latency.p95_ms) if latency else NOT_DEFINED,
            )
        )
    for name, value in floor_values(summary.report_floors, "image_auroc").items():
        rows.append(row(*(Cell(v, "quiet") for v in ("floor", name, number(value), "", "", ""))))
    shown = percent(summary.confidence)
    head = ("", "model", f"AUROC [{shown} interval]", "escapes", "overkill", "p95 ms")
    undefined = why_undefined(headline(report, "image_auroc") for _, _, report in judged)
    notes = [absent(words) for words in undefined]
    return [Table(head, "llrrrr", tuple(rows)), *notes, _legend(summary)]


def _legend(summary: RunSummary) -> Block:
    judged = evaluated(summary)[0][2]
    beaten = floor_values(summary.report_floors, "image_auroc")
    words = (
        "Real images of the report set, read once. Escapes are anomalous images called normal, "
        "overkill normal images called anomalous, at the threshold in force."
    )
    if not beaten:
        words += f" No floor was measured for {short_label('image_auroc')}."
    if judged.protocol == "paper":
        words += " Measured by a paper's protocol: never promoted."
    return absent(words)


def _gates(gates: tuple[Gate, ...]) -> Block:
    if not gates:
        return absent("No gate was checked: the run ended before a model could be promoted.")
    rows = tuple(
        row(
            Cell("✓ held", "good") if g.passed else Cell("✗ failed", "bad"),
            g.rule,
            g.limit,
            Cell(g.measured, "" if g.passed else "bad"),
            g.interval or "–",
        )
        for g in gates
    )
    return Table(("", "rule", "limit", "measured", "interval"), "llllr", rows)
