"""What a study found: its tables, and how quality grows with training images."""

from collections.abc import Sequence

from components.metrics.seeds import spread
from components.report.blocks import Block, Cell, Heading, Plot, Section, Table, Text, absent
from components.report.plots.study import At, learning_curves
from components.report.wording import plural
from components.studies.formats import figure, metric_label, title
from components.studies.params import LOWER_IS_BETTER
from components.studies.rows import Row
from components.studies.summary import StudySummary
from components.studies.table import ALL_IMAGES, Entry, Label, StudyTable, tables_of
from components.studies.variants import CLEAN, PLAIN


def verdict(summary: StudySummary, rows: Sequence[Row]) -> str:
    """Return what the study found by its first metric, a station at a time, in one sentence."""
    found = tables_of(summary.study, rows)
    if not found:
        return "No cell was finished."
    metric, percent = summary.study.metrics[0], summary.study.percent
    parts: list[str] = []
    for table in (t for t in found if t.metric == metric):
        if len(table.labels) == 1 and len(table.columns) > 1:
            parts.append(_course(table, percent))
        else:
            columns = (_reference(table),) if table.station else table.columns
            parts += [_leader(table, column, percent) for column in columns]
    more = f"; and {len(parts) - 4} more below" if len(parts) > 4 else ""
    best = "" if any(" to " in part for part in parts) else "Best "
    words = f"{best}{metric_label(metric)}: {'; '.join(parts[:4])}{more}."
    return words[0].upper() + words[1:]


def _reference(table: StudyTable) -> str:
    """Return the column that the others are variations of: the untouched one, or the last."""
    untouched = [c for c in table.columns if c in (PLAIN, ALL_IMAGES)]
    return untouched[0] if untouched else table.columns[-1]


def _course(table: StudyTable, percent: bool) -> str:
    """Return how the only row of a table changes from its first column to its last."""
    (label,) = table.labels
    ends = [c for c in table.columns if (label, c) in table.entries]
    told = [
        f"{c} {figure(table.entries[label, c], table.metric, percent)}" for c in (ends[0], ends[-1])
    ]
    place = f"{table.station} – " if table.station else ""
    return f"{place}{_name(label)} from {' to '.join(told)}"


def _leader(table: StudyTable, column: str, percent: bool) -> str:
    lowest = table.metric in LOWER_IS_BETTER
    entries = {label: e for (label, at), e in table.entries.items() if at == column}
    best = [label for label, entry in entries.items() if entry.best] or list(entries)
    best.sort(key=lambda label: entries[label].spread.mean * (1 if lowest else -1))
    first = f"{_name(best[0])} {figure(entries[best[0]], table.metric, percent)}"
    others = len(best) - 1
    place = f"{table.station} ({column})" if table.station else column
    same = f" (not told apart from {plural(others, 'other')})" if others else ""
    return f"{place} – {first}{same}"


def _name(label: Label) -> str:
    return "/".join(label)


def figures(summary: StudySummary, tables: Sequence[StudyTable]) -> Section:
    """Return every table, the best group of each column in bold."""
    blocks: list[Block] = []
    for table in tables:
        heading = title(table, summary.study.percent)
        blocks += [Heading(heading), as_block(table, summary.study.percent)]
    if not blocks:
        return Section("figures", "Figures", (absent("No cell was finished."),))
    seeds = sorted({n for table in tables for n in table.num_seeds})
    counts = " or ".join(map(str, seeds))
    words = (
        f"Mean ± standard deviation over {counts} seeds. Bold: the best of a column and all that "
        "Welch's test at 5 % does not tell apart from it (not corrected for many comparisons)."
        if seeds[-1] > 1
        else "One seed: no spread, and nothing can be told apart by chance; bold is the best."
    )
    return Section("figures", "Figures", (Text(words), *blocks), summary.profile_note)


def as_block(table: StudyTable, percent: bool) -> Table:
    """Return a table as a block of the page."""
    return Table(
        ("detector", "backbone", *table.columns),
        "ll" + "r" * len(table.columns),
        tuple(
            (*map(Cell, label), *(_cell(table, label, column, percent) for column in table.columns))
            for label in table.labels
        ),
    )


def _cell(table: StudyTable, label: Label, column: str, percent: bool) -> Cell:
    entry: Entry | None = table.entries.get((label, column))
    words = figure(entry, table.metric, percent)
    return Cell(words, "" if entry else "quiet", strong=entry is not None and entry.best)


def learning(summary: StudySummary, rows: Sequence[Row]) -> Section:
    """Return quality against training images, a plot a station, where their number varies."""
    metric = summary.study.metrics[0]
    chosen = [
        r for r in rows if r.metric == metric and r.condition == CLEAN and r.value is not None
    ]
    blocks: list[Block] = []
    if len(summary.study.axes.num_train) > 1:
        for station in summary.study.stations:
            lines = _lines([r for r in chosen if r.station == station])
            if any(len(points) > 1 for points in lines.values()):
                all_of_them = None in summary.study.axes.num_train
                svg = learning_curves(lines, metric_label(metric), "all" if all_of_them else "")
                blocks.append(Plot(svg, f"{station}: mean ± standard deviation over seeds."))
    return Section("learning", "How many training images", tuple(blocks))


def _lines(rows: Sequence[Row]) -> dict[str, list[At]]:
    groups: dict[str, dict[int, list[float]]] = {}
    for r in rows:
        assert r.value is not None
        by_number = groups.setdefault(f"{r.detector}/{r.backbone}", {})
        by_number.setdefault(r.num_train, []).append(r.value)
    return {
        name: [At(n, spread(values).mean, spread(values).std) for n, values in sorted(by.items())]
        for name, by in groups.items()
    }
