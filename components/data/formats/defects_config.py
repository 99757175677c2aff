"""``defects_config.json``: what a pixel value of an instance mask means, and how much is enough.

MVTec LOCO (Bergmann et al. 2022, section 4) and AutoVI share the file: a list of entries with
``defect_name``, ``pixel_value``, ``saturation_threshold`` and ``relative_saturation``.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from components.errors import DataError
from components.params import Params

CONFIG_NAME = "defects_config.json"


class DefectKind(Params):
    """One kind of defect: its value in instance masks and the area that counts as found whole."""

    model_config = ConfigDict(extra="ignore")

    defect_name: str = Field(min_length=1)
    pixel_value: int = Field(ge=1, le=255, strict=True)
    saturation_threshold: float = Field(gt=0, allow_inf_nan=False, strict=True)  # px, or a share
    relative_saturation: bool = Field(strict=True)  # True: the threshold is a share of the area

    @model_validator(mode="after")
    def _share_at_most_one(self) -> Self:
        if self.relative_saturation and self.saturation_threshold > 1:
            raise ValueError(
                f"saturation_threshold {self.saturation_threshold:g} is a share of the area "
                "(relative_saturation is true), so at most 1"
            )
        return self

    def saturation_px(self, area_px: int) -> int:
        """Return how many pixels of an instance of ``area_px`` pixels count as all of it.

        Never below 1, so that a tiny instance still has a defined overlap.
        """
        threshold = self.saturation_threshold
        enough = threshold * area_px if self.relative_saturation else min(threshold, area_px)
        return max(1, int(enough))


def read_defects_config(path: Path) -> dict[int, DefectKind]:
    """Return pixel value → kind, in the file's order.

    Raises:
        DataError: E220 the file is missing, or is not a JSON list; E221 entries that are not
            valid, or that share a pixel value: all of them at once, each with its fields.
    """
    problems: list[str] = []
    kinds: dict[int, DefectKind] = {}
    first_entry: dict[int, int] = {}
    for number, entry in enumerate(_listed(path), start=1):
        try:
            kind = DefectKind.model_validate(entry)
        except ValidationError as error:
            problems += [f"entry {number}, {text}" for text in _explained(error)]
            continue
        earlier = first_entry.setdefault(kind.pixel_value, number)
        if earlier != number:
            value = kind.pixel_value
            problems.append(f"entry {number}, pixel_value: {value} is entry {earlier}'s already")
        kinds.setdefault(kind.pixel_value, kind)
    if problems:
        raise DataError("E221", f"{path}: " + "; ".join(problems) + ".", "Mend these entries.")
    return kinds


def _listed(path: Path) -> list[Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(
            "E220",
            f"{path} does not exist: without it the values of instance masks mean nothing.",
            "Copy it from the data set, beside train and test.",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        reason = f"{path} is not readable JSON: {error}."
        raise DataError("E220", reason, "Copy it from the data set again.") from None
    if not isinstance(values, list) or not values:
        found = "an empty list" if values == [] else f"a {type(values).__name__}"
        message = f"{path} holds {found}, not a list of entries."
        raise DataError("E220", message, "Copy it from the data set again.")
    return values


def _explained(error: ValidationError) -> Iterator[str]:
    for detail in error.errors():
        field = ".".join(str(part) for part in detail["loc"]) or "whole"
        yield f"{field}: {detail['msg']}"
