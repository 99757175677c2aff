"""From tidy figures to the tables that a paper prints: mean ± std, the best group marked."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.metrics.best_group import best_group
from components.metrics.seeds import Spread, spread
from components.studies.params import LOWER_IS_BETTER, StudyParams
from components.studies.rows import Row
from components.studies.variants import CLEAN, PLAIN

Label = tuple[str, str]  # detector, backbone
ALL_IMAGES = "all images"


@dataclass(frozen=True)
class Entry:
    """One cell of a printed table; ``best`` marks the best group of its column."""

    spread: Spread
    best: bool


@dataclass(frozen=True)
class StudyTable:
    """One metric: detectors with their backbones down, stations or variants across."""

    metric: str
    station: str  # "" where the columns are stations
    labels: tuple[Label, ...]
    columns: tuple[str, ...]
    entries: dict[tuple[Label, str], Entry]

    @property
    def name(self) -> str:
        """A file name without its ending."""
        return f"{self.metric}-{self.station}" if self.station else self.metric

    @property
    def num_seeds(self) -> tuple[int, ...]:
        """The numbers of seeds behind the entries, ascending, each once."""
        return tuple(sorted({entry.spread.n for entry in self.entries.values()}))


def tables_of(study: StudyParams, rows: Sequence[Row]) -> tuple[StudyTable, ...]:
    """Return one table a metric where only stations differ, else one a metric and station.

    Metrics of which there is no figure at all have no table.
    """
    varied = len({(row.variant, row.condition) for row in rows}) > 1
    found = []
    for metric in study.metrics:
        of_metric = [row for row in rows if row.metric == metric and row.value is not None]
        for station in study.stations if varied else ("",):
            chosen = [row for row in of_metric if station in ("", row.station)]
            if chosen:
                found.append(_table(metric, station, chosen, _untouched(study)))
    return tuple(found)


def _untouched(study: StudyParams) -> str:
    """Return how the column of the variant that changes nothing is headed."""
    return ALL_IMAGES if len(study.axes.num_train) > 1 else PLAIN


def _table(metric: str, station: str, rows: Sequence[Row], untouched: str) -> StudyTable:
    groups: dict[tuple[Label, str], list[float]] = {}
    for row in rows:
        column = _column(row, untouched) if station else row.station
        assert row.value is not None
        groups.setdefault(((row.detector, row.backbone), column), []).append(row.value)
    columns = tuple(dict.fromkeys(column for _, column in groups))
    best = {column: _best(metric, column, groups) for column in columns}
    return StudyTable(
        metric=metric,
        station=station,
        labels=tuple(dict.fromkeys(label for label, _ in groups)),
        columns=columns,
        entries={
            (label, column): Entry(spread(values), label in best[column])
            for (label, column), values in groups.items()
        },
    )


def _column(row: Row, untouched: str) -> str:
    variant = untouched if row.variant == PLAIN else row.variant
    if row.condition == CLEAN:
        return variant
    return row.condition if row.variant == PLAIN else f"{variant} · {row.condition}"


def _best(metric: str, column: str, groups: dict[tuple[Label, str], list[float]]) -> set[Label]:
    """Return the rows that are best in a column; of a single row nothing is."""
    named = {"/".join(label): values for (label, at), values in groups.items() if at == column}
    if len(named) < 2:
        return set()
    best = best_group(named, higher_is_better=metric not in LOWER_IS_BETTER)
    return {label for label, at in groups if at == column and "/".join(label) in best}
