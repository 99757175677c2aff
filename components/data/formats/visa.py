"""VisA's layout: one table of all images and masks at the root, a folder for each category.

Zou et al., "SPot-the-Difference Self-Supervised Pre-training for Anomaly Detection and
Segmentation" (2022). The repackaged VisA, with train/good and test/bad, is of MVTec AD's layout.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.data.formats.listing import (
    Entry,
    Listing,
    MaskRule,
    image_files,
    note,
    relative,
    require_folder,
    require_normals,
)
from components.data.formats.split_table import Row, is_inside, read_rows
from components.errors import DataError
from components.params import Params

SPLIT_CSV = "split_csv/1cls.csv"
DEFECT_TYPE = "anomaly"


def _confined(path: str) -> str:
    if not is_inside(path):
        raise ValueError(f"{path!r} must lie inside the data set's folder")
    return path


class Visa(Params):
    """One category of VisA, split as the table says; masks hold small numbers for classes."""

    kind: Literal["visa"] = "visa"
    path: str | None = None  # the folder with split_csv; None = already in data/raw
    category: str = Field(pattern=r"^[^/\\.][^/\\]*$")
    split_csv: Annotated[str, AfterValidator(_confined)] = SPLIT_CSV

    def entries(self, root: Path) -> Listing:
        """List the category's rows whose images exist, with their masks.

        Raises:
            DataError: E101 no such folder; E102 no normal image; E223 the table cannot be read
                or lacks a column; E224 a row of it is not valid; E225 no such category.
        """
        require_folder(root)
        rows = self._rows(root)
        here = _files(root / self.category, root)
        taken = [row for row in rows if row.image in here]
        entries = sorted((_entry(row, here) for row in taken), key=lambda entry: entry.image_path)
        looked_for = f"rows 'normal' of {self.category} in {self.split_csv}"
        require_normals(entries, root, looked_for)
        notes = _notes(rows, here, self.split_csv)
        return Listing(tuple(entries), notes, MaskRule(class_values=True))

    def _rows(self, root: Path) -> list[Row]:
        rows = list(read_rows(root / self.split_csv))
        own = [row for row in rows if row.category == self.category]
        if not own:
            known = ", ".join(sorted({row.category for row in rows})) or "none"
            message = f"{root / self.split_csv}: no rows of category {self.category!r}."
            raise DataError("E225", message, f"Categories: {known}.")
        return own


def categories(path: Path) -> tuple[str, ...]:
    """Return the categories that a table lists, sorted.

    Raises:
        DataError: E223, E224, as for :meth:`Visa.entries`.
    """
    return tuple(sorted({row.category for row in read_rows(path)}))


def _files(folder: Path, root: Path) -> set[str]:
    """Return the visible image files of a category's ``Data`` folder, relative to the root."""
    return set(relative(image_files(folder / "Data", deep=True)[0], root))


def _entry(row: Row, here: set[str]) -> Entry:
    anomalous = row.gt_label == 1
    masks = (row.mask,) if anomalous and row.mask in here else ()
    kind = DEFECT_TYPE if anomalous else None
    return Entry(row.image, row.category, row.split, row.gt_label, kind, masks)


def _notes(rows: Sequence[Row], here: set[str], table: str) -> tuple[str, ...]:
    listed = {row.image for row in rows} | {row.mask for row in rows}
    masks = [row for row in rows if row.mask]
    return (
        *note(f"images of {table} not found", (r.image for r in rows if r.image not in here)),
        *note(f"masks of {table} not found", (r.mask for r in masks if r.mask not in here)),
        *note("masks given for normal images, ignored", (r.mask for r in masks if not r.gt_label)),
        *note(f"files that {table} does not list, ignored", here - listed),
    )
