"""What a study needs of a space, flat or conditional."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from components.search.grid import Grid, Values
from components.search.knobs import Asker
from components.search.space import SearchSpace
from components.search.tree import Tree
from components.train import TrainParams


class Configurations(Protocol):
    """All configurations of a space; iterating gives the values of each."""

    space: SearchSpace
    models: dict[str, TrainParams]

    def draw(self, asker: Asker, *, whole: bool = False) -> Values:
        """Draw the values of one configuration."""

    def build(self, values: Values) -> TrainParams:
        """Return the configuration that the values describe, or raise a ValidationError."""

    def describe(self, kind: str) -> Values:
        """Return the values closest to a model as it stands."""

    def __iter__(self) -> Iterator[Values]: ...


def configurations(space: SearchSpace, models: Mapping[str, TrainParams]) -> Configurations:
    """Return the configurations of a space for some models.

    Raises:
        ParamsError: E340 the space declares a kind of detector that is not among the models.
    """
    return Tree(space, models) if space.detectors else Grid(space, models)
