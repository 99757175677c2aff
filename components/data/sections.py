"""The sections of a station that decide bytes: what DVC versions, and nothing else.

A stage of ``dvc.yaml`` reads only these, so that a change of the search space or of a gate never
makes a stage stale. :class:`components.station.Station` adds the rest.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from components.data.formats import Source
from components.data.groups import GroupRule
from components.data.images import ImageLimits
from components.data.split import SplitParams
from components.errors import ParamsError
from components.params import Params, read_yaml, validate

# A station file spells these out, so that DVC can watch each of them.
WRITTEN_OUT = ("source", "images", "masks", "group", "split", "prepare", "expectations")


class PrepareParams(Params):
    """What of each image the station looks at."""

    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)  # left, top, right, bottom

    @field_validator("window")
    @classmethod
    def _ordered(cls, window: tuple[float, ...]) -> tuple[float, ...]:
        left, top, right, bottom = window
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError(
                "window is left, top, right, bottom in 0..1, left < right, top < bottom"
            )
        return window


class DataSections(Params):
    """From raw files to prepared images."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    source: Source
    images: ImageLimits = ImageLimits()
    masks: Literal["required", "optional", "none"] = "optional"
    group: GroupRule | None = None  # which images show the same physical part
    split: SplitParams = SplitParams()
    prepare: PrepareParams = PrepareParams()
    expectations: str = "default"


def load_sections(params_dir: Path, station: str) -> DataSections:
    """Read the data sections of ``stations/<station>.yaml``.

    Raises:
        ParamsError: unknown station, key or value; a section that DVC could not watch, because
            the file leaves it to its default.
    """
    path = params_dir / "stations" / f"{station}.yaml"
    values = read_yaml(path)
    missing = [section for section in WRITTEN_OUT if section not in values]
    if missing:
        raise ParamsError(
            "E015",
            f"{path} leaves out {', '.join(missing)}: DVC watches each of these sections.",
            "Write them out (docs/architecture.md lists the defaults).",
        )
    chosen = {key: values[key] for key in DataSections.model_fields if key in values}
    return validate(DataSections, chosen, str(path))
