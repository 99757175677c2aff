"""What every detector keeps when its frozen backbone remembers: its results, to the bit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from components.data.images import read_image
from components.models import KINDS
from components.models.backbones import BACKBONES, WeightStore, load_backbone
from components.models.feature_store import FeatureStore, use_feature_store
from components.models.networks.extractors import build_extractor
from components.models.networks.remembering import Memory, memory_of
from components.models.saved import DESCRIPTION_FILE, SavedDetector
from components.predict import TorchModel
from components.records import Manifest, Split
from components.train import TrainParams, fit
from tests.components.models.parts import IMAGE_SIZE_PX, parts
from tests.components.models.tiny import tiny

BOTH, ONE = ("blocks.2", "blocks.4"), ("blocks.2",)
FROZEN = ("cfa", "dfkde", "dfm", "padim", "patchcore")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: Any) -> Manifest:
    return parts(tmp_path_factory.mktemp("parts"), num_normal=7, num_defective=3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FeatureStore]:
    opened = FeatureStore(tmp_path / "features", 50_000_000)
    use_feature_store(opened)
    yield opened
    use_feature_store(None)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of images of every backbone pass."""
    seen: list[int] = []
    call = nn.Module._call_impl

    def noted(module: nn.Module, *inputs: Any, **named: Any) -> Any:
        if type(module).__name__ == "TimmMaps":
            seen.append(len(inputs[0]))
        return call(module, *inputs, **named)

    monkeypatch.setattr(nn.Module, "_call_impl", noted)
    monkeypatch.setattr(nn.Module, "_wrapped_call_impl", noted)
    return seen


def run(params: TrainParams, manifest: Manifest, out: Path) -> tuple[Any, Any, dict[str, Any]]:
    """Fit, load and score; return scores, maps and the fitted state."""
    normals = manifest.of(Split.FIT)
    fit(params, manifest, normals, WeightStore(), 0, out, "d:0", "f")
    model = TorchModel(out)
    images = [read_image(manifest.path(record)) for record in manifest.records]
    scores, maps = model.predict(images)
    return scores, np.stack(maps), model.network.state_dict()


def same(found: tuple[Any, Any, Any], expected: tuple[Any, Any, Any]) -> None:
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert list(found[2]) == list(expected[2])
    assert all(torch.equal(found[2][name], value) for name, value in expected[2].items())


@pytest.mark.parametrize("kind", FROZEN)
def test_a_run_without_with_an_empty_and_with_a_full_store_is_the_same_to_the_bit(
    kind: str, manifest: Manifest, tmp_path: Path
) -> None:
    params = tiny(KINDS[kind])
    expected = run(params, manifest, tmp_path / "without")
    store = FeatureStore(tmp_path / "features", 50_000_000)
    use_feature_store(store)
    try:
        same(run(params, manifest, tmp_path / "empty"), expected)
        assert store.use.num_computed >= 3  # the defective ones at least
        before = store.use.num_computed
        same(run(params, manifest, tmp_path / "full"), expected)
        assert store.use.num_computed == before
    finally:
        use_feature_store(None)


def test_ratio_scores_features_layers_and_detector_cost_no_second_pass(
    store: FeatureStore, manifest: Manifest, tmp_path: Path, passes: list[int]
) -> None:
    from components.models.dfm import Dfm
    from components.models.padim import Padim
    from components.models.patchcore import Patchcore

    def params(detector: Any) -> TrainParams:
        return TrainParams(detector=detector, image_size_px=IMAGE_SIZE_PX, input_noise=0.05)

    run(params(Patchcore(coreset_ratio=0.1, layers=BOTH)), manifest, tmp_path / "first")
    assert sum(passes) == 17  # 7 with noise, then all 10 without it
    passes.clear()
    for number, detector in enumerate(
        [
            Patchcore(coreset_ratio=0.3, top_k=2, layers=BOTH, smoothing_sigma=1),
            Patchcore(coreset_ratio=0.2, layers=ONE, projection="sparse"),
            Padim(n_features=20, layers=BOTH),
            Padim(n_features=30, layers=ONE),
            Dfm(layers=ONE),
        ]
    ):
        run(params(detector), manifest, tmp_path / f"{number}")
    assert passes == []


