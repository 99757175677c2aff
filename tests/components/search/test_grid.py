"""The flat space: each model as it stands is one of its configurations."""

import pytest

from components.search import Grid, SearchSpace
from components.train import TrainParams

SPACE = SearchSpace(backbone=("lite0",), image_size_px=(64,), layers=(("blocks.2",),))


@pytest.mark.parametrize("kind", ["padim", "ganomaly", "draem"])
def test_the_values_that_describe_a_default_build_it_again_with_layers_or_without(
    kind: str,
) -> None:
    model = TrainParams(detector={"kind": kind}, image_size_px=64)
    grid = Grid(SPACE, {kind: model, "other": TrainParams(detector={"kind": "patchcore"})})
    assert grid.build(grid.describe(kind)) == model
