"""EfficientAd against anomalib's own computation, its scales, and the images it may learn from."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from components.data.images import write_png
from components.errors import DataError, ParamsError
from components.models.backbones import WeightStore
from components.models.efficient_ad import EfficientAd
from components.models.networks.efficient_ad import EfficientAdNetwork
from components.models.networks.other_images import other_images
from tests.components.models.in_memory import InMemory

PARAMS = EfficientAd(weights="random", num_epochs=1, max_steps=1)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def fitted(params: EfficientAd, images: torch.Tensor) -> EfficientAdNetwork:
    torch.manual_seed(0)
    network = params.build(WeightStore(), 64, seed=0)
    network.fit(InMemory(images))
    return network


def test_at_the_papers_size_maps_and_scores_are_anomalibs() -> None:
    from anomalib.models.image.efficient_ad.torch_model import EfficientAdModel

    theirs = EfficientAdModel().eval()
    network = PARAMS.build(None, 256, seed=0)
    network.model.load_state_dict(theirs.state_dict(), strict=True)
    image = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        expected = theirs(image)
    score, anomaly_map = network(image)
    torch.testing.assert_close(anomaly_map, expected.anomaly_map)
    torch.testing.assert_close(score, expected.pred_score.flatten())


def test_the_teachers_channels_are_standardised_on_what_is_learnt_from(
    images: torch.Tensor,
) -> None:
    model = fitted(PARAMS.replaced(normalise_on="train"), images).model
    with torch.no_grad():
        taught = model._normalize_teacher(model.teacher(images))
    torch.testing.assert_close(taught.mean(dim=(0, 2, 3)), torch.zeros(384), atol=1e-3, rtol=0)
    deviation = taught.square().mean(dim=(0, 2, 3)).sqrt()
    torch.testing.assert_close(deviation, torch.ones(384), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("normalise_on", "held"), [("train", 5), ("holdout", 2)])
def test_nine_tenths_of_the_scaling_maps_lie_below_zero(
    images: torch.Tensor, normalise_on: str, held: int
) -> None:
    params = PARAMS.replaced(normalise_on=normalise_on, holdout_share=0.4)
    model = fitted(params, images).model
    with torch.no_grad():
        both = model.get_maps(images[:held], normalize=True)
    for values in both:
        assert float((values <= 0).float().mean()) == pytest.approx(0.9, abs=1e-3)
        assert float((values <= 0.1).float().mean()) == pytest.approx(0.995, abs=1e-3)


def test_images_held_out_are_not_learnt_from(images: torch.Tensor) -> None:
    swapped = images.clone()
    swapped[0] = 1 - swapped[0]  # the one that InMemory holds out
    first, second = (fitted(PARAMS, some).model for some in (images, swapped))
    for name, weight in first.student.state_dict().items():
        assert torch.equal(weight, second.student.state_dict()[name])
    assert first.quantiles["qa_st"] != second.quantiles["qa_st"]


def test_one_normal_image_cannot_be_learnt_from_and_held_out(images: torch.Tensor) -> None:
    with pytest.raises(DataError, match=r"E313 .*two normal images"):
        fitted(PARAMS, images[:1])


def test_training_stops_at_the_steps_allowed_whatever_the_epochs(images: torch.Tensor) -> None:
    def read_in(params: EfficientAd) -> int:
        network, seen = params.build(WeightStore(), 64, seed=0), []
        network.model.student.register_forward_hook(
            lambda *_: seen.append(1) if network.model.training else None
        )
        network.fit(InMemory(images))
        return len(seen) // 2  # once as it is, once changed

    many = PARAMS.replaced(num_epochs=2, normalise_on="train")
    assert read_in(many.replaced(max_steps=3)) == 3
    assert read_in(many.replaced(max_steps=1000, num_epochs=1)) == 5


def test_small_images_are_refused_with_the_least_that_will_do() -> None:
    with pytest.raises(ParamsError, match=r"E311 .*32 px.*64 or more"):
        PARAMS.build(None, 32, seed=0)


# --- images of other things ---------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("a.png", "below/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_png(tmp_path / name, rng.integers(0, 256, (40, 50, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_the_student_learns_to_stay_silent_on_other_images(
    images: torch.Tensor, folder: Path
) -> None:
    long = PARAMS.replaced(max_steps=8, num_epochs=2, normalise_on="train", learning_rate=1e-3)
    other = next(other_images(str(folder), 64, seed=9))

    def loudness(params: EfficientAd) -> float:
        student = fitted(params, images).model.student
        with torch.no_grad():
            return float(student(other)[:, :384].square().mean())

    assert loudness(long.replaced(penalty_folder=str(folder))) < 0.9 * loudness(long)


def test_other_images_come_without_end_in_the_order_of_the_seed(folder: Path) -> None:
    drawn = list(islice(other_images(str(folder), 32, seed=1), 40))
    again = list(islice(other_images(str(folder), 32, seed=1), 40))
    assert all(torch.equal(a, b) for a, b in zip(drawn, again, strict=True))
    assert all(p.shape == (1, 3, 32, 32) and p.min() >= 0 and p.max() <= 1 for p in drawn)
    grey = sum(bool(torch.equal(p[:, 0], p[:, 1])) for p in drawn)
    assert 0 < grey < 30  # three in ten


def test_other_images_show_the_middle_of_the_picture(tmp_path: Path) -> None:
    picture = np.zeros((80, 80, 3), np.uint8)
    picture[20:60, 20:60] = 255
    write_png(tmp_path / "square.png", picture)
    assert next(other_images(str(tmp_path), 40, seed=0)).min() == 1


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"E312 .*penalty_folder.* holds no images"):
        other_images(str(tmp_path / "nothing"), 64, seed=0)
