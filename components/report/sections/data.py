"""What the run was fed: counts, rejected files, and what validation found."""

from components.records import Check, RunSummary, ValidationReport
from components.report.blocks import (
    Block,
    Bullets,
    Cell,
    Heading,
    Section,
    Table,
    Text,
    absent,
    capped,
    row,
)
from components.report.wording import listing, plural, shorten

SPLITS = ("fit", "tune", "report")
MOST_REJECTS = 20
MOST_FILES = 4


def data(summary: RunSummary) -> Section:
    """Return counts by type and split, notes, rejects and validation."""
    blocks: list[Block] = [_counts(summary.counts)]
    if summary.licence:
        blocks.append(absent(f"Licence of the images: {summary.licence}."))
    if summary.data_notes:
        blocks.append(Bullets(summary.data_notes))
    blocks += [Heading("Validation"), *_validation(summary.validation)]
    blocks += [Heading("Rejected files"), *_rejects(summary)]
    return Section("data", "Data", tuple(blocks))


def _counts(counts: dict[str, dict[str, int]]) -> Block:
    if not counts:
        return absent("No counts: the run ended before the images were split.")
    splits = [s for s in SPLITS if s in counts] + [s for s in counts if s not in SPLITS]
    totals: dict[str, int] = {}
    for row_of in counts.values():
        for defect_type, count in row_of.items():
            totals[defect_type] = totals.get(defect_type, 0) + count
    types = sorted(totals, key=lambda t: (t != "good", -totals[t], t))
    rows = [
        row(
            "normal" if t == "good" else t,
            *(str(counts[s].get(t) or "–") for s in splits),
            str(totals[t]),
        )
        for t in types
    ]
    sums = [str(sum(counts[s].values())) for s in splits]
    every = str(sum(totals.values()))
    rows.append(row(*(Cell(v, "quiet") for v in ("all", *sums, every))))
    return Table(("type", *splits, "all"), "l" + "r" * (len(splits) + 1), tuple(rows))


def _validation(report: ValidationReport | None) -> list[Block]:
    if report is None:
        return [absent("No validation report: the run ended before the images were checked.")]
    failed = sorted(
        (c for c in report.checks if not c.passed), key=lambda c: c.severity != "critical"
    )
    passed = [c.name for c in report.checks if c.passed]
    blocks: list[Block] = [
        Text(
            f"Suite {report.suite} over {plural(report.num_rows, 'row')}: {len(passed)} of "
            f"{plural(len(report.checks), 'check')} passed."
        )
    ]
    if failed:
        head = ("", "check", "observed", "expected", "files")
        blocks.append(Table(head, "lllll", tuple(_check(c) for c in failed)))
    if passed:
        blocks.append(
            absent("Passed: " + ", ".join(name.replace("_", " ") for name in passed) + ".")
        )
    return blocks


def _check(check: Check) -> tuple[Cell, ...]:
    critical = check.severity == "critical"
    mark = Cell("✗ critical", "bad") if critical else Cell("! warning", "warn")
    paths = [shorten(p, 44) for p in check.failing_paths]
    return row(
        mark,
        check.name.replace("_", " "),
        check.observed,
        check.expected,
        Cell(listing(paths, MOST_FILES) or "–", mono=bool(paths)),
    )


def _rejects(summary: RunSummary) -> list[Block]:
    if not summary.rejects:
        if not summary.counts:
            return [
                absent(
                    "None was recorded: the run ended with validation, whose findings are above."
                )
            ]
        return [absent("None: every file could be read.")]
    rows = [row(Cell(r.image_path, mono=True), r.code, Cell(r.reason)) for r in summary.rejects]
    shown, more = capped(rows, MOST_REJECTS, "rejected files")
    return [Table(("file", "kind", "reason"), "lll", shown), *more]
