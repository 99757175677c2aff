"""DFM and DFKDE: against anomalib's computation and against figures by hand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from components.data.images import write_png
from components.errors import DataError, ParamsError
from components.models.backbones import WeightStore
from components.models.dfkde import Dfkde
from components.models.dfm import Dfm
from components.models.networks.dfkde import KernelDensity
from components.models.networks.subspace import Subspace
from components.predict import TorchModel
from components.records import Defect, Manifest, Split
from components.train import TrainParams, fit
from components.trial import judge_on_tune
from tests.components.models.in_memory import InMemory
from tests.components.models.parts import IMAGE_SIZE_PX, parts

STORE = WeightStore()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(10, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def fitted(params: Any, images: torch.Tensor) -> Any:
    network = params.build(STORE, 64, seed=0)
    network.fit(InMemory(images))
    return network


# --- the subspace -------------------------------------------------------------------------------

# Variances 9, 4 and 1 along the axes: 9/14 = 0.643, 13/14 = 0.929.
CROSS = torch.tensor([[3, 0, 0], [-3, 0, 0], [0, 2, 0], [0, -2, 0], [0, 0, 1], [0, 0, -1.0]])


@pytest.mark.parametrize(("share", "kept"), [(0.64, 1), (0.65, 2), (0.92, 2), (0.94, 3)])
def test_as_few_directions_are_kept_as_hold_the_share(share: float, kept: int) -> None:
    subspace = Subspace("it")
    subspace.fit(CROSS, share=share)
    assert subspace.axes.shape == (3, kept)
    torch.testing.assert_close(subspace.axes[:, 0].abs(), torch.tensor([1.0, 0, 0]))


def test_deviations_are_those_along_the_directions() -> None:
    subspace = Subspace("it")
    subspace.fit(CROSS + 7, num=2)
    torch.testing.assert_close(subspace.mean, torch.full((3,), 7.0))
    expected = torch.tensor([math.sqrt(18 / 6), math.sqrt(8 / 6)])
    torch.testing.assert_close(subspace.deviations, expected)
    coordinates = subspace(CROSS + 7)
    torch.testing.assert_close(coordinates.square().mean(dim=0).sqrt(), expected)


def test_too_few_or_equal_images_are_refused() -> None:
    with pytest.raises(DataError, match=r"E315 it needs 2 normal images or more, not 1"):
        Subspace("it").fit(torch.rand(1, 3), share=0.9)
    with pytest.raises(DataError, match=r"E315 .*needs 4 .*n_pca_components"):
        Subspace("it").fit(torch.rand(3, 3), num=3)
    with pytest.raises(DataError, match=r"E316 .*look the same"):
        Subspace("it").fit(torch.ones(3, 3), share=0.9)


# --- DFM ----------------------------------------------------------------------------------------


class Contiguous(torch.nn.Module):
    """anomalib views features as rows, which those of channels-last networks do not admit."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images_B3HW: torch.Tensor) -> dict[str, torch.Tensor]:
        return {name: found.contiguous() for name, found in self.encoder(images_B3HW).items()}


