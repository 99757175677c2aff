"""The networks against anomalib's own computation and against figures worked by hand."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import WeightStore
from components.models.networks.features import SeparableBlur, embed, stack_rows
from components.models.padim import Padim
from components.models.patchcore import Patchcore
from components.models.stfpm import Stfpm

STORE = WeightStore()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((6, 3, 64, 64), dtype=np.float32))


def in_threes(images: torch.Tensor, _: int) -> Iterator[torch.Tensor]:
    yield from images.split(3)


# --- features -----------------------------------------------------------------------------------


def test_finer_maps_are_averaged_and_coarser_ones_interpolated_onto_the_grid() -> None:
    fine = torch.tensor([[[[1.0, 3.0, 0.0, 0.0], [5.0, 7.0, 0.0, 0.0], [0.0] * 4, [0.0] * 4]]])
    coarse = torch.full((1, 1, 1, 1), 9.0)
    grid = embed([fine, coarse], side=2, mode="nearest")
    assert grid.tolist() == [[[[4.0, 0.0], [0.0, 0.0]], [[9.0, 9.0], [9.0, 9.0]]]]


def test_stacking_keeps_the_order_and_empties_the_list() -> None:
    chunks = [torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0]])]
    assert stack_rows(chunks).tolist() == [[1.0], [2.0], [3.0]]
    assert chunks == []


def test_the_separable_blur_is_anomalibs_blur() -> None:
    from anomalib.models.components import GaussianBlur2d

    theirs = GaussianBlur2d(kernel_size=(33, 33), sigma=(4, 4), channels=1)
    maps = torch.rand(2, 1, 48, 64)
    torch.testing.assert_close(SeparableBlur(theirs.kernel)(maps), theirs(maps))


# --- PaDiM --------------------------------------------------------------------------------------


def test_padims_gaussians_and_map_are_anomalibs(images: torch.Tensor) -> None:
    network = Padim(n_features=7).build(STORE, 64, 0)
    network.fit(lambda epoch: in_threes(images, epoch))
    fitted = network.model.gaussian
    mean, inverse = fitted.mean.clone(), fitted.inv_covariance.clone()
    score, anomaly_map = network(images)

    model = network.model
    model.memory_bank = [model.generate_embedding(model.feature_extractor((images - 0.5) / 0.5))]
    model.fit()
    torch.testing.assert_close(mean, fitted.mean)
    assert (inverse - fitted.inv_covariance).norm() < 1e-3 * fitted.inv_covariance.norm()
    theirs = model((images - 0.5) / 0.5)
    torch.testing.assert_close(score, theirs.pred_score.flatten(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(anomaly_map, theirs.anomaly_map, rtol=1e-3, atol=1e-3)


def test_padim_keeps_all_features_where_fewer_are_there_than_asked_for() -> None:
    network = Padim(layers=("blocks.2",), n_features=100).build(STORE, 64, 0)
    assert sorted(network.model.idx.tolist()) == list(range(40))


# --- PatchCore ----------------------------------------------------------------------------------


def test_patchcores_embedding_is_anomalibs(images: torch.Tensor) -> None:
    network = Patchcore().build(STORE, 64, 0)
    model = network.model
    features = model.feature_extractor((images - 0.5) / 0.5)
    pooled = {layer: model.feature_pooler(feature) for layer, feature in features.items()}
    theirs = model.reshape_embedding(model.generate_embedding(pooled))
    torch.testing.assert_close(network.embedding(images), theirs)


@pytest.mark.parametrize("bank_size", [1, 1500])
def test_the_search_in_blocks_finds_the_nearest(bank_size: int) -> None:
    network = Patchcore().build(STORE, 64, 0)
    network.model.memory_bank = torch.randn(bank_size, 152)
    patches = torch.randn(40, 152)
    brute = torch.cdist(patches, network.model.memory_bank).amin(dim=1)
    torch.testing.assert_close(network.nearest(patches), brute, rtol=1e-4, atol=1e-4)


def test_the_score_is_the_mean_of_the_highest_patch_distances(
    images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Patchcore(top_k=3).build(STORE, 64, 0)
    distances = torch.zeros(64)
    distances[[5, 20, 60, 7]] = torch.tensor([9.0, 6.0, 3.0, 1.0])
    monkeypatch.setattr(network, "nearest", lambda _: distances)
    score, anomaly_map = network(images[:1])
    assert score.tolist() == [6.0]
    assert anomaly_map.shape == (1, 1, 64, 64)


def test_the_memory_bank_holds_the_asked_share_of_real_patches(images: torch.Tensor) -> None:
    network = Patchcore(coreset_ratio=0.25).build(STORE, 64, 0)
    network.fit(lambda epoch: in_threes(images, epoch))
    assert network.model.memory_bank.shape == (96, 152)  # a quarter of 6 images × 8×8 patches
    with torch.no_grad():
        distances = network.nearest(network.model.memory_bank)
    assert distances.max() < 0.1  # each of them lies in the bank, up to float32


@pytest.mark.parametrize("projection", ["none", "sparse"])
def test_another_seed_starts_the_coreset_elsewhere(projection: str, images: torch.Tensor) -> None:
    def bank(seed: int) -> torch.Tensor:
        network = Patchcore(projection=projection, coreset_ratio=0.1).build(STORE, 64, seed)
        network.fit(lambda epoch: in_threes(images, epoch))
        return network.model.memory_bank

    assert torch.equal(bank(1), bank(1))
    assert not torch.equal(bank(1), bank(2))


# --- STFPM --------------------------------------------------------------------------------------


def test_teacher_and_student_share_no_weight_and_the_teacher_stays(images: torch.Tensor) -> None:
    network = Stfpm(num_epochs=2).build(STORE, 64, 0)
    teacher, student = network.model.teacher_model, network.model.student_model
    addresses = {p.data_ptr() for p in teacher.parameters()}
    assert not addresses & {p.data_ptr() for p in student.parameters()}
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    untrained = {name: value.clone() for name, value in student.state_dict().items()}
    network.fit(lambda epoch: in_threes(images, epoch))
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert any(not torch.equal(v, untrained[name]) for name, v in student.state_dict().items())


def test_training_brings_the_student_nearer_to_its_teacher() -> None:
    smooth = F.interpolate(torch.rand(4, 3, 8, 8), size=(64, 64), mode="bilinear")
    network = Stfpm(num_epochs=15).build(STORE, 64, 0)
    before, _ = network(smooth)
    network.fit(lambda _: iter([smooth]))
    after, _ = network(smooth)
    assert after.mean() < before.mean()


def test_a_random_teacher_is_not_its_own_student() -> None:
    network = Stfpm(weights="random").build(STORE, 64, 0)
    stems = [
        model.feature_extractor.conv_stem.weight
        for model in (network.model.teacher_model, network.model.student_model)
    ]
    assert not torch.equal(*stems)
