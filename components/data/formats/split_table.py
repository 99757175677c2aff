"""The table that lists every image of VisA: ``object,split,label,image,mask``, one row an image."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from components.errors import DataError
from components.records import Split

COLUMNS = ("object", "split", "label", "image", "mask")
_SPLITS = {"train": Split.TRAIN, "test": Split.TEST}
_LABELS = {"normal": 0, "anomaly": 1}


@dataclass(frozen=True)
class Row:
    """One image; ``mask`` is "" where the table names none. Paths are relative to the root."""

    category: str
    split: Split
    gt_label: int
    image: str
    mask: str


def is_inside(path: str) -> bool:
    """Return whether a path from a table stays inside the folder that it is relative to."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not {"..", "/"} & set(parts) and "\\" not in path and ":" not in path


def read_rows(path: Path) -> Iterator[Row]:
    """Read a table's rows, each image once; a byte-order mark and any line ends are taken.

    Raises:
        DataError: E223 the table cannot be read or lacks a column; E224 a row is not valid.
    """
    reader = _reader(path)
    heads = [name.strip() for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in heads]
    if missing:
        message = f"{path}, line 1: no column {', '.join(missing)} (found: {', '.join(heads)})."
        raise DataError("E223", message, f"The columns are {','.join(COLUMNS)}.")
    lines: dict[str, int] = {}
    for number, cells in enumerate(reader, start=2):
        if any(cell.strip() for cell in cells):
            row = _row(path, number, heads, cells)
            first = lines.setdefault(row.image, number)
            if first != number:
                raise _bad(path, number, f"image {row.image} is line {first}'s already")
            yield row


def _reader(path: Path) -> Iterator[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        yield from csv.reader(text.split("\n"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = f"{path} cannot be read as a table: {error}."
        raise DataError("E223", reason, "Copy it from the data set again.") from None


def _row(path: Path, line: int, heads: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(heads):
        raise _bad(path, line, f"{len(cells)} cells, not {len(heads)}")
    cell = {head: text.strip() for head, text in zip(heads, cells)}
    for column, known in (("split", tuple(_SPLITS)), ("label", tuple(_LABELS))):
        if cell[column] not in known:
            raise _bad(path, line, f"{column} {cell[column]!r} is none of {', '.join(known)}")
    if not is_inside(cell["object"]) or len(PurePosixPath(cell["object"]).parts) != 1:
        raise _bad(path, line, f"object {cell['object']!r} is no folder's name")
    for column in ("image", "mask"):
        place = cell[column]
        own = is_inside(place) and PurePosixPath(place).parts[0] == cell["object"]
        if not own and (place or column == "image"):
            raise _bad(path, line, f"{column} {place!r} does not lie in {cell['object']}/")
    split, label = _SPLITS[cell["split"]], _LABELS[cell["label"]]
    return Row(cell["object"], split, label, cell["image"], cell["mask"])


def _bad(path: Path, line: int, what: str) -> DataError:
    return DataError("E224", f"{path}, line {line}: {what}.", "Mend the line.")
