"""MMR: what its transformer sees and gives, its crops, its learning rate, its weights."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from components.errors import WeightsError
from components.models.backbones import BACKBONES, WeightStore, weights_digest
from components.models.mmr import Mmr
from components.models.networks.masked_transformer import draw_seen, places_of
from components.models.networks.mmr import random_crops
from tests.components.models.in_memory import InMemory

STORE = WeightStore()
SMALL: dict[str, Any] = {"vit_depth": 2, "vit_width": 32, "vit_heads": 2}


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def network(**changes: Any) -> Any:
    return Mmr(**(SMALL | changes)).build(STORE, 64, seed=0)


# --- the masked transformer ---------------------------------------------------------------------


def test_places_code_the_column_first_then_the_row() -> None:
    places = places_of(side=2, dim=4)  # one wave: sin and cos of 0 or 1
    sin, cos = math.sin(1), math.cos(1)
    expected = [[0, 1, 0, 1], [sin, cos, 0, 1], [0, 1, sin, cos], [sin, cos, sin, cos]]
    torch.testing.assert_close(places, torch.tensor(expected))


def test_waves_grow_from_two_pi_towards_ten_thousand_times_that() -> None:
    place = places_of(side=2, dim=8)[1]  # column 1, row 0; frequencies 1 and 10000^-½ = 0.01
    expected = [math.sin(1), math.sin(0.01), math.cos(1), math.cos(0.01)]
    torch.testing.assert_close(place[:4], torch.tensor(expected))


def test_what_is_masked_has_no_influence_and_what_is_seen_has(images: torch.Tensor) -> None:
    student = network().student
    seen = torch.tensor([[0, 3, 5, 10]]).expand(4, -1)  # of 16 tokens of 16 px
    hidden, shown = images.clone(), images.clone()
    hidden[:, :, 0:16, 16:32] = 0  # token 1
    shown[:, :, 0:16, 48:64] = 0  # token 3
    with torch.no_grad():
        given, without, changed = (student(x, seen) for x in (images, hidden, shown))
    for one, other in zip(given, without):
        torch.testing.assert_close(one, other)
    assert not torch.allclose(given[0], changed[0])


def test_tokens_that_were_not_seen_are_all_the_learned_one(images: torch.Tensor) -> None:
    student = network().student
    tokens = student.tokens(images, torch.tensor([[2, 7]]).expand(4, -1))
    unseen = [i for i in range(16) if i not in (2, 7)]
    torch.testing.assert_close(tokens[:, unseen], student.mask_token.expand(4, 14, 32))
    assert not torch.allclose(tokens[:, 2], student.mask_token[0])


def test_seeing_every_token_in_any_order_is_seeing_the_image(images: torch.Tensor) -> None:
    student = network().student
    everything = draw_seen(4, 16, 0.0, torch.Generator().manual_seed(1))
    with torch.no_grad():
        for one, other in zip(student(images, everything), student(images)):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_share_that_is_seen_is_rounded_down_but_never_to_nothing() -> None:
    rng = torch.Generator().manual_seed(0)
    seen = draw_seen(3, 196, 0.4, rng)  # 196 · 0.6 = 117.6
    assert seen.shape == (3, 117)
    assert all(len(set(row)) == 117 for row in seen.tolist())
    assert draw_seen(1, 4, 0.99, rng).shape == (1, 1)


def test_the_pyramid_gives_the_teachers_channels_and_sizes(images: torch.Tensor) -> None:
    net = network(backbone="resnet18", weights="random")
    assert [tuple(one.shape[1:]) for one in net.student(images)] == [
        (64, 16, 16), (128, 8, 8), (256, 4, 4),
    ]  # fmt: skip
    assert [d.shape[-1] for d in net.distances(images)] == [16, 8, 4]


# --- training -----------------------------------------------------------------------------------


def test_the_learning_rate_rises_in_equal_steps_and_drops_twice() -> None:
    params = Mmr()
    rates = [params.rate_at(epoch) for epoch in (0, 24, 49, 119, 120, 160, 199)]
    assert rates == pytest.approx([0.02, 0.5, 1, 1, 0.1, 0.01, 0.01])
    assert Mmr(warmup_epochs=0).rate_at(0) == 1


def test_training_brings_the_transformer_nearer_to_the_cnn(images: torch.Tensor) -> None:
    net = network(num_epochs=8, warmup_epochs=0, learning_rate=3e-3)
    before = float(net.loss(images, None).detach())
    teacher = [value.clone() for value in net.teacher.state_dict().values()]
    net.fit(InMemory(images))
    assert float(net.loss(images, None).detach()) < 0.7 * before
    assert all(map(torch.equal, teacher, net.teacher.state_dict().values()))


def test_crops_keep_the_size_and_show_the_share_that_was_asked_for() -> None:
    ramp = torch.arange(64.0).div(63).expand(8, 1, 64, 64)
    both = torch.cat([ramp, ramp.transpose(2, 3)], dim=1)
    crops = random_crops(both, (0.7, 1.0), torch.Generator().manual_seed(0))
    assert crops.shape == both.shape
    for width, height in crops.flatten(2).amax(dim=2) - crops.flatten(2).amin(dim=2):
        assert math.sqrt(0.7 * 3 / 4) - 0.03 < width <= 1
        assert 0.62 < width * height <= 1.0  # clipped at the image's rim
    assert len({round(float(crop.mean()), 3) for crop in crops}) > 4


# --- weights ------------------------------------------------------------------------------------


def test_with_wrn50_mae_both_networks_are_loaded_and_both_are_part_of_the_digest() -> None:
    params = Mmr(backbone="wrn50_mae")
    assert (params.teacher, params.transformer) == ("wide_resnet50_2", "vit_base")
    assert params.teacher_layers == ("layer1", "layer2", "layer3")
    with pytest.raises(WeightsError, match="E131"):
        STORE.locate_all("wrn50_mae")
    parts = {weights_digest(name, "pretrained") for name in BACKBONES["wrn50_mae"].parts}
    assert weights_digest("wrn50_mae", "pretrained") not in parts


def test_a_masked_autoencoders_transformer_is_the_one_that_is_trained() -> None:
    net: Any = Mmr(backbone="wrn50_mae", weights="random").build(STORE, 64, seed=0)
    assert len(net.student.blocks) == 12
    assert net.student.mask_token.shape == (1, 1, 768)
    given = [stage[-2].out_channels for stage in net.student.pyramid]
    assert given == [256, 512, 1024]


def test_params_that_cannot_be_built_are_refused_at_once() -> None:
    with pytest.raises(ValidationError, match=r"depth, width and heads \(12, 768, 12\)"):
        Mmr(backbone="wrn50_mae", vit_depth=2)
    with pytest.raises(ValidationError, match="5 vit_heads do not divide vit_width 32"):
        Mmr(vit_width=32, vit_heads=5)
    with pytest.raises(ValidationError, match=r"strides \(4, 8, 16\), not \(8, 16\)"):
        Mmr(layers=("blocks.2", "blocks.4"))
    with pytest.raises(ValidationError, match=r"crop_scale goes upwards within 0\.\.1"):
        Mmr(crop_scale=(0.7, 1.2))