def test_dfms_maps_and_scores_are_anomalibs_with_as_many_components(images: torch.Tensor) -> None:
    from anomalib.models.image.dfm.torch_model import DFMModel

    network = fitted(Dfm(backbone="resnet18", weights="random"), images[:6])
    kept = network.subspace.axes.shape[1]
    theirs = DFMModel("resnet18", "layer3", pre_trained=False, pooling_kernel_size=2, n_comps=kept)
    theirs.feature_extractor = Contiguous(network.encoder)
    theirs.memory_bank = [network.features(images[:6]).flatten(1)]
    theirs.fit()
    expected = theirs.eval()(network.normalise(images))
    score, anomaly_map = network(images)
    torch.testing.assert_close(anomaly_map, expected.anomaly_map, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(score, expected.pred_score, rtol=1e-3, atol=1e-6)


def test_dfm_rebuilds_its_training_images_up_to_the_share_it_leaves(images: torch.Tensor) -> None:
    network = fitted(Dfm(pca_level=0.8), images)
    features = network.features(images).flatten(1)
    variance = (features - features.mean(dim=0)).square().sum()
    left = float(network(images)[0].sum() / variance)
    assert 0 < left <= 0.2


def test_dfms_likelihood_is_half_the_squared_distance_within(images: torch.Tensor) -> None:
    network = fitted(Dfm(pca_level=0.8, score="likelihood"), images)
    kept = network.subspace.axes.shape[1]
    score, anomaly_map = network(images)
    # The mean squared Mahalanobis distance of the images fitted is the number of dimensions.
    assert float(score.mean()) == pytest.approx(kept / 2, rel=1e-3)
    by_error = fitted(Dfm(pca_level=0.8), images)
    torch.testing.assert_close(anomaly_map, by_error(images)[1])


def test_dfm_reads_one_layer_that_has_cells_to_average() -> None:
    with pytest.raises(ValidationError, match=r"one layer, not blocks\.2, blocks\.4"):
        Dfm(layers=("blocks.2", "blocks.4"))
    with pytest.raises(ParamsError, match=r"E317 .*cells of 5².*map of 4² at 64 px"):
        Dfm(pooling_px=5).build(STORE, 64, seed=0)


# --- DFKDE --------------------------------------------------------------------------------------


def test_the_density_of_two_points_is_that_of_two_kernels() -> None:
    density = KernelDensity()
    density.fit(torch.tensor([[-1.0], [1.0]]))
    variance = 2 * 2 ** (-2 / 5)  # sample variance 2, two points, one dimension
    at_the_middle = math.exp(-1 / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    assert float(density(torch.zeros(1, 1)).exp()) == pytest.approx(at_the_middle, rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), num=st.integers(3, 30))
def test_a_density_holds_a_whole_probability(seed: int, num: int) -> None:
    points = torch.randn(num, 1, generator=torch.Generator().manual_seed(seed)) * 3 + 1
    density = KernelDensity()
    density.fit(points)
    reach = 10 * float(points.std())
    grid = torch.linspace(-reach, reach, 4001)[:, None] + points.mean()
    width = 2 * reach / 4000
    assert float(density(grid).exp().sum()) * width == pytest.approx(1, abs=1e-3)


def test_points_on_a_line_have_no_density_in_the_plane() -> None:
    line = torch.arange(8.0)[:, None] * torch.tensor([[1.0, 2.0]])
    with pytest.raises(DataError, match=r"E316 .*fewer than 2 directions.*n_pca_components"):
        KernelDensity().fit(line)


def test_dfkdes_scores_are_anomalibs_log_density(images: torch.Tensor) -> None:
    from anomalib.models.components.classification import KDEClassifier

    network = fitted(Dfkde(n_pca_components=3), images)
    features = network.features(images)
    theirs = KDEClassifier(n_pca_components=3)
    theirs.fit(features.clone())
    expected = theirs.compute_kde_scores(features.clone(), as_log_likelihood=True)
    torch.testing.assert_close(network(images)[0], -expected, rtol=1e-3, atol=1e-3)


def test_images_far_from_normal_do_not_tie(images: torch.Tensor) -> None:
    network = fitted(Dfkde(n_pca_components=3), 0.5 + images / 100)
    scores, _ = network(torch.stack([torch.full((3, 64, 64), level) for level in (0, 0.1, 0.3)]))
    assert len(scores.unique()) == 3
    assert scores.isfinite().all()
    assert scores.min() > network(0.5 + images / 100)[0].max()


def test_only_the_direction_of_normed_features_counts(images: torch.Tensor) -> None:
    network = fitted(Dfkde(n_pca_components=3, feature_scaling="norm"), images)
    within = network.subspace(network.features(images))
    torch.testing.assert_close(network._scaled(3 * within), network._scaled(within))
    torch.testing.assert_close(network._scaled(within).norm(dim=1), torch.ones(10))
    assert network._scaled(0 * within).isfinite().all()
    assert network(images)[0].isfinite().all()


def test_a_kernel_stands_on_no_more_images_than_asked(images: torch.Tensor) -> None:
    network = fitted(Dfkde(n_pca_components=2, max_training_points=6), images)
    assert network.density.points.shape == (6, 2)


# --- a detector that does not say where ----------------------------------------------------------


@pytest.fixture(scope="module")
def masked(tmp_path_factory: Any) -> Manifest:
    folder = tmp_path_factory.mktemp("parts")
    manifest = parts(folder, num_normal=10, num_defective=3)
    defect = np.zeros((manifest.records[0].height_px, manifest.records[0].width_px), np.uint8)
    defect[:4, :4] = 255
    write_png(folder / "mask.png", defect)
    marked = Defect(defect_type="scratch", mask_path="mask.png")
    held_out = {"split": Split.TUNE}
    records = [
        r.model_copy(update={"defects": (marked,)} if r.gt_label else held_out if n < 2 else {})
        for n, r in enumerate(manifest.records)
    ]
    return manifest.model_copy(update={"records": tuple(records)})


@pytest.mark.parametrize(
    ("params", "localises"), [(Dfkde(n_pca_components=2), False), (Dfm(), True)]
)
def test_pixel_figures_are_made_of_maps_that_say_where_alone(
    masked: Manifest, tmp_path: Path, params: Any, localises: bool
) -> None:
    fit(
        TrainParams(detector=params, image_size_px=IMAGE_SIZE_PX), masked,
        masked.of(Split.FIT), STORE, seed=0, out=tmp_path / "model", data_version="d:0",
        fingerprint="f",
    )  # fmt: skip
    model = TorchModel(tmp_path / "model")
    assert model.localises is localises
    _, maps = model.predict([np.full((20, 30), 90, np.uint8)])
    assert bool(np.any(maps[0])) is localises
    drawn = masked.model_copy(
        update={"records": tuple(r for r in masked.records if r.gt_label == 1)}
    )
    figures, _, _ = judge_on_tune(tmp_path / "model", masked, masked.of(Split.TUNE), drawn, 0.05)
    assert ("real/aupro" in figures) is localises
    assert ("synthetic/pixel_auroc" in figures) is localises
    assert "real/image_auroc" in figures
