"""What a selection is asked to weigh: criteria, limits and how sure it must be."""

from typing import Literal, Self

from pydantic import Field, model_validator

from components.params import Params


class Criterion(Params):
    """One figure to be traded against the others.

    ``aspiration`` is the level that would satisfy completely, ``reservation`` the level that is
    barely acceptable; both are in the figure's own unit. With ``log`` the figure (a time, a size)
    is compared by ratio. The idea of the two levels: Wierzbicki 1980, reference points.
    """

    name: str = Field(min_length=1)
    goal: Literal["min", "max"]
    aspiration: float = Field(allow_inf_nan=False)
    reservation: float = Field(allow_inf_nan=False)
    log: bool = False
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _levels_point_the_right_way(self) -> Self:
        better = self.aspiration < self.reservation
        if self.aspiration == self.reservation or better != (self.goal == "min"):
            raise ValueError(
                f"criterion {self.name!r} (goal {self.goal}): aspiration {self.aspiration:g} "
                f"must be better than reservation {self.reservation:g}"
            )
        if self.log and min(self.aspiration, self.reservation) <= 0:
            raise ValueError(f"criterion {self.name!r}: log needs levels above 0")
        return self


class Limit(Params):
    """A bound that a candidate's mean must hold (a value on the bound holds it)."""

    name: str = Field(min_length=1)
    min: float | None = Field(default=None, allow_inf_nan=False)
    max: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError(f"limit {self.name!r} needs min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"limit {self.name!r}: min {self.min:g} is above max {self.max:g}")
        return self


class SelectionParams(Params):
    """How one candidate is chosen among those that finished."""

    criteria: tuple[Criterion, ...] = Field(min_length=1)
    limits: tuple[Limit, ...] = ()
    num_draws: int = Field(default=500, ge=1)  # resamples for the front and for stability
    confidence: float = Field(default=0.6, gt=0, le=1)  # share of draws that makes one winner
    front_share: float = Field(default=0.05, ge=0, le=1)  # share of draws that makes a candidate

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for kind, names in (
            ("criterion", [c.name for c in self.criteria]),
            ("limit", [limit.name for limit in self.limits]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind} named twice: {', '.join(twice)}")
        return self


class TableParams(SelectionParams):
    """The same for a table of means: ``num_seeds`` is how many seeds a std comes from.

    1 where nothing says so, which takes the std itself for the error of the mean.
    """

    num_seeds: int = Field(default=1, ge=1)
