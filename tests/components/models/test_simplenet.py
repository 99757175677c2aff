"""SimpleNet: its patch features, its loss worked by hand, and the epoch that it keeps."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from components.errors import DataError
from components.models.backbones import WeightStore
from components.models.networks.patch_features import AdaptiveMean, PatchFeatures
from components.models.networks.simplenet import auroc
from components.models.simplenet import SimpleNet
from tests.components.models.in_memory import InMemory

STORE = WeightStore()
SMALL: dict[str, Any] = {"feature_dim": 48, "hidden_dim": 16}


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def network(**changes: Any) -> Any:
    torch.manual_seed(0)
    return SimpleNet(**(SMALL | changes)).build(STORE, 64, seed=0)


# --- patch features -----------------------------------------------------------------------------


@pytest.mark.parametrize(("num_in", "num_out"), [(12, 4), (7, 3), (5, 8), (360, 1536), (3, 3)])
def test_means_over_channels_are_torchs_adaptive_pooling(num_in: int, num_out: int) -> None:
    rows = torch.rand(5, num_in)
    expected = F.adaptive_avg_pool1d(rows.unsqueeze(1), num_out).squeeze(1)
    torch.testing.assert_close(AdaptiveMean(num_in, num_out)(rows), expected)


def test_patches_are_those_of_the_reference_order_of_steps() -> None:
    """There: unfold, enlarge every coarse neighbourhood, pool each layer, pool both together."""
    fine, coarse = torch.rand(2, 5, 8, 8), torch.rand(2, 7, 4, 4)
    dim = 6
    pooled = []
    for one in (fine, coarse):
        side = one.shape[-1]
        around = F.unfold(one, 3, padding=1).reshape(2, -1, side, side)
        enlarged = F.interpolate(around, size=(8, 8), mode="bilinear", align_corners=False)
        rows = enlarged.permute(0, 2, 3, 1).reshape(128, -1)
        pooled.append(F.adaptive_avg_pool1d(rows.unsqueeze(1), dim).squeeze(1))
    expected = F.adaptive_avg_pool1d(torch.cat(pooled, dim=1).unsqueeze(1), dim).squeeze(1)
    torch.testing.assert_close(PatchFeatures([5, 7], dim)([fine, coarse]), expected)


# --- loss and scores ----------------------------------------------------------------------------


class Judge(nn.Module):
    """Says 0.2 of the first half of its rows and −0.1 of the others."""

    def forward(self, rows_ND: torch.Tensor) -> torch.Tensor:
        half = len(rows_ND) // 2
        judged = rows_ND.new_full((len(rows_ND), 1), 0.2)
        judged[half:] = -0.1
        return judged


def test_the_loss_is_what_is_missing_to_the_margin_on_both_sides(images: torch.Tensor) -> None:
    net = network(margin=0.5)
    net.discriminator = Judge()
    assert float(net.loss(images)) == pytest.approx(0.3 + 0.4)
    net = network(margin=0.1)
    net.discriminator = Judge()
    assert float(net.loss(images)) == pytest.approx(0.0)


def test_the_score_is_the_highest_cell_before_smoothing(images: torch.Tensor) -> None:
    net = network()
    score, anomaly_map = net(images)
    cells = net.cells(images)
    assert cells.shape == (6, 1, 8, 8)
    torch.testing.assert_close(score, cells.amax(dim=(1, 2, 3)))
    enlarged = F.interpolate(cells, size=(64, 64), mode="bilinear", align_corners=False)
    assert anomaly_map.std() < enlarged.std()


def test_training_teaches_noise_to_be_anomalous(images: torch.Tensor) -> None:
    net = network(
        num_epochs=10, epoch_choice="last", discriminator_learning_rate=1e-2, noise_std=1.0
    )
    before = float(net.loss(images).detach())
    net.fit(InMemory(images))
    assert float(net.loss(images).detach()) < 0.7 * before


# --- which epoch is kept ------------------------------------------------------------------------


def test_a_pair_counts_one_where_the_anomalous_one_is_higher_and_half_at_ties() -> None:
    normal, anomalous = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([2.0, 4.0])
    assert auroc(normal, anomalous) == pytest.approx((1 + 0.5 + 0 + 3) / 6)


def watched(
    net: Any, qualities: list[float], monkeypatch: pytest.MonkeyPatch
) -> list[torch.Tensor]:
    """Let the network find given qualities; return its weights as they were each time."""
    seen: list[torch.Tensor] = []

    def separation(_held: object) -> float:
        seen.append(net.projection.weight.detach().clone())
        return qualities[len(seen) - 1]

    monkeypatch.setattr(net, "separation", separation)
    return seen


def test_the_epoch_with_the_best_separation_is_kept(
    images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = network(num_epochs=3, choose_every=1)
    seen = watched(net, [1.2, 1.8, 1.8], monkeypatch)
    net.fit(InMemory(images))
    assert int(net.chosen_epoch) == 1
    torch.testing.assert_close(net.projection.weight, seen[1])
    assert not torch.equal(seen[1], seen[2])


def test_epochs_between_are_not_looked_at_but_the_last_is(
    images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = network(num_epochs=5, choose_every=2)
    seen = watched(net, [0.1, 0.2, 0.3], monkeypatch)
    net.fit(InMemory(images))
    assert len(seen) == 3
    assert int(net.chosen_epoch) == 4


def test_separation_is_the_same_each_time_and_leaves_torchs_generator_alone(
    images: torch.Tensor,
) -> None:
    net = network()
    state = torch.get_rng_state()
    first, again = net.separation(InMemory(images)), net.separation(InMemory(images))
    assert first == again
    assert 0 <= first <= 2
    assert torch.equal(state, torch.get_rng_state())


def test_one_image_cannot_also_choose_the_epoch(images: torch.Tensor) -> None:
    with pytest.raises(DataError, match=r"E320 .*epoch_choice: last"):
        network(num_epochs=1).fit(InMemory(images[:1]))
    net = network(num_epochs=2, epoch_choice="last")
    net.fit(InMemory(images[:1]))
    assert int(net.chosen_epoch) == 1
