"""U-Flow: its loss beside anomalib's, its map by hand, and the two transformers."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import WeightStore
from components.models.uflow import Uflow
from tests.components.models.in_memory import InMemory

STORE = WeightStore()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_the_loss_of_one_image_is_anomalibs(images: Tensor) -> None:
    from anomalib.models.image.uflow.loss import UFlowLoss

    network = Uflow(flow_steps=2).build(STORE, 64, seed=0)
    latents, log_volume = network.learnt(network.features(images[:1]))
    torch.testing.assert_close(network.loss(images[:1]), UFlowLoss()(latents, log_volume))


def test_the_loss_of_a_batch_is_the_mean_over_its_images(images: Tensor) -> None:
    network = Uflow(flow_steps=2).build(STORE, 64, seed=0)
    alone = torch.stack([network.loss(image) for image in images.split(1)])
    torch.testing.assert_close(network.loss(images), alone.mean())


def test_the_flow_keeps_every_number_of_the_features(images: Tensor) -> None:
    network = Uflow(flow_steps=1).build(STORE, 64, seed=0)
    features = network.features(images)
    latents, log_volume = network.learnt(features)
    num_in = sum(feature[0].numel() for feature in features)
    assert sum(latent[0].numel() for latent in latents) == num_in
    assert [latent.shape[-1] for latent in latents] == [16, 8, 4]
    assert log_volume.shape == (4,)


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.0), (1.0, 1 - math.exp(-0.5))])
def test_the_map_is_one_minus_the_mean_probability(
    images: Tensor, value: float, expected: float
) -> None:
    class Constant(nn.Module):
        def forward(self, features: list[Tensor]) -> tuple[list[Tensor], Tensor]:
            return [torch.full_like(feature, value) for feature in features], features[0].sum()

    network = Uflow(flow_steps=1).build(STORE, 64, seed=0)
    network.learnt = Constant()
    score, anomaly_map = network(images)
    torch.testing.assert_close(anomaly_map, torch.full((4, 1, 64, 64), expected))
    torch.testing.assert_close(score, torch.full((4,), expected))


def test_learning_makes_the_training_images_likelier(images: Tensor) -> None:
    network = Uflow(flow_steps=1, num_epochs=5).build(STORE, 64, seed=0)
    before = network.loss(images).item()
    network.fit(InMemory(images))
    assert network.loss(images).item() < before


def test_scales_that_do_not_halve_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"twice the stride.*strides \[4, 16\]"):
        Uflow(layers=("blocks.1", "blocks.4"))
    assert Uflow(layers=("blocks.4",)).build(STORE, 64, seed=0)(torch.rand(1, 3, 64, 64))


class Seen(nn.Module):
    """Stands for a transformer: gives a map of the right shape and keeps what it looked at."""

    def __init__(self, layer: str, channels: int) -> None:
        super().__init__()
        self.layer, self.channels = layer, channels
        self.looked_at = torch.empty(0)

    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        self.looked_at = images_B3HW
        pooled = F.avg_pool2d(images_B3HW.mean(dim=1, keepdim=True), 16)
        return {self.layer: pooled.expand(-1, self.channels, -1, -1)}


def test_mcait_looks_at_the_image_and_at_half_of_its_size() -> None:
    network = Uflow(backbone="mcait", flow_steps=1).build(None, 448, seed=0)
    large, small = Seen("blocks.40", 768), Seen("blocks.20", 384)
    network.encoder.networks = nn.ModuleList([large, small])
    image = torch.rand(1, 3, 448, 448)
    _, anomaly_map = network(image)
    assert anomaly_map.shape == (1, 1, 448, 448)
    assert large.looked_at.shape[-1] == 448
    halved = F.interpolate(network.normalise(image), (224, 224), mode="bicubic", align_corners=True)
    torch.testing.assert_close(small.looked_at, halved)