def test_a_layer_subset_read_from_the_store_is_the_one_that_would_be_computed(
    store: FeatureStore, manifest: Manifest, tmp_path: Path
) -> None:
    from components.models.padim import Padim

    subset = TrainParams(detector=Padim(layers=ONE), image_size_px=IMAGE_SIZE_PX)
    run(TrainParams(detector=Padim(layers=BOTH), image_size_px=IMAGE_SIZE_PX), manifest,
        tmp_path / "both")  # fmt: skip
    found = run(subset, manifest, tmp_path / "found")
    use_feature_store(None)
    same(found, run(subset, manifest, tmp_path / "computed"))


def test_noise_size_and_pixels_are_computed_anew(store: FeatureStore, passes: list[int]) -> None:
    network = load_backbone(WeightStore(), "lite0", "pretrained", ONE)
    image = torch.rand(1, 3, 64, 64)
    touched = image.clone()
    touched[0, 2, 63, 63] += 1e-6
    for one in (image, image, touched, image[..., :32, :32].contiguous(), image.clone()):
        with torch.inference_mode():
            network(one)
    assert passes == [1, 1, 1]


def test_a_batch_that_is_known_in_part_computes_only_the_rest(
    store: FeatureStore, passes: list[int]
) -> None:
    network = load_backbone(WeightStore(), "lite0", "pretrained", BOTH)
    network = network.to(memory_format=torch.channels_last)
    images = torch.rand(4, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        network(images[1:3])
        mixed = network(images)
        use_feature_store(None)
        expected = network(images)
    assert passes == [2, 2, 4]
    for layer in BOTH:
        assert torch.equal(mixed[layer], expected[layer])
        assert mixed[layer].stride() == expected[layer].stride()


def test_a_network_that_can_learn_or_is_traced_or_runs_on_more_threads_computes(
    store: FeatureStore, passes: list[int]
) -> None:
    images = torch.rand(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    network = load_backbone(WeightStore(), "lite0", "pretrained", ONE)
    network(images)
    network(images)
    assert passes == [2]
    torch.jit.trace(network, images, strict=False, check_trace=False)
    images.requires_grad_(True)
    network(images)
    next(network.parameters()).requires_grad_(True)
    network(images.detach())
    network.requires_grad_(False)
    torch.set_num_threads(2)
    network(images.detach())
    torch.set_num_threads(1)
    assert len(passes) == 5


def test_random_weights_are_never_remembered(store: FeatureStore) -> None:
    assert load_backbone(WeightStore(), "lite0", "random", ONE).memory is None
    assert load_backbone(WeightStore(), "lite0", "pretrained", ONE, trainable=True).memory is None


def test_a_saved_detector_of_other_code_does_not_look_into_the_store(
    store: FeatureStore, manifest: Manifest, tmp_path: Path, passes: list[int]
) -> None:
    from components.models.padim import Padim

    out = tmp_path / "model"
    run(TrainParams(detector=Padim(layers=ONE), image_size_px=IMAGE_SIZE_PX), manifest, out)
    passes.clear()
    saved = SavedDetector.load(out / DESCRIPTION_FILE)
    saved.model_copy(update={"code": "older"}).save(out / DESCRIPTION_FILE)
    TorchModel(out).predict([read_image(manifest.path(r)) for r in manifest.records])
    assert sum(passes) == 10


@pytest.mark.parametrize("name", ["lite0", "resnet18", "alexnet"])
def test_every_family_gives_an_image_the_same_bits_in_every_batch(
    name: str, store: FeatureStore
) -> None:
    backbone = BACKBONES[name]
    layers = tuple(list(backbone.layers)[-2:])
    network = build_extractor(backbone, layers)
    network.cut()
    network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    network.memory = memory_of(backbone, "0" * 64)
    assert isinstance(network.memory, Memory)
    images = torch.rand(3, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        alone = [network(images[i : i + 1]) for i in range(3)]
        found = network(images)
        use_feature_store(None)
        computed = network(images)
    for layer in layers:
        assert torch.equal(found[layer], computed[layer])
        assert torch.equal(torch.cat([maps[layer] for maps in alone]), computed[layer])
