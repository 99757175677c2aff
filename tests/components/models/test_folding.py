"""Folding changes no feature, whatever the family of the backbone."""

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from components.models.backbones import BACKBONES, BackboneName, load_backbone
from components.models.networks.folding import fold_batch_norms, fold_same_paddings


def used(network: nn.Module) -> nn.Module:
    """A network whose batch norms have seen data: theirs are not the trivial statistics."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
    return network


@pytest.mark.parametrize("name", ["lite0", "resnet18"])
def test_features_stay_and_no_batch_norm_is_left(name: BackboneName) -> None:
    layers = tuple(BACKBONES[name].layers)[:3]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = used(load_backbone(None, name, "random", layers, trainable=True))
        images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = network(images)
        network.fold()
        after = network(images)
    assert not any(isinstance(m, nn.BatchNorm2d | Conv2dSame) for m in network.modules())
    for layer in layers:
        scale = float(before[layer].abs().max())
        torch.testing.assert_close(after[layer], before[layer], rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize(("side", "groups"), [(3, 1), (3, 8), (5, 8), (7, 1)])
@pytest.mark.parametrize("shape", [(32, 32), (2, 16), (64, 4)])
def test_a_kernel_with_zeros_before_its_own_sees_what_a_one_sided_padding_showed(
    side: int, groups: int, shape: tuple[int, int]
) -> None:
    network = nn.Sequential(Conv2dSame(8, 16, side, stride=2, groups=groups))
    images = torch.randn(2, 8, *shape)
    with torch.no_grad():
        before = network(images)
        fold_same_paddings(network)
        torch.testing.assert_close(network(images), before, rtol=0, atol=1e-5)
    assert type(network[0]) is nn.Conv2d


def test_same_paddings_of_other_strides_are_left_alone() -> None:
    network = nn.Sequential(Conv2dSame(3, 4, 3), Conv2dSame(4, 4, 2, stride=2))
    fold_same_paddings(network)
    assert all(isinstance(module, Conv2dSame) for module in network)


def test_bottlenecks_and_torchvisions_rows_fold_too() -> None:
    from timm.models.resnet import Bottleneck
    from torchvision.ops import Conv2dNormActivation

    network = used(nn.Sequential(Bottleneck(64, 16), Conv2dNormActivation(64, 8))).eval()
    images = torch.rand(1, 64, 8, 8)
    with torch.no_grad():
        before = network(images)
        fold_batch_norms(network)
        torch.testing.assert_close(network(images), before, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())


def test_a_batch_norm_after_something_else_than_a_convolution_is_left_alone() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)).eval()
    fold_batch_norms(network)
    assert isinstance(network[2], nn.BatchNorm2d)
