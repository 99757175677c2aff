"""What a detector's class says of itself, and which params that admits."""

from typing import ClassVar, Literal

import pytest
from pydantic import ValidationError

from components.models import KINDS
from components.models.backbones import BACKBONES, default_layers
from components.models.detector import DetectorFacts, DetectorParams
from components.models.padim import Padim
from components.models.patchcore import Patchcore
from components.models.stfpm import Stfpm
from components.search import SearchSpace
from components.train import TrainParams

FACTS = DetectorFacts(
    summary="a toy",
    paper="none",
    backbones=("none", "wide_resnet50_2", "pdn_small"),
    training="epochs",
    fit_time="hours",
    gpu_gb=8,
    strides=(4, 8, 16),
    layers={"wide_resnet50_2": ("layer4",)},
    not_exportable="it never ends",
)


class Toy(DetectorParams):
    facts: ClassVar[DetectorFacts] = FACTS
    kind: Literal["toy"] = "toy"


def test_no_layers_given_are_the_backbones_at_the_detectors_strides() -> None:
    assert Padim().layers == ("blocks.2", "blocks.4")
    assert Padim(backbone="wide_resnet50_2", layers=None).layers == ("layer2", "layer3")
    assert Stfpm(backbone="vgg19").layers == ("relu3_4", "relu4_4", "relu5_4")
    assert Toy(backbone="wide_resnet50_2").layers == ("layer4",)


def test_layers_are_concrete_in_what_is_fingerprinted() -> None:
    assert Padim().model_dump()["layers"] == ("blocks.2", "blocks.4")
    explicit = Padim(layers=("blocks.2", "blocks.4"))
    assert Padim().fingerprint() == explicit.fingerprint()


@pytest.mark.parametrize(
    ("backbone", "layers", "message"),
    [
        ("lite0", ("blocks.3",), r"lite0 has no layers blocks.3 .*blocks.0, blocks.1"),
        ("lite0", ("blocks.4", "blocks.2"), "fine to coarse"),
        ("lite0", ("blocks.2", "blocks.2"), "each once"),
        ("lite0", (), r"no layers given for lite0 \(valid: blocks.0"),
        ("resnet18", ("blocks.2",), r"resnet18 .*valid: layer1, layer2, layer3, layer4"),
        ("vgg16", ("layer1",), "relu3_3"),
    ],
)
def test_layers_that_a_backbone_lacks_cannot_be_built(
    backbone: str, layers: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        Stfpm.model_validate({"backbone": backbone, "layers": layers})


def test_a_detector_refuses_backbones_that_it_cannot_use() -> None:
    with pytest.raises(ValidationError, match=r"Padim cannot use backbone dsr_vq \(valid: lite0"):
        Padim(backbone="dsr_vq")


def test_a_detector_without_backbone_layers_has_none() -> None:
    assert Toy(backbone="none").layers == ()
    assert Toy(backbone="pdn_small").layers == ()
    with pytest.raises(ValidationError, match="valid: none"):
        Toy(backbone="none", layers=("blocks.2",))


def test_a_detector_that_states_no_facts_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="Silent states no facts"):

        class Silent(DetectorParams):
            pass


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_facts_agree_with_the_class(kind: type[DetectorParams]) -> None:
    facts = kind.facts
    assert (facts.training == "epochs") == ("num_epochs" in kind.model_fields)
    assert kind().backbone in facts.backbones
    assert set(facts.layers) <= set(facts.backbones)
    for backbone in facts.backbones:
        layers = kind(backbone=backbone).layers
        assert set(layers) <= set(BACKBONES[backbone].layers)


def test_the_deepest_layer_stands_for_its_stride() -> None:
    assert default_layers("vgg16", (4, 8)) == ("relu3_3", "relu4_3")  # not pool2, pool3
    assert default_layers("vit_base", (8, 16)) == ("blocks.2", "blocks.5", "blocks.8", "blocks.11")


def test_a_transformer_looks_at_its_own_size_alone() -> None:
    detector = Patchcore(backbone="vit_base")
    assert TrainParams(detector=detector, image_size_px=224).name.startswith("patchcore/vit_base")
    with pytest.raises(ValidationError, match="vit_base looks at images of 224 px only"):
        TrainParams(detector=detector, image_size_px=256)


def test_names_keep_their_short_form_for_lite_and_say_layers_of_others() -> None:
    assert "·b2+4·" in TrainParams(detector=Padim()).name
    assert "·layer2+layer3·" in TrainParams(detector=Padim(backbone="resnet18")).name


def test_a_space_names_layers_that_all_its_backbones_have() -> None:
    with pytest.raises(ValidationError, match=r"resnet18 has no layers blocks\.2"):
        SearchSpace(backbone=("lite0", "resnet18"), image_size_px=(256,), layers=(("blocks.2",),))
