"""GANomaly against anomalib's model, how it starts, and what it learns."""

from typing import Any

import pytest
import torch
from torch import Tensor

from components.errors import ParamsError
from components.models.ganomaly import Ganomaly
from tests.components.models.in_memory import InMemory


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def network(**changes: Any) -> Any:
    params = Ganomaly(**({"width": 8, "code_size": 16, "num_epochs": 2} | changes))
    return params.build(None, 64, seed=0)


def test_scores_are_anomalibs_of_images_between_minus_one_and_one(images: Tensor) -> None:
    from anomalib.models.image.ganomaly.torch_model import GanomalyModel

    ours = network()
    theirs = GanomalyModel((64, 64), 3, 8, 16).eval()
    theirs.load_state_dict(ours.model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(images)[0], theirs(2 * images - 1).pred_score)


def test_the_map_is_how_far_the_painting_is_from_the_image(images: Tensor) -> None:
    ours = network()

    class Grey(torch.nn.Module):
        def forward(self, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            code = torch.zeros(len(real), 16, 1, 1)
            return torch.zeros_like(real), code, code + 3

    ours.model.generator = Grey()
    score, anomaly_map = ours(torch.ones(1, 3, 64, 64) * 0.75)
    torch.testing.assert_close(anomaly_map, torch.full((1, 1, 64, 64), 0.5))
    assert float(score) == 9


def test_weights_start_as_narrow_as_the_paper_says() -> None:
    for name, value in network(width=32).model.named_parameters():
        if "conv" in name and value.numel() > 1000:
            assert float(value.detach().std()) == pytest.approx(0.02, rel=0.1)


def test_learning_brings_the_painting_closer_to_the_image() -> None:
    plain = torch.linspace(0.7, 0.9, 4).view(4, 1, 1, 1).expand(4, 3, 32, 32)
    params = Ganomaly(width=8, code_size=16, num_epochs=20, learning_rate=5e-3)
    ours: Any = params.build(None, 32, seed=0)

    def error() -> float:
        ours.model.generator.train()  # by the statistics of these images
        with torch.no_grad():
            return float((2 * plain - 1 - ours.model.generator(2 * plain - 1)[0]).abs().mean())

    before = error()
    ours.fit(InMemory(plain))
    assert error() < 0.5 * before


def test_both_networks_take_a_step_a_batch(images: Tensor) -> None:
    ours = network(num_epochs=1)
    before = {name: value.clone() for name, value in ours.model.named_parameters()}
    ours.fit(InMemory(images))
    changed = {
        name.partition(".")[0]
        for name, value in ours.model.named_parameters()
        if not torch.equal(before[name], value)
    }
    assert changed == {"generator", "discriminator"}


def test_a_size_that_cannot_be_halved_to_four_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"E317 .*96 px .*power of two"):
        Ganomaly().build(None, 96, seed=0)
