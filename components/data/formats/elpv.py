"""ELPV: electroluminescence images of solar cells, from the PyPI package ``elpv-dataset``.

Deitsch et al., "Segmentation of photovoltaic module cells in uncalibrated electroluminescence
images" (2021); CC BY-NC-SA 4.0. A cell's probability of being defective is 0, 1/3, 2/3 or 1.
"""

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from components.data.formats.listing import (
    Entry,
    Listing,
    build_folder,
    image_files,
    note,
    relative,
    require_folder,
    require_normals,
)
from components.errors import DataError
from components.params import Params
from components.records import Split

_LABELS = "labels.csv"
_PACKAGE = "elpv_dataset"


@dataclass(frozen=True)
class _Row:
    image_path: str
    probability: float
    cell_type: str


class Elpv(Params):
    """Solar cells: probability 0 is normal, 1 anomalous, the uncertain ones are left out."""

    kind: Literal["elpv"] = "elpv"
    cell_type: Literal["mono", "poly", "all"] = "mono"

    def entries(self, root: Path) -> Listing:
        """List the certain cells of the chosen type, unsplit; there are no masks.

        Raises:
            DataError: E101 no such folder; E102 no normal cell; E103 labels.csv is not readable.
        """
        require_folder(root)
        rows = self._rows(root / _LABELS)
        certain = [row for row in rows if row.probability in (0.0, 1.0)]
        here = set(relative(image_files(root / "images")[0], root))
        entries = tuple(
            _entry(row)
            for row in sorted(certain, key=lambda row: row.image_path)
            if row.image_path in here
        )
        require_normals(entries, root, f"{self.cell_type} cells of probability 0 in {_LABELS}")
        uncertain = len(rows) - len(certain)
        left_out = (f"{uncertain} cells of uncertain probability left out",) if uncertain else ()
        missing = {row.image_path for row in certain} - here
        return Listing(entries, (*left_out, *note(f"images of {_LABELS} not found", missing)))

    def fetch(self, raw: Path) -> Path:
        """Copy the certain cells of the chosen type and labels.csv from the installed package.

        Raises:
            DataError: E104 the package is not installed.
        """
        source = package_data()
        rows = [row for row in self._rows(source / _LABELS) if row.probability in (0.0, 1.0)]

        def fill(part: Path) -> None:
            (part / "images").mkdir()
            shutil.copyfile(source / _LABELS, part / _LABELS)
            for row in rows:
                shutil.copyfile(source / row.image_path, part / row.image_path)

        return build_folder(raw, fill)

    def _rows(self, path: Path) -> list[_Row]:
        if not path.is_file():
            raise DataError("E103", f"{path} is missing.", "Fetch the station's raw images again.")
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [_row(path, i, line) for i, line in enumerate(lines, start=1) if line.strip()]
        return [row for row in rows if self.cell_type in (row.cell_type, "all")]


def package_data() -> Path:
    """Return the data folder of the installed package, found without importing it."""
    found = importlib.util.find_spec(_PACKAGE)
    for place in (found.submodule_search_locations or ()) if found else ():
        if (Path(place) / "data" / _LABELS).is_file():
            return Path(place) / "data"
    raise DataError(
        "E104", "the package elpv-dataset is not installed.", "Run: pip install elpv-dataset"
    )


def _row(path: Path, number: int, line: str) -> _Row:
    fields = line.split()
    inside = fields and PurePosixPath(fields[0]).parts[0] == "images" and ".." not in fields[0]
    try:
        return _Row(fields[0] if inside else "", float(fields[1]), fields[2]) if inside else _bad()
    except (ValueError, IndexError):
        message = f"{path}, line {number}: {line!r} is not 'images/<file> <probability> <type>'."
        raise DataError("E103", message, "Mend the line.") from None


def _bad() -> _Row:
    raise ValueError


def _entry(row: _Row) -> Entry:
    label = int(row.probability)
    kind = "defective" if label else None
    return Entry(row.image_path, row.cell_type, Split.UNSPLIT, label, kind)
