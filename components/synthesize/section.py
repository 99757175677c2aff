"""The ``synthesize`` section of a station: which defects to draw, how many, and where."""

from pydantic import Field

from components.params import Params
from components.synthesize import Synthesizer

Point = tuple[float, float]  # x, y as shares of the image's width and height


class SynthesizeParams(Params):
    """Which synthetic defects to draw, how many of each, and where on the part."""

    seed: int = 0
    num_per_kind: int = Field(default=30, ge=1)
    kinds: tuple[Synthesizer, ...]
    regions: tuple[tuple[Point, ...], ...] = ()  # polygons in 0..1; empty = the whole window
