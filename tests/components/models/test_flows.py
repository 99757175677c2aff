"""The three detectors by normalising flows: against anomalib's and against figures by hand."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from components.errors import ParamsError
from components.models.backbones import BackboneName, WeightStore
from components.models.cflow import Cflow
from components.models.csflow import Csflow
from components.models.fastflow import Fastflow
from components.params import read_yaml, validate
from components.train import TrainParams
from tests.components.models.in_memory import InMemory

STORE = WeightStore()
LOG_DENSITY_AT_ORIGIN = -0.5 * math.log(2 * math.pi)  # of one standard normal channel


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


# --- CFLOW --------------------------------------------------------------------------------------


class ToTheOrigin(nn.Module):
    """A flow whose latents are all zero, and that changes no volume."""

    def forward(self, patches_NC: Tensor, _places: list[Tensor]) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(patches_NC), patches_NC.new_zeros(len(patches_NC))


@pytest.mark.parametrize(
    ("likelier_by", "probability"), [(math.log(2), 0.5), (math.log(4), 0.25), (0.0, 1.0)]
)
def test_cflow_compares_each_patch_with_the_likeliest_of_training(
    images: Tensor, likelier_by: float, probability: float
) -> None:
    network = Cflow(coupling_blocks=1).build(STORE, 64, seed=0)
    network.flows = nn.ModuleList(ToTheOrigin() for _ in network.flows)
    network.likeliest.fill_(LOG_DENSITY_AT_ORIGIN + likelier_by)
    score, anomaly_map = network(images)
    expected = 3 * (1 - probability)  # three layers
    torch.testing.assert_close(anomaly_map, torch.full((4, 1, 64, 64), expected))
    torch.testing.assert_close(score, torch.full((4,), expected))


def test_cflow_gives_no_credit_beyond_the_likeliest_of_training(images: Tensor) -> None:
    network = Cflow(coupling_blocks=1).build(STORE, 64, seed=0)
    network.flows = nn.ModuleList(ToTheOrigin() for _ in network.flows)
    network.likeliest.fill_(LOG_DENSITY_AT_ORIGIN - 5)
    assert network(images)[1].abs().max() < 1e-6


def test_cflows_training_images_set_the_scale(images: Tensor) -> None:
    network = Cflow(coupling_blocks=1, num_epochs=1).build(STORE, 64, seed=0)
    network.fit(InMemory(images))
    highest = [layer.amax() for layer in network.likelihoods(images)]
    torch.testing.assert_close(network.likeliest, torch.stack(highest))


def test_cflow_learns_to_find_the_training_images_likely(images: Tensor) -> None:
    params = Cflow(coupling_blocks=1, num_epochs=5, learning_rate=1e-2)
    network = params.build(STORE, 64, seed=0)
    before = [float(layer.mean()) for layer in network.likelihoods(images)]
    network.fit(InMemory(images))
    after = [float(layer.mean()) for layer in network.likelihoods(images)]
    assert all(now > then for now, then in zip(after, before, strict=True))


def test_cflow_knows_where_a_patch_lies(images: Tensor) -> None:
    network = Cflow(coupling_blocks=1).build(STORE, 64, seed=0)
    same = torch.ones(64, 40)  # one patch at all 8 × 8 places
    likelihood = network._likelihood(0, same, network.places_0)
    assert len(likelihood.unique()) == 64


@settings(max_examples=20, deadline=None)
@given(size=st.integers(2, 100), num_images=st.integers(1, 3))
def test_cflow_learns_from_every_patch_once_and_never_from_few(size: int, num_images: int) -> None:
    network = CFLOW_OF_TWO_LAYERS
    network.params = network.params.replaced(fiber_batch_size=size)
    steps = list(network._fibers(torch.rand(num_images, 3, 64, 64)))
    for layer, per_image in enumerate((64, 16)):
        lengths = [len(patches) for number, patches, _ in steps if number == layer]
        assert sum(lengths) == num_images * per_image
        assert all(length == size for length in lengths[:-1])
        assert lengths[-1] >= min(size, num_images * per_image)


CFLOW_OF_TWO_LAYERS = Cflow(layers=("blocks.2", "blocks.4"), coupling_blocks=1).build(STORE, 64, 0)


# --- CS-Flow ------------------------------------------------------------------------------------


def test_csflows_coupling_is_anomalibs_graph() -> None:
    from anomalib.models.image.csflow.torch_model import CrossScaleFlow

    from components.models.networks.csflow import _Flow

    shapes = [(304, 4, 4), (304, 2, 2), (304, 1, 1)]
    ours = _Flow(Csflow(coupling_blocks=2, hidden_channels=4), shapes)
    theirs = CrossScaleFlow((3, 128, 128), 2, 3.0, 4)
    for name, value in theirs.named_parameters():
        if "gamma" in name:  # zero at first: the blocks would do nothing
            value.data.fill_(0.5)
    for block, coupling in enumerate(ours.couplings):
        coupling.load_state_dict(theirs.graph.module_list[2 * block + 1].state_dict())
    features = [torch.rand(2, *shape) for shape in shapes]
    latents, log_volume = ours(features)
    expected, expected_volume = theirs(features)
    for latent, other in zip(latents, expected, strict=True):
        torch.testing.assert_close(latent, other)
    torch.testing.assert_close(log_volume.expand(2), expected_volume)  # of both images, twice


def test_csflows_loss_of_a_batch_is_the_mean_over_its_images() -> None:
    params = Csflow(coupling_blocks=1, hidden_channels=4)
    network = params.build(STORE, 128, seed=0)
    for name, value in network.flow.named_parameters():
        if "gamma" in name:
            value.data.fill_(1.0)
    pictures = torch.rand(3, 3, 128, 128)
    alone = torch.stack([network.loss(picture) for picture in pictures.split(1)])
    torch.testing.assert_close(network.loss(pictures), alone.mean(), rtol=1e-4, atol=1e-5)


def test_csflow_at_rest_scores_half_the_mean_square_of_the_features() -> None:
    network = Csflow(coupling_blocks=1, hidden_channels=4).build(STORE, 128, seed=0)
    pictures = torch.rand(2, 3, 128, 128)
    score, anomaly_map = network(pictures)  # blocks that learnt nothing only permute
    features = [feature.flatten(1) for feature in network.features(pictures)]
    torch.testing.assert_close(score, torch.cat(features, dim=1).square().mean(dim=1) / 2)
    assert anomaly_map.shape == (2, 1, 128, 128)


def test_csflow_learns_to_find_the_training_images_likely() -> None:
    params = Csflow(coupling_blocks=1, hidden_channels=8, num_epochs=5, learning_rate=1e-2)
    network = params.build(STORE, 128, seed=0)
    pictures = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    before = network.loss(pictures).item()
    network.fit(InMemory(pictures))
    assert network.loss(pictures).item() < before


def test_csflow_refuses_sizes_whose_quarter_has_no_whole_cells_and_a_second_layer() -> None:
    with pytest.raises(ParamsError, match=r"E310 .*192 px.*multiple of 128"):
        Csflow().build(STORE, 192, seed=0)
    with pytest.raises(ValidationError, match=r"one layer, not blocks\.4, blocks\.6"):
        Csflow(layers=("blocks.4", "blocks.6"))


# --- FastFlow -----------------------------------------------------------------------------------


def test_fastflows_flows_follow_the_paper_by_family_unless_told_otherwise() -> None:
    cnn, tokens = Fastflow(backbone="resnet18"), Fastflow(backbone="cait_m48")
    assert (cnn.flow_steps, cnn.hidden_ratio, cnn.conv3x3_only) == (8, 1.0, True)
    assert (tokens.flow_steps, tokens.hidden_ratio, tokens.conv3x3_only) == (20, 0.16, False)
    assert (cnn.layers, tokens.layers) == (("layer1", "layer2", "layer3"), ("blocks.40",))
    assert Fastflow(backbone="cait_m48", flow_steps=3, conv3x3_only=True).flow_steps == 3
    assert cnn.model_dump()["flow_steps"] == 8  # concrete in what is fingerprinted


def test_fastflows_map_lies_below_zero_and_rises_away_from_the_origin(images: Tensor) -> None:
    network = Fastflow(flow_steps=1).build(STORE, 64, seed=0)

    class Scaled(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.value = value

        def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
            return torch.full_like(feature, self.value), feature.new_zeros(len(feature))

    for value, expected in ((0.0, -1.0), (1.0, -math.exp(-0.5)), (2.0, -math.exp(-2.0))):
        network.learnt = nn.ModuleList(Scaled(value) for _ in range(3))
        score, anomaly_map = network(images)
        torch.testing.assert_close(anomaly_map, torch.full((4, 1, 64, 64), expected))
        torch.testing.assert_close(score, torch.full((4,), expected))


def test_fastflow_is_anomalibs_model(images: Tensor) -> None:
    from anomalib.models.image.fastflow.torch_model import FastflowModel

    params = Fastflow(backbone="resnet18", weights="random", flow_steps=2)
    network = params.build(STORE, 64, seed=0)
    theirs = FastflowModel((64, 64), "resnet18", pre_trained=False, flow_steps=2, conv3x3_only=True)
    theirs.norms = nn.ModuleList(learnt[0] for learnt in network.learnt)
    theirs.fast_flow_blocks = nn.ModuleList(learnt[1] for learnt in network.learnt)

    class Listed(nn.Module):
        def forward(self, inputs: Tensor) -> list[Tensor]:
            return [f.contiguous() for f in network.encoder(inputs).values()]

    theirs.feature_extractor = Listed()
    expected = theirs.eval()(network.normalise(images))
    score, anomaly_map = network(images)
    torch.testing.assert_close(anomaly_map, expected.anomaly_map)
    torch.testing.assert_close(score, expected.pred_score.flatten())


def test_fastflow_learns_to_find_the_training_images_likely(images: Tensor) -> None:
    network = Fastflow(flow_steps=1, num_epochs=5).build(STORE, 64, seed=0)
    before = float(network(images)[1].mean())
    network.fit(InMemory(images))
    assert float(network(images)[1].mean()) < before


@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        ("fastflow", "resnet18"),
        ("fastflow_wide_resnet50", "wide_resnet50_2"),
        ("fastflow_cait", "cait_m48"),
        ("fastflow_deit", "deit_base"),
    ],
)
def test_fastflows_files_hold_the_papers_values_for_each_backbone(
    name: str, backbone: BackboneName
) -> None:
    path = Path(__file__).parents[3] / "params" / "models" / f"{name}.yaml"
    params = validate(TrainParams, read_yaml(path), str(path))
    assert params.detector == Fastflow(backbone=backbone)
