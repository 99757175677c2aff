"""The generative encoder-decoder: its shape, its noise, its loss, its map, its training."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from components.errors import DataError, PipelineError, WeightsError
from components.models.backbones import WeightStore, load_backbone
from components.models.generative import Generative
from components.models.networks import generative_parts
from components.models.networks.generative import Best, GenerativeNetwork, Mean
from components.models.networks.generative_parts import Attention, SkipAttention
from components.models.stfpm import Stfpm
from components.params import read_yaml
from components.records import Split
from components.train import TrainParams, _TrainingImages
from tests.components.models.parts import parts

PARAMS = Path(__file__).resolve().parents[3] / "params" / "models"
SMALL = Generative(weights="random", base_width=4, patch_size=2, num_epochs=3)
SIZE_PX = 32


def network(seed: int = 0, sigma: float = 0.0, **changes: Any) -> GenerativeNetwork:
    made = SMALL.replaced(**changes).build(None, SIZE_PX, seed)
    made.sigma.fill_(sigma)
    return made


def images(num: int, seed: int = 0) -> Tensor:
    """Return smooth images, B × 3 × 32 × 32."""
    coarse = torch.rand(num, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, size=SIZE_PX, mode="bilinear")


class Toy:
    """Batches of four of given images; the last ones are held out."""

    def __init__(self, images: Tensor, input_noise: float = 0.0) -> None:
        self.images, self.input_noise = images, input_noise
        self.shares: list[float] = []

    def __call__(self, epoch: int) -> Iterator[Tensor]:
        yield from self.images.split(4) if len(self.images) else ()

    def divided(self, share: float) -> tuple[Self, Self]:
        self.shares.append(share)
        num = len(self.images) - round(share * len(self.images))
        return self._of(self.images[:num]), self._of(self.images[num:])

    def _of(self, images: Tensor) -> Self:
        return type(self)(images, self.input_noise)


# --- params -------------------------------------------------------------------------------------


def test_the_pretrained_encoder_has_one_width() -> None:
    with pytest.raises(ValidationError, match="base_width 16 has no pretrained weights"):
        Generative(base_width=16)
    assert Generative(base_width=16, weights="random").layers == ("pool1", "pool2", "pool3")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"layers": ("pool1", "pool2")}, "all of pool1, pool2, pool3"),
        ({"mean_filter_px": 20}, "needs a middle"),
        ({"backbone": "lite0"}, r"cannot use backbone lite0 \(valid: vgg19\)"),
    ],
)
def test_what_cannot_be_built_cannot_be_said(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Generative(**({"weights": "random"} | changes))


def test_the_papers_values_are_the_defaults() -> None:
    paper = TrainParams.model_validate(read_yaml(PARAMS / "generative.yaml"))
    assert paper.detector == Generative()
    assert paper.image_size_px == 224


def test_the_ablations_differ_from_the_reduced_model_in_what_they_are_named_after() -> None:
    files = {
        "no_noise": (0.0, "attention"),
        "no_attention": (0.2, "plain"),
        "no_both": (0.0, "plain"),
        "no_skips": (0.2, "none"),
    }
    reduced = TrainParams.model_validate(read_yaml(PARAMS / "generative_small.yaml"))
    assert (reduced.input_noise, reduced.detector.skips) == (0.2, "attention")
    for name, (noise, skips) in files.items():
        found = TrainParams.model_validate(read_yaml(PARAMS / f"generative_small_{name}.yaml"))
        detector = reduced.detector.replaced(skips=skips)
        assert found == reduced.replaced(input_noise=noise, detector=detector)
        assert found.name != reduced.name


# --- architecture -------------------------------------------------------------------------------


def test_the_papers_layers_have_about_ten_million_parameters() -> None:
    whole = Generative(weights="random").build(None, 224, 0)
    assert sum(p.numel() for p in whole.parameters()) / 1e6 == pytest.approx(9.76, abs=0.005)
    assert whole.mixer.places.shape == (1, 784, 512)


def test_encoder_maps_halve_and_widen() -> None:
    maps = network().encoder(images(2))
    assert [tuple(m.shape[1:]) for m in maps] == [(4, 16, 16), (8, 8, 8), (16, 4, 4)]


@pytest.mark.parametrize(("patch_size", "num_tokens"), [(1, 16), (2, 4)])
def test_a_token_is_a_patch_of_the_deepest_map(patch_size: int, num_tokens: int) -> None:
    made = network(patch_size=patch_size)
    assert made.mixer.places.shape == (1, num_tokens, 32)
    deepest = torch.rand(2, 16, 4, 4)
    assert made.mixer(deepest).shape == deepest.shape


def test_one_head_of_attention_is_the_softmax_of_scaled_products() -> None:
    attention = Attention(4, num_heads=1)
    asking, asked = torch.rand(1, 3, 4), torch.rand(1, 2, 4)
    key, value = attention.key_value(asked).split(4, dim=-1)
    weights = (attention.query(asking) @ key.transpose(1, 2) / 2).softmax(dim=-1)  # √4 = 2
    torch.testing.assert_close(attention(asking, asked), attention.out(weights @ value))


def test_a_skip_attends_to_the_reduced_map_alone() -> None:
    skip = SkipAttention(8, num_heads=2, reduction=4)
    seen: list[torch.Size] = []
    skip.attention.key_value.register_forward_hook(lambda _, given, __: seen.append(given[0].shape))
    assert skip(torch.rand(2, 8, 16, 16)).shape == (2, 8, 16, 16)
    assert seen == [(2, 16, 8)]  # 16 × 16 cells became 4 × 4


def test_each_switch_of_the_skips_does_what_it_says() -> None:
    hidden, encoded = torch.rand(1, 16, 4, 4), network().encoder(images(1))
    emptied = [torch.zeros_like(fine) for fine in encoded]
    for skips in ("attention", "plain", "none"):
        decoder = network(skips=skips).decoder
        with_attention = any(isinstance(m, SkipAttention) for m in decoder.modules())
        assert with_attention == (skips == "attention")
        same = torch.equal(decoder(hidden, encoded), decoder(hidden, emptied))
        assert same == (skips == "none")


def test_pretrained_blocks_are_vgg19s(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def random_vgg(store: Any, name: str, weights: str, layers: Any, **more: Any) -> nn.Module:
        asked.append((name, weights))
        return load_backbone(None, name, "random", layers, **more)

    monkeypatch.setattr(generative_parts, "load_backbone", random_vgg)
    torch.manual_seed(3)
    encoder = generative_parts.Encoder(Generative(), WeightStore())
    torch.manual_seed(3)
    generative_parts.Encoder(Generative(), None)  # draws what was drawn before the filling
    vgg = load_backbone(None, "vgg19", "random", generative_parts.BLOCKS)
    hidden = encoder.blocks[2](encoder.blocks[1](encoder.blocks[0](images(1))))
    assert asked == [("vgg19", "pretrained")]
    torch.testing.assert_close(hidden, vgg(images(1))["pool3"])


def test_missing_weights_are_an_error_and_never_random_ones() -> None:
    with pytest.raises(WeightsError, match="E131"):
        Generative().build(WeightStore(), SIZE_PX, 0)


# --- noise --------------------------------------------------------------------------------------


def test_nothing_of_the_clean_image_passes_by_the_noise() -> None:
    made, clean, noise = network(), images(2), torch.randn(2, 3, SIZE_PX, SIZE_PX)
    torch.testing.assert_close(made.paint(clean, noise), made.paint(clean + noise, 0 * noise))


def test_in_use_noise_is_the_same_for_every_image_and_every_call() -> None:
    made, pair = network(sigma=0.2), images(2)
    scores, _ = made(pair)
    again, _ = made(pair.flip(0))
    torch.testing.assert_close(scores, again.flip(0))
    assert not torch.equal(scores, network(sigma=0.0)(pair)[0])


def test_the_noise_of_a_saved_model_comes_back_with_it() -> None:
    made, other = network(seed=1, sigma=0.2), network(seed=2)
    assert not torch.equal(made.field, other.field)
    other.load_state_dict(made.state_dict(), strict=True)
    assert torch.equal(other(images(2))[0], made(images(2))[0])


def test_fixed_noise_has_one_level_and_uniform_noise_one_an_image() -> None:
    torch.manual_seed(0)
    many = torch.zeros(200, 3, SIZE_PX, SIZE_PX)
    fixed = network(sigma=0.2)._drawn_noise(many).std(dim=(1, 2, 3))
    assert fixed.min() > 0.18 and fixed.max() < 0.22
    uniform = network(sigma=0.2, noise_mode="uniform")._drawn_noise(many).std(dim=(1, 2, 3))
    assert uniform.min() < 0.01 and 0.18 < uniform.max() < 0.22
    assert uniform.mean() == pytest.approx(0.1, abs=0.015)
    in_use = network(sigma=0.2, noise_mode="uniform")._noise_in_use()
    assert in_use.std() == pytest.approx(0.1, rel=0.05)


def test_the_noise_level_goes_to_the_detector_and_not_into_its_inputs(tmp_path: Path) -> None:
    manifest = parts(tmp_path, num_normal=3)
    normals = manifest.of(Split.FIT)

    def given(detector: Any, noise: float) -> tuple[Tensor, float]:
        params = TrainParams(detector=detector, image_size_px=SIZE_PX, input_noise=noise)
        batches = _TrainingImages(params, manifest, normals, 0)
        learned, _ = batches.divided(0.4)
        assert learned.input_noise == batches.input_noise
        return next(batches(0)), batches.input_noise

    clean, left = given(SMALL, 0.3)
    assert left == 0.3
    assert torch.equal(clean, given(SMALL, 0.0)[0])
    noisy, left = given(Stfpm(), 0.3)
    assert left == 0.0
    assert not torch.equal(noisy, given(Stfpm(), 0.0)[0])


# --- loss and map -------------------------------------------------------------------------------


def test_the_loss_of_flat_images_by_hand() -> None:
    half, quarter = torch.full((2, 3, 32, 32), 0.5), torch.full((2, 3, 32, 32), 0.25)
    unlike = 1 - (0.25 + 1e-4) / (0.3125 + 1e-4)
    for weight in (0.0, 1.0, 0.5):
        loss = network(ssim_weight=weight).loss(half, quarter).item()
        assert loss == pytest.approx(0.0625 + weight * unlike, rel=1e-4)


def painting(offset: Tensor, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> GenerativeNetwork:
    made = network(**changes)
    monkeypatch.setattr(made, "paint", lambda images, _: images + offset)
    return made


def test_a_perfect_painting_has_an_empty_map(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, maps = painting(torch.zeros(1), monkeypatch)(images(2))
    torch.testing.assert_close(scores, torch.zeros(2), rtol=0, atol=1e-6)
    torch.testing.assert_close(maps, torch.zeros(2, 1, SIZE_PX, SIZE_PX), rtol=0, atol=1e-6)


def test_an_even_difference_counts_by_its_square_up_to_the_border(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flat = torch.full((1, 3, SIZE_PX, SIZE_PX), 0.4)
    scores, maps = painting(torch.tensor(0.1), monkeypatch)(flat)
    torch.testing.assert_close(maps, torch.full_like(maps, 0.01))
    assert scores.tolist() == pytest.approx([0.01], rel=1e-4)


def test_the_map_is_highest_where_the_painting_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    spot = torch.zeros(1, 3, SIZE_PX, SIZE_PX)
    spot[..., 20:24, 6:10] = 0.5
    scores, maps = painting(spot, monkeypatch, mean_filter_px=5)(images(1))
    row, column = divmod(int(maps[0, 0].argmax()), SIZE_PX)
    assert 19 <= row <= 24 and 5 <= column <= 10
    assert scores[0] == maps.amax()


# --- training -----------------------------------------------------------------------------------


def test_training_lowers_the_loss_and_keeps_the_best_epoch() -> None:
    torch.manual_seed(0)
    made = network(num_epochs=8, learning_rate=3e-3, dropout=0.0)
    toy = Toy(images(10), input_noise=0.05)
    made.fit(toy)
    training, validation = made.losses.unbind(dim=1)
    assert toy.shares == [0.2]
    assert made.sigma == pytest.approx(0.05)
    assert training[-1] < 0.8 * training[0]
    _, held = toy.divided(0.2)
    assert made._validate(held) == pytest.approx(validation.min().item(), rel=1e-5)
    assert not made.training


def test_training_stops_when_patience_is_over_and_says_how_far_it_came() -> None:
    made = network(num_epochs=9, learning_rate=1e-12, patience=2, patient_from=3)
    made.fit(Toy(images(5)))
    ran = made.losses[:, 0].isfinite().sum().item()
    best = made.losses[:ran, 1].argmin().item()
    assert ran == max(best, 2) + 2 + 1
    assert made.losses[ran:].isnan().all()


def losses_until_over(best: Best, losses: Sequence[float]) -> list[int]:
    """Return the epochs that were better than all before, then the one that ended it."""
    better = []
    for epoch, loss in enumerate(losses):
        if best.admits(epoch, loss):
            better.append(epoch)
        if best.is_over(epoch):
            return [*better, epoch]
    return better


def test_patience_counts_from_the_best_epoch_or_from_where_it_begins() -> None:
    losses = [5.0, 4.0, 4.5, 3.0, 3.5, 3.5, 3.0, 3.0]
    assert losses_until_over(Best(patient_from=0, patience=2), losses) == [0, 1, 3, 5]
    assert losses_until_over(Best(patient_from=6, patience=2), losses) == [0, 1, 3, 7]
    assert losses_until_over(Best(patient_from=0, patience=9), losses) == [0, 1, 3]


def test_a_mean_over_unequal_batches_weighs_each_image_once() -> None:
    mean = Mean()
    mean.add(1.0, 3)
    mean.add(5.0, 1)
    assert mean.value == 2.0


def test_one_image_cannot_be_learned_from_and_validated_on() -> None:
    with pytest.raises(DataError, match="E325"):
        network().fit(Toy(images(1)))


def test_a_diverged_training_is_told_and_what_to_do() -> None:
    with pytest.raises(PipelineError, match=r"E326 .* epoch 0 is nan.*learning_rate"):
        network().fit(Toy(images(5) * torch.nan))
