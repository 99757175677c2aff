"""Islands of foreign texture, and the two detectors that learn from them: DRAEM and DSR."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from components.data.images import write_png
from components.errors import DataError
from components.models.draem import Draem
from components.models.dsr import Dsr
from components.models.networks import dsr as network_of_dsr
from components.models.networks.islands import (
    disturbed,
    island_masks,
    lattice_noise,
    stretched,
    turned_noise,
)
from components.models.networks.textures import Textures, turned_cuts
from tests.components.models.in_memory import InMemory

SEEDS = st.integers(0, 10**6)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(4, 3, 64, 64, generator=rng())


# --- where --------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_noise_is_zero_at_the_nodes_of_its_lattice_and_bounded_between(seed: int) -> None:
    nodes = torch.stack(torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing="ij"), -1)
    assert torch.equal(lattice_noise(nodes, rng(seed)), torch.zeros(4, 6))
    noise = turned_noise(32, rng(seed))
    assert noise.abs().max() <= 1 + 1e-6
    assert noise.std() > 0.01


def test_noise_between_two_nodes_fades_from_one_gradient_to_the_other() -> None:
    # In the middle of a cell every corner weighs 1/4, and lies half a cell away in both ways.
    generator = rng(3)
    found = lattice_noise(torch.tensor([[[0.5, 0.5]]]), generator)
    angles = 2 * math.pi * torch.rand(2, 2, generator=rng(3))
    ways = torch.tensor([[[0.5, 0.5], [0.5, -0.5]], [[-0.5, 0.5], [-0.5, -0.5]]])
    gradients = torch.stack([angles.sin(), angles.cos()], dim=-1)
    assert float(found) == pytest.approx(
        math.sqrt(2) * float((gradients * ways).sum()) / 4, abs=1e-6
    )


def test_noise_that_would_leave_no_island_is_stretched() -> None:
    low = torch.tensor([[-0.2, 0.0, 0.3]])
    torch.testing.assert_close(stretched(low), torch.tensor([[-1.0, -0.2, 1.0]]))
    high = torch.tensor([[-0.2, 0.0, 0.6]])
    assert torch.equal(stretched(high), high)
    assert torch.equal(stretched(torch.zeros(1, 3)), torch.zeros(1, 3))


def test_half_of_the_images_get_islands() -> None:
    masks = island_masks(200, 32, rng())
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert 70 < int((masks.amax(dim=(1, 2, 3)) > 0).sum()) < 130
    assert torch.equal(masks, island_masks(200, 32, rng()))


# --- with what ----------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_only_islands_change_and_only_towards_the_texture(seed: int) -> None:
    pictures = torch.rand(3, 3, 32, 32, generator=rng(seed))
    changed, masks = disturbed(pictures, Textures(None), (0.1, 1.0), rng(seed))
    assert changed.min() >= 0
    assert changed.max() <= 1
    outside = (masks == 0).expand_as(pictures)
    assert torch.equal(changed[outside], pictures[outside])
    again, _ = disturbed(pictures, Textures(None), (0.1, 1.0), rng(seed))
    assert torch.equal(changed, again)


def test_a_cut_shows_nothing_that_its_image_does_not(images: Tensor) -> None:
    grey = torch.full((2, 3, 16, 16), 0.25)
    torch.testing.assert_close(turned_cuts(grey, rng()), grey)
    cuts = turned_cuts(images, rng())
    assert cuts.min() >= images.min()
    assert cuts.max() <= images.max()
    assert not torch.equal(cuts, images)


def test_a_folder_of_textures_takes_the_place_of_the_images(images: Tensor, tmp_path: Path) -> None:
    write_png(tmp_path / "banded" / "bands.png", np.tile(np.uint8([0, 255]), (40, 20)))
    textures = Textures(str(tmp_path))
    sources = textures._sources(images, rng())
    assert sources.shape == images.shape
    assert torch.equal(sources[0], sources[3])  # there is but one picture
    with pytest.raises(DataError, match=r"E318 .*\(texture_folder\) holds no images"):
        Textures(str(tmp_path / "banded" / "nothing"))


# --- DRAEM --------------------------------------------------------------------------------------


def shapes(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def test_draems_networks_are_anomalibs_at_the_papers_widths() -> None:
    from anomalib.models.image.draem.torch_model import DraemModel

    from components.models.networks.draem import _Model

    with torch.device("meta"):
        for sspcab in (False, True):
            assert shapes(_Model(Draem(sspcab=sspcab))) == shapes(DraemModel(sspcab=sspcab))


def narrow_draem(**changes: Any) -> Any:
    params = Draem(**({"repair_width": 4, "detection_width": 4, "num_epochs": 1} | changes))
    return params.build(None, 64, seed=0)


def test_draem_scores_the_highest_mean_over_squares(images: Tensor) -> None:
    network = narrow_draem(mean_filter_px=1)
    score, anomaly_map = network(images)
    torch.testing.assert_close(score, anomaly_map.amax(dim=(1, 2, 3)))
    network.params = network.params.replaced(mean_filter_px=3)
    spot = torch.zeros(1, 64, 64)
    spot[0, 10, 10:12] = 0.9

    class Spotted(torch.nn.Module):
        def forward(self, _: Tensor) -> Any:
            return type("Found", (), {"anomaly_map": spot})

    network.model = Spotted()
    assert float(network(images[:1])[0]) == pytest.approx(2 * 0.9 / 9)


def test_draem_learns_to_repair_and_to_see_what_was_changed(images: Tensor) -> None:
    network = narrow_draem(num_epochs=8, learning_rate=3e-3)
    changed, masks = disturbed(images, Textures(None), (0.5, 1.0), rng(1))
    assert masks.any()
    network.train()
    before = network.loss(images, changed, masks).item()
    network.fit(InMemory(images))
    network.train()
    assert network.loss(images, changed, masks).item() < 0.9 * before


def test_sspcabs_own_loss_counts_only_where_it_is_on(images: Tensor) -> None:
    masks = torch.zeros(4, 1, 64, 64)
    off = narrow_draem(sspcab_weight=0.0).train(), narrow_draem(sspcab_weight=9.0).train()
    losses = [network.loss(images, images, masks).item() for network in off]
    assert losses[0] == losses[1]
    on = [narrow_draem(sspcab=True, sspcab_weight=w).train() for w in (0.0, 9.0)]
    losses = [network.loss(images, images, masks).item() for network in on]
    assert losses[0] < losses[1]
    assert not on[0].model.reconstructive_subnetwork.encoder.block5._forward_hooks


def test_draems_params_say_what_is_wrong() -> None:
    with pytest.raises(ValidationError, match=r"opacity goes upwards within 0\.\.1, not 1 to 0.5"):
        Draem(opacity=(1.0, 0.5))
    with pytest.raises(ValidationError, match="mean_filter_px 20 is even"):
        Draem(mean_filter_px=20)


# --- DSR ----------------------------------------------------------------------------------------

NARROW = {"num_codes": 32, "code_width": 8, "detection_width": 4, "weights": "random"}


def narrow_dsr(**changes: Any) -> Any:
    torch.manual_seed(0)  # anomalib draws its codes from the global generator
    return Dsr(**(NARROW | {"num_epochs": 2} | changes)).build(None, 64, seed=0)


def test_dsrs_networks_are_anomalibs_at_the_pretrained_widths() -> None:
    from anomalib.models.image.dsr.torch_model import DsrModel

    with torch.device("meta"):
        assert shapes(network_of_dsr._Model(Dsr())) == shapes(DsrModel())


def test_codes_are_looked_up_as_anomalib_multiplies_them() -> None:
    from anomalib.models.image.dsr.torch_model import VectorQuantizer

    theirs, ours = VectorQuantizer(32, 8), network_of_dsr._Quantizer(32, 8)
    ours.load_state_dict(theirs.state_dict())
    features = torch.rand(2, 8, 5, 6, requires_grad=True)
    torch.testing.assert_close(ours(features), theirs(features))
    ours(features).sum().backward()
    torch.testing.assert_close(features.grad, torch.ones_like(features))


def test_the_focal_loss_is_that_of_the_true_class() -> None:
    probabilities = torch.tensor([0.8, 0.2]).view(1, 2, 1, 1)
    normal, defect = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    found = network_of_dsr.focal_loss(probabilities, normal)
    assert float(found) == pytest.approx(-(0.2**2) * math.log(0.8))
    found = network_of_dsr.focal_loss(probabilities, defect)
    assert float(found) == pytest.approx(-(0.8**2) * math.log(0.2))


@pytest.mark.parametrize(
    ("num_epochs", "ratio", "first"), [(700, 0.7, 490), (2, 0.7, 1), (2, 0.1, 1), (3, 0.9, 2)]
)
def test_both_parts_of_the_training_get_an_epoch(num_epochs: int, ratio: float, first: int) -> None:
    assert Dsr(num_epochs=num_epochs, upsampling_train_ratio=ratio).first_part == first


def test_pretrained_codes_are_loaded_and_never_trained(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = narrow_dsr().model.discrete_latent_model.state_dict()
    published = {name: torch.rand_like(value) for name, value in published.items()}
    monkeypatch.setattr(network_of_dsr, "read_state", lambda _store, _name: published)
    params = Dsr(**NARROW, num_epochs=2).model_copy(update={"weights": "pretrained"})
    network = params.build(object(), 64, seed=0)  # type: ignore[arg-type]
    network.fit(InMemory(images))
    kept = network.model.discrete_latent_model.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in published.items())


def test_each_part_of_the_training_changes_its_own_networks_alone(images: Tensor) -> None:
    network = narrow_dsr()
    network._draw_codes(images, rng())
    network.model.train()
    states = [{k: v.clone() for k, v in network.model.state_dict().items()}]
    network._train_detection(InMemory(images), rng())
    states.append({k: v.clone() for k, v in network.model.state_dict().items()})
    network._train_upsampling(InMemory(images), Textures(None), rng())
    states.append(dict(network.model.state_dict()))

    def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
        return {k.partition(".")[0] for k, v in after.items() if not torch.equal(before[k], v)}

    assert changed(states[0], states[1]) == {
        "image_reconstruction_network",
        "subspace_restriction_module_hi",
        "subspace_restriction_module_lo",
        "anomaly_detection_module",
    }
    assert changed(states[1], states[2]) == {"upsampling_module"}


def test_random_codes_are_features_of_the_images_so_that_many_are_used(images: Tensor) -> None:
    network = narrow_dsr()
    network._draw_codes(images, rng())
    latent = network.model.discrete_latent_model
    above = latent._pre_vq_conv_top(latent._encoder_t(latent._encoder_b(images)))
    used = latent._vq_vae_top(above).permute(0, 2, 3, 1).reshape(-1, 8).round(decimals=4)
    assert len(used.unique(dim=0)) > 16


def test_other_widths_have_no_pretrained_codes() -> None:
    with pytest.raises(ValidationError, match=r"4096 codes of width 128, not 32 of width 8"):
        Dsr(num_codes=32, code_width=8)
