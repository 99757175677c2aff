"""CFA against anomalib's own computation, its memory, and what it refuses."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import ParamsError
from components.models.backbones import WeightStore
from components.models.cfa import Cfa
from components.models.networks import cfa as network_of_cfa
from components.models.networks.features import rows
from tests.components.models.in_memory import InMemory

STORE = WeightStore()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def network(images: torch.Tensor, **changes: Any) -> Any:
    """One whose centres stand, and which has not learnt."""
    built = Cfa(**changes).build(STORE, 64, seed=0)
    with torch.no_grad():
        built.centres.copy_(built._centres(InMemory(images)))
    return built


def distances(net: Any, patches_BPC: torch.Tensor) -> torch.Tensor:
    from anomalib.models.image.cfa.torch_model import CfaModel

    theirs: torch.Tensor = CfaModel.compute_distance(
        SimpleNamespace(memory_bank=net.centres.T), patches_BPC
    )
    return theirs


def test_maps_and_scores_are_anomalibs(images: torch.Tensor) -> None:
    from anomalib.models.image.cfa.anomaly_map import AnomalyMapGenerator
    from anomalib.models.image.cfa.torch_model import Descriptor

    net = network(images[:2], backbone="resnet18", weights="random")
    theirs = Descriptor(1, "resnet18")
    theirs.layer.conv2d.load_state_dict(net.descriptor.adapt.state_dict())
    with torch.no_grad():
        adapted = theirs(net._maps(images))
        torch.testing.assert_close(net.descriptor(net._maps(images)), adapted)
        expected = AnomalyMapGenerator(3)(
            distance=distances(net, adapted), scale=(16, 16), image_size=(64, 64)
        )
    score, anomaly_map = net(images)
    torch.testing.assert_close(anomaly_map, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(score, expected.amax(dim=(1, 2, 3)), rtol=1e-3, atol=1e-4)


def test_the_loss_and_its_gradient_are_those_of_all_distances(images: torch.Tensor) -> None:
    from anomalib.models.image.cfa.loss import CfaLoss

    net = network(images, radius=2.0)  # so that hard negatives count
    maps = net._maps(images)
    loss = net.loss(maps)
    loss.backward()
    found = net.descriptor.adapt.weight.grad.clone()
    net.zero_grad()
    patches = net.descriptor(maps).flatten(2).transpose(1, 2)
    expected = CfaLoss(3, 3, 2.0)(distances(net, patches))
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found, net.descriptor.adapt.weight.grad, rtol=1e-2, atol=1e-2)


@settings(max_examples=25, deadline=None)
@given(num=st.integers(6, 40), wanted=st.integers(1, 6), block=st.integers(1, 50))
def test_the_nearest_are_found_block_by_block(num: int, wanted: int, block: int) -> None:
    rng = torch.Generator().manual_seed(num)
    patches, centres = torch.rand(9, 5, generator=rng), torch.rand(num, 5, generator=rng)
    before = network_of_cfa._BLOCK
    network_of_cfa._BLOCK = block
    try:
        squared, which = network_of_cfa.CfaNetwork.nearest(
            SimpleNamespace(centres=centres), patches, wanted
        )
    finally:
        network_of_cfa._BLOCK = before
    expected = torch.cdist(patches, centres).square().topk(wanted, largest=False)
    torch.testing.assert_close(squared, expected.values, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(
        (patches[:, None] - centres[which]).square().sum(2), expected.values, rtol=1e-3, atol=1e-5
    )


def test_each_image_weighs_alike_in_the_centres_whatever_the_batches(images: torch.Tensor) -> None:
    net = network(images)
    uneven = net._centres(InMemory(images, size=3))
    torch.testing.assert_close(uneven, net.centres)
    with torch.no_grad():
        whole = net.descriptor(net._maps(images)).mean(dim=0, keepdim=True)
    torch.testing.assert_close(uneven, rows(whole))


def test_fewer_centres_and_features_are_kept_on_demand(images: torch.Tensor) -> None:
    torch.manual_seed(0)
    net = network(images, gamma_c=4, gamma_d=2)
    assert net.centres.shape == (64, 88)  # 16² places, 24 + 40 + 112 channels
    assert net(images)[1].shape == (4, 1, 64, 64)


def test_learning_draws_normal_patches_to_the_centres_and_leaves_the_backbone_alone(
    images: torch.Tensor,
) -> None:
    net = network(images, num_epochs=5)
    frozen = {k: v.clone() for k, v in net.encoder.state_dict().items()}
    before = net.loss(net._maps(images)).item()
    net.fit(InMemory(images))
    assert net.loss(net._maps(images)).item() < 0.9 * before
    assert all(torch.equal(frozen[k], v) for k, v in net.encoder.state_dict().items())


def test_a_memory_smaller_than_its_neighbourhoods_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"E317 .*gamma_c 64 has 4 centres at 64 px and needs 6"):
        Cfa(gamma_c=64).build(STORE, 64, seed=0)
