"""CutPaste: the closed form of its map, its Gaussian, and what it trains when."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F  # noqa: N812

from components.errors import DataError, PipelineError
from components.models.backbones import WeightStore
from components.models.cutpaste import CutPaste
from tests.components.models.in_memory import InMemory
from tests.factories import SIZE_PX, part_image

STORE = WeightStore()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def network(**changes: Any) -> Any:
    return CutPaste(**({"num_epochs": 1} | changes)).build(STORE, 64, seed=0)


@pytest.fixture(scope="module")
def fitted(images: torch.Tensor) -> Any:
    net = network()
    net.fit(InMemory(images))
    return net


# --- score and map ------------------------------------------------------------------------------


def test_the_map_is_what_grad_cam_finds_by_a_backward_pass(
    fitted: Any, images: torch.Tensor
) -> None:
    with torch.enable_grad():
        features = fitted.features(images)
        features.retain_grad()
        centred = features.mean(dim=(2, 3)) - fitted.mean
        score = ((centred @ fitted.whiten.T) ** 2).sum(dim=1) / 2
        torch.autograd.backward(score.sum())
    assert features.grad is not None
    weights = features.grad.mean(dim=(2, 3), keepdim=True)  # one for each channel
    cam = F.relu((weights * features).sum(dim=1, keepdim=True))
    expected = F.interpolate(cam, size=(64, 64), mode="bilinear", align_corners=False)
    found_score, found_map = fitted(images)
    torch.testing.assert_close(found_score, score)
    torch.testing.assert_close(
        found_map, expected, rtol=1e-3, atol=1e-5 * float(expected.detach().max())
    )


def test_normal_images_lie_half_their_shrunk_dimensions_away_on_average(
    fitted: Any, images: torch.Tensor
) -> None:
    pooled = fitted.features(images).mean(dim=(2, 3)).detach().double()
    centred = pooled - pooled.mean(dim=0)
    precision = (fitted.whiten.T @ fitted.whiten).double()
    expected = torch.einsum("nd,de,ne->n", centred, precision, centred) / 2
    torch.testing.assert_close(fitted(images)[0].double(), expected, rtol=1e-3, atol=1e-3)
    assert 0 < float(expected.mean()) < 320 / 2


# --- training -----------------------------------------------------------------------------------


def weights_of(net: Any) -> torch.Tensor:
    return torch.cat(
        [value.detach().flatten().float() for value in net.encoder.state_dict().values()]
    )


def test_the_backbone_waits_as_many_updates_as_it_is_told(images: torch.Tensor) -> None:
    for waits, moves in ((6, False), (5, True)):  # six images in threes, three epochs
        net = network(num_epochs=3, frozen_updates=waits)
        before = weights_of(net)
        head = net.head[0].weight.detach().clone()
        net.fit(InMemory(images, size=3))
        assert torch.equal(weights_of(net), before) is not moves
        assert not torch.equal(net.head[0].weight, head)
        assert not net.training


def test_a_classifier_that_knows_nothing_loses_the_logarithm_of_three(images: torch.Tensor) -> None:
    net = network()
    torch.nn.init.zeros_(net.head[-1].weight)
    torch.nn.init.zeros_(net.head[-1].bias)
    loss = net.loss(images, torch.Generator().manual_seed(0))
    assert float(loss.detach()) == pytest.approx(math.log(3))


def test_training_tells_the_three_ways_apart() -> None:
    parts = np.stack([part_image(seed) for seed in range(6)]) / np.float32(255)
    images = torch.from_numpy(parts).unsqueeze(1).expand(-1, 3, -1, -1)
    net: Any = CutPaste(num_epochs=15, frozen_updates=15).build(STORE, SIZE_PX, seed=0)
    net.fit(InMemory(images, size=6))
    with torch.no_grad():
        loss = net.loss(images, torch.Generator().manual_seed(7))
    assert float(loss) < 0.8 * math.log(3)


# --- what is refused ----------------------------------------------------------------------------


def test_a_gaussian_needs_images_that_differ(images: torch.Tensor) -> None:
    with pytest.raises(DataError, match="E321"):
        network().fit(InMemory(images[:1]))
    with pytest.raises(DataError, match=r"E322 .*look the same"):
        network().fit(InMemory(images[:1].expand(6, -1, -1, -1)))


def test_a_training_that_runs_away_names_the_learning_rate(images: torch.Tensor) -> None:
    with pytest.raises(PipelineError, match=r"E323 .*learning_rate \(now 1e\+30\)"):
        network(learning_rate=1e30, frozen_updates=0, num_epochs=2).fit(InMemory(images, size=3))


def test_it_pools_one_layer_of_stride_32() -> None:
    assert CutPaste(backbone="resnet18").layers == ("layer4",)
    with pytest.raises(ValidationError, match="cutpaste pools one layer, not 2"):
        CutPaste(layers=("blocks.4", "blocks.6"))
    with pytest.raises(ValidationError, match="cannot use backbone alexnet"):
        CutPaste(backbone="alexnet")
    with pytest.raises(ValidationError, match=r"not 0 to 0\.1"):
        CutPaste(patch_area=(0.0, 0.1))
