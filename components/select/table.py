"""A table of any tool's figures, read from CSV: every cell checked, every mistake named.

A figure ``x`` stands in a column ``x`` or ``x_mean``, with its sample standard deviation over
seeds in ``x_std`` and their number in ``x_n``, both of them optional.
"""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.errors import DataError
from components.select.limits import Estimate, Row

NAME = "name"
MOST_BYTES = 5_000_000
MOST_ROWS = 2_000
MOST_COLUMNS = 500


@dataclass(frozen=True)
class Table:
    """Rows as selection reads them, and what a person should know of the rest."""

    rows: tuple[Row, ...]
    ignored: tuple[str, ...] = ()  # columns
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """Where one figure stands; None where the table has no such column."""

    mean: str
    std: str | None
    num: str | None


Line = tuple[int, dict[str, str]]  # number in the file, cells by column


def read_table(path: Path, figures: Sequence[str], num_seeds: int) -> Table:
    """Read the figures that criteria and limits name; ``num_seeds`` where the table has no x_n.

    Raises:
        DataError: the file is missing, too large, no text or empty (E260-E262); its header or a
            line has not the columns it should have (E263-E266); a cell holds no fit number
            (E267); a name is missing or comes twice (E268).
    """
    header, lines = _lines(_text(path), path)
    found = {figure: _columns(figure, header, path) for figure in figures}
    used = {c for each in found.values() for c in (each.mean, each.std, each.num)} | {NAME}
    bare = [figure for figure, each in found.items() if each.std is None]
    notes = [f"{figure} comes without a std: noise of its seeds is left out." for figure in bare]
    return Table(
        rows=tuple(_row(line, found, num_seeds, path) for line in _named_once(lines, path)),
        ignored=tuple(column for column in header if column not in used),
        notes=tuple(notes),
    )


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataError("E260", f"{path} is no file.", "Give a CSV table.")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(
            "E261",
            f"{path} has {path.stat().st_size:,} bytes; a table of candidates has {MOST_BYTES:,} "
            "at most.",
            "Keep one row a candidate.",
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte {error.start} of {path}"
        raise DataError("E260", f"{where} is not UTF-8 text.", "Save as CSV, UTF-8.") from None
    if "\0" in text:
        raise DataError("E260", f"{path} is not a text file.", "Save as CSV, UTF-8.")
    return text


def _lines(text: str, path: Path) -> tuple[list[str], list[Line]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        filled = [(reader.line_num, [c.strip() for c in cells]) for cells in reader if any(cells)]
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        raise DataError("E263", f"{where}: {error}.", "Mend its quotes.") from None
    if len(filled) < 2:
        what = "has a header and no row" if filled else "is empty"
        raise DataError("E262", f"{path} {what}.", "Write one row a candidate.")
    if len(filled) - 1 > MOST_ROWS:
        raise DataError(
            "E261", f"{path} has {len(filled) - 1:,} rows; {MOST_ROWS:,} are read.", "Leave some."
        )
    header = filled[0][1]
    _check_header(header, path)
    for number, cells in filled[1:]:
        if len(cells) != len(header):
            raise DataError(
                "E265",
                f"{path}, line {number} has {len(cells)} cells; the header has {len(header)}.",
                "Write decimals with a point; put words with commas into quotes.",
            )
    return header, [(number, dict(zip(header, cells, strict=True))) for number, cells in filled[1:]]


def _check_header(header: list[str], path: Path) -> None:
    if len(header) == 1 and (other := next((c for c in ";\t|" if c in header[0]), None)):
        raise DataError(
            "E263",
            f"{path} separates its columns by {other!r}.",
            "Save it with commas, and decimals with a point.",
        )
    if len(header) > MOST_COLUMNS:
        raise DataError("E261", f"{path} has {len(header)} columns.", f"{MOST_COLUMNS} are read.")
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise DataError("E264", f"{path} has columns twice: {', '.join(twice)}.", "Rename one.")
    if NAME not in header:
        raise DataError(
            "E264", f"{path} has no column {NAME!r}.", f"Its columns: {', '.join(header)}."
        )


def _columns(figure: str, header: list[str], path: Path) -> Columns:
    plain, mean = figure in header, f"{figure}_mean" in header
    if plain and mean:
        raise DataError(
            "E266", f"{path} has both {figure} and {figure}_mean.", "Remove one, or rename it."
        )
    if not plain and not mean:
        stems = [column.removesuffix("_mean") for column in header]
        spread = {f"{stem}{end}" for stem in stems for end in ("_std", "_n")}
        known = [stem for stem in stems if stem != NAME and stem not in spread]
        raise DataError(
            "E266",
            f"{path} has no column {figure} or {figure}_mean.",
            f"It has: {', '.join(known)}.",
        )
    std, num = f"{figure}_std", f"{figure}_n"
    return Columns(
        mean=figure if plain else f"{figure}_mean",
        std=std if std in header else None,
        num=num if num in header else None,
    )


def _named_once(lines: list[Line], path: Path) -> Iterator[Line]:
    seen: dict[str, int] = {}
    for number, cells in lines:
        name = cells[NAME]
        if not name:
            raise DataError("E268", f"{path}, line {number} has no name.", "Name every row.")
        if name in seen:
            raise DataError(
                "E268",
                f"{path} names {name!r} in line {seen[name]} and in line {number}.",
                "Give each candidate one row and its own name.",
            )
        seen[name] = number
        yield number, cells


def _row(line: Line, found: dict[str, Columns], num_seeds: int, path: Path) -> Row:
    cells = line[1]
    values: dict[str, tuple[float, ...]] = {}
    estimates: dict[str, Estimate] = {}
    for figure, columns in found.items():
        mean = _number(line, columns.mean, path)
        std = _number(line, columns.std, path, least=0.0) if columns.std else None
        num = _number(line, columns.num, path, least=1.0, whole=True) if columns.num else None
        if mean is None:
            continue
        if std is None:
            values[figure] = (mean,)
        else:
            estimates[figure] = Estimate(mean, std, int(num) if num else num_seeds)
    return Row(name=cells[NAME], values=values, estimates=estimates)


def _number(
    line: Line, column: str, path: Path, *, least: float = -math.inf, whole: bool = False
) -> float | None:
    """Return a cell's number, None where the cell is empty."""
    number, cells = line
    text = cells[column]
    if not text:
        return None
    try:
        value = float(text) if "_" not in text else math.nan  # Python alone reads 1_000
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least or (whole and value != int(value)):
        kind = "whole number" if whole else "number"
        bound = f" of at least {least:g}" if least > -math.inf else ""
        raise DataError(
            "E267",
            f"{path}, line {number} ({cells[NAME] or 'no name'}): {column} holds {text[:40]!r}, "
            f"which is no {kind}{bound}.",
            "Write decimals with a point; leave the cell empty where it was not measured.",
        )
    return value
