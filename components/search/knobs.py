"""The values that one parameter may take: a few choices, even steps, or steps of equal ratio."""

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from components.params import Params

Scalar = bool | int | float | str
DIGITS = 10  # of a level: more is the dust of binary fractions


class Asker(Protocol):
    """Who names a value of a parameter: a trial of a study, or a generator."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int: ...


class Choice(Params):
    """Values without an order, each once; the first is as good as the last."""

    values: tuple[Any, ...] = Field(min_length=1)

    @property
    def levels(self) -> tuple[Any, ...]:
        """All values."""
        return self.values

    def ask(self, asker: Asker, name: str) -> Any:
        """Return the value that the asker names."""
        return asker.suggest_categorical(name, list(self.values))

    def nearest(self, value: Any) -> Any:
        """Return the value itself where it is one of the choices, else the first of them."""
        return value if value in self.values else self.values[0]


class Range(Params):
    """Values ``step`` apart, ends included; whole numbers where all three are."""

    low: int | float
    high: int | float
    step: int | float = Field(gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self

    @property
    def levels(self) -> tuple[int | float, ...]:
        """All values, low to high."""
        num = math.floor((self.high - self.low) / self.step + 1e-9)
        return tuple(round(self.low + self.step * i, DIGITS) for i in range(num + 1))

    def ask(self, asker: Asker, name: str) -> int | float:
        """Return the value that the asker names."""
        low, high, step = self.levels[0], self.levels[-1], self.step
        if isinstance(low, int) and isinstance(high, int) and isinstance(step, int):
            return asker.suggest_int(name, low, high, step=step)
        return self.nearest(asker.suggest_float(name, low, high, step=step))

    def nearest(self, value: float) -> int | float:
        """Return the level closest to a value."""
        return min(self.levels, key=lambda level: abs(level - value))


class LogRange(Params):
    """``num`` values of equal ratio, ends included, to three digits: learning rates and the like.

    The study's sampler sees a continuous logarithmic scale; what it names becomes the nearest
    level, so that a configuration can come twice and is then measured once.
    """

    low: float = Field(gt=0)
    high: float = Field(gt=0)
    num: int = Field(ge=2, le=50)
    log: Literal[True]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self

    @property
    def levels(self) -> tuple[float, ...]:
        """All values, low to high."""
        ratio = (self.high / self.low) ** (1 / (self.num - 1))
        inner = (float(f"{self.low * ratio**i:.3g}") for i in range(1, self.num - 1))
        return (self.low, *inner, self.high)

    def ask(self, asker: Asker, name: str) -> float:
        """Return the level nearest to what the asker names."""
        return self.nearest(asker.suggest_float(name, self.low, self.high, log=True))

    def nearest(self, value: float) -> float:
        """Return the level closest to a value by ratio; the lowest for one that has no ratio."""
        if value <= 0:
            return self.low
        return min(self.levels, key=lambda level: abs(math.log(level / value)))


Options = Choice | Range | LogRange
Knob = Range | LogRange | tuple[Scalar, ...]  # as a station declares it


def options(knob: Knob) -> Options:
    """Return the values of a declared knob."""
    return Choice(values=knob) if isinstance(knob, tuple) else knob


def misfits(detector: type[BaseModel], name: str, knob: Knob) -> list[str]:
    """Return what is wrong with a knob: an unknown field, or levels that the field refuses."""
    tuned = sorted(set(detector.model_fields) - {"kind", "backbone", "layers", "weights"})
    if name not in tuned:
        return [f"knobs.{name}: unknown (valid: {', '.join(tuned) or 'none'})"]
    levels = options(knob).levels if knob != () else ()
    if not levels:
        return [f"knobs.{name}: no value given"]
    return [
        f"knobs.{name}: {level!r}: {why}"
        for level in levels
        if (why := _refusal(detector, name, level))
    ]


def _refusal(detector: type[BaseModel], name: str, level: Scalar) -> str:
    try:
        detector.model_validate({name: level}, strict=True)
    except ValidationError as error:
        return str(error.errors()[0]["msg"])
    return ""
