"""Reverse distillation against anomalib's own computation, and what it refuses."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from components.errors import ParamsError
from components.models.backbones import WeightStore
from components.models.reverse_distillation import ReverseDistillation
from tests.components.models.in_memory import InMemory

STORE = WeightStore()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("mode", ["add", "multiply"])
def test_maps_and_scores_are_anomalibs(images: torch.Tensor, mode: Any) -> None:
    from anomalib.models.image.reverse_distillation.anomaly_map import AnomalyMapGenerationMode
    from anomalib.models.image.reverse_distillation.torch_model import ReverseDistillationModel

    params = ReverseDistillation(backbone="resnet18", weights="random", map_mode=mode)
    network = params.build(STORE, 64, seed=0)
    theirs = ReverseDistillationModel(
        "resnet18", (64, 64), ["layer1", "layer2", "layer3"],
        AnomalyMapGenerationMode(mode), pre_trained=False,
    ).eval()  # fmt: skip
    theirs.encoder = network.encoder
    theirs.bottleneck, theirs.decoder = network.student.bottleneck, network.student.decoder
    expected = theirs(network.normalise(images))
    score, anomaly_map = network(images)
    torch.testing.assert_close(anomaly_map, expected.anomaly_map)
    torch.testing.assert_close(score, expected.pred_score.flatten())


def test_other_backbones_widths_are_adapted_and_rebuilt(images: torch.Tensor) -> None:
    network = ReverseDistillation().build(STORE, 64, seed=0)
    encoded = network.features(images)
    assert [tuple(f.shape[1:]) for f in encoded] == [(24, 16, 16), (40, 8, 8), (112, 4, 4)]
    rebuilt = network.student(encoded)
    assert [f.shape for f in rebuilt] == [f.shape for f in encoded]


def test_training_brings_the_decoder_closer_and_leaves_the_encoder_alone(
    images: torch.Tensor,
) -> None:
    network = ReverseDistillation(num_epochs=3).build(STORE, 64, seed=0)
    frozen = {k: v.clone() for k, v in network.encoder.state_dict().items()}

    def loss() -> float:
        from anomalib.models.image.reverse_distillation.loss import ReverseDistillationLoss

        network.student.train()  # by the statistics of these images
        encoded = [feature.contiguous() for feature in network.features(images)]
        return float(ReverseDistillationLoss()(encoded, network.student(encoded)))

    before = loss()
    network.fit(InMemory(images))
    assert loss() < 0.9 * before
    assert all(torch.equal(frozen[k], v) for k, v in network.encoder.state_dict().items())


def test_three_layers_of_doubling_strides_are_asked_for() -> None:
    assert ReverseDistillation(layers=("blocks.2", "blocks.4", "blocks.6")).layers[0] == "blocks.2"
    for layers in (("blocks.2", "blocks.4"), ("blocks.0", "blocks.2", "blocks.4")):
        with pytest.raises(ValidationError, match=r"not of strides \["):
            ReverseDistillation(layers=layers)


def test_an_image_without_whole_cells_is_refused_by_name_of_the_size() -> None:
    coarse = ReverseDistillation(layers=("blocks.2", "blocks.4", "blocks.6"))
    with pytest.raises(ParamsError, match=r"E314 .*96 px.*cells of 64 px.*multiple of 64"):
        coarse.build(STORE, 96, seed=0)
