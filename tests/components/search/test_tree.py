"""The conditional space: only what exists together is ever asked, and every level is valid."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from components.errors import ParamsError
from components.models.backbones import BACKBONES
from components.search import SearchSpace, Tree, configurations
from components.search.knobs import LogRange, Range
from components.train import TrainParams

MODELS = {
    "patchcore": TrainParams(detector={"kind": "patchcore"}, image_size_px=256),
    "padim": TrainParams(detector={"kind": "padim", "backbone": "resnet18"}, image_size_px=256),
    "stfpm": TrainParams(detector={"kind": "stfpm"}, image_size_px=128),
}
DECLARED: dict[str, Any] = {
    "backbone": ["lite0", "resnet18"],
    "image_size_px": [256],
    "input_noise": {"low": 0.0, "high": 0.01},
    "coreset_ratio": [0.01, 0.02],
    "layers": [["blocks.1", "blocks.2"], ["layer2"]],
    "detectors": {
        "patchcore": {"knobs": {"top_k": {"low": 1, "high": 9, "step": 4}}},
        "padim": {
            "backbone": ["resnet18"],
            "layers": {"resnet18": [["layer1", "layer2"]]},
            "knobs": {"n_features": [50, 100]},
            "input_noise": {"low": 0.1, "high": 0.2},
        },
        "stfpm": {
            "backbone": ["lite0"],
            "knobs": {"learning_rate": {"low": 0.04, "high": 0.4, "num": 3, "log": True}},
        },
    },
}


def space(**changes: Any) -> SearchSpace:
    return SearchSpace.model_validate(DECLARED | changes)


class Drawer:
    """An asker that answers at random and remembers what it was asked."""

    def __init__(self, seed: int) -> None:
        self.rng, self.asked = random.Random(seed), set[str]()

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        self.asked.add(name)
        return self.rng.choice(list(choices))

    def suggest_float(self, name: str, low: float, high: float, *, step=None, log=False) -> float:
        self.asked.add(name)
        if step is None:
            return self.rng.uniform(low, high)
        return low + step * self.rng.randint(0, round((high - low) / step))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        self.asked.add(name)
        return self.rng.randrange(low, high + 1, step)


def test_a_detector_is_asked_for_its_own_parameters_alone() -> None:
    tree = Tree(space(), MODELS)
    for seed in range(12):
        drawer = Drawer(seed)
        values = tree.draw(drawer)
        others = set(MODELS) - {values["detector"]}
        assert not [n for n in drawer.asked if any(f" {o}" in n or f"{o}." in n for o in others)]


def test_a_genetic_sampler_is_asked_for_every_gene() -> None:
    drawer = Drawer(0)
    Tree(space(), MODELS).draw(drawer, whole=True)
    assert {"patchcore.top_k", "padim.n_features", "stfpm.learning_rate"} <= drawer.asked


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), whole=st.booleans())
def test_whatever_is_drawn_is_a_configuration_of_the_space(seed: int, whole: bool) -> None:
    built = Tree(space(), MODELS).build(Tree(space(), MODELS).draw(Drawer(seed), whole=whole))
    detector = built.detector
    assert set(detector.layers) <= set(BACKBONES[detector.backbone].layers)
    if detector.kind == "padim":
        assert detector.backbone == "resnet18"
        assert detector.layers in {("layer1", "layer2"), ("layer2", "layer3")}
        assert detector.n_features in {50, 100}
        assert 0.1 <= built.input_noise <= 0.2
    if detector.kind == "patchcore":
        assert detector.top_k in {1, 5, 9}
        assert detector.coreset_ratio in {0.01, 0.02}
        assert built.input_noise <= 0.01
        expected = {"lite0": {("blocks.1", "blocks.2"), MODELS["patchcore"].detector.layers}}
        assert detector.layers in expected.get(detector.backbone, {("layer2",)})


def test_the_whole_space_can_be_listed_and_counted() -> None:
    # shared noise: 3 levels for all. patchcore: lite0 with 2 layer sets, resnet18 with 1, so 3;
    # 3 top_k, 2 ratios: 54. padim: 2 layer sets, 2 widths, own 21 noise levels, times the 3 shared
    # ones that it ignores: 252. stfpm: lite0 with 2 layer sets, sizes 256 and its own 128,
    # 3 rates: 36.
    kinds = [values["detector"] for values in Tree(space(), MODELS)]
    assert [kinds.count(kind) for kind in MODELS] == [54, 252, 36]


def test_the_values_that_describe_a_default_build_it_again() -> None:
    tree = Tree(space(), MODELS)
    for name in ("patchcore", "stfpm"):
        described = tree.build(tree.describe(name))
        assert described.detector.backbone == MODELS[name].detector.backbone
        assert described.detector.layers == MODELS[name].detector.layers
        assert described.image_size_px == MODELS[name].image_size_px
    assert tree.build(tree.describe("stfpm")).detector.learning_rate == 0.4


def test_a_flat_space_stays_a_grid() -> None:
    flat = {k: v for k, v in DECLARED.items() if k != "detectors"} | {
        "backbone": ["lite0"],
        "layers": [["blocks.2"]],
    }
    assert not isinstance(configurations(SearchSpace.model_validate(flat), MODELS), Tree)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patchcoer": {}}, r"detectors\.patchcoer: no such kind"),
        ({"patchcore": {"knobs": {"depth": [1]}}}, r"knobs\.depth: unknown \(valid: coreset_ratio"),
        (
            {"patchcore": {"knobs": {"top_k": [0]}}},
            r"knobs\.top_k: 0: .*greater than or equal to 1",
        ),
        ({"patchcore": {"knobs": {"top_k": [1.5]}}}, r"knobs\.top_k: 1\.5: .*integer"),
        ({"patchcore": {"knobs": {"top_k": []}}}, r"knobs\.top_k: no value given"),
        ({"stfpm": {"backbone": ["deit_base"]}}, r"stfpm: cannot use backbone deit_base"),
        ({"padim": {"layers": {"resnet18": [["blocks.2"]]}}}, r"resnet18 has no layers blocks\.2"),
    ],
)
def test_a_declaration_that_does_not_fit_its_detector_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        space(detectors=changes)


def test_every_complaint_comes_at_once() -> None:
    with pytest.raises(ValidationError, match=r"(?s)depth.*width"):
        space(detectors={"patchcore": {"knobs": {"depth": [1], "width": [2]}}})


def test_a_kind_that_no_model_is_of_is_an_error() -> None:
    with pytest.raises(ParamsError, match=r"E340 search\.detectors names padim, stfpm"):
        Tree(space(), {"patchcore": MODELS["patchcore"]})


def test_augmentation_grows_with_its_strength_and_zero_is_none() -> None:
    declared = space(augment={"kinds": ["rotate"], "strength": {"low": 0, "high": 1, "step": 0.5}})
    tree = Tree(declared, MODELS)
    values = {**tree.describe("patchcore"), "augment_strength": 0.5}
    half = tree.build(values)
    assert half.augment[0].degrees == (-7.5, 7.5)
    assert half.augment_copies == 1
    whole = tree.build({**values, "augment_strength": 1})
    assert half.name == f"{whole.name} at 0.5"  # no two candidates share a name
    none = tree.build({**values, "augment_strength": 0})
    assert (none.augment, none.augment_copies) == ((), 0)


@given(
    low=st.floats(1e-6, 1e-2), ratio=st.floats(1.5, 1e4), num=st.integers(2, 9),
)  # fmt: skip
def test_a_logarithmic_range_rises_and_keeps_its_ends(low: float, ratio: float, num: int) -> None:
    levels = LogRange(low=low, high=low * ratio, num=num, log=True).levels
    assert (levels[0], levels[-1], len(levels)) == (low, low * ratio, num)


def test_levels_of_equal_ratio_by_hand() -> None:
    known = LogRange(low=0.001, high=0.1, num=3, log=True)
    assert known.levels == (0.001, 0.01, 0.1)
    assert known.nearest(0.02) == 0.01
    assert known.nearest(0.04) == 0.1  # 0.04 / 0.01 = 4 is further than 0.1 / 0.04 = 2.5


def test_whole_numbers_stay_whole() -> None:
    assert Range(low=2, high=9, step=3).levels == (2, 5, 8)
    assert all(isinstance(level, int) for level in Range(low=2, high=9, step=3).levels)
    assert Range(low=0.0, high=0.3, step=0.1).levels == (0.0, 0.1, 0.2, 0.3)
