"""Fitting: its inputs, its guards, its determinism, and what it leaves on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.augment import corruption
from components.errors import DataError, LeakError, ParamsError
from components.models.backbones import BACKBONES, WeightStore
from components.models.padim import Padim
from components.models.patchcore import Patchcore
from components.models.saved import SavedDetector
from components.models.stfpm import Stfpm
from components.params import read_yaml, validate
from components.predict import TorchModel
from components.records import FittedDetector, Manifest, Split
from components.train import TrainParams, _TrainingImages, add_noise, fit, weights_sha256
from tests.components.models.parts import IMAGE_SIZE_PX, parts

PARAMS = Path(__file__).resolve().parents[2] / "params" / "models"
SMALL = TrainParams(detector=Patchcore(coreset_ratio=0.1), image_size_px=IMAGE_SIZE_PX)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: Any) -> Manifest:
    return parts(tmp_path_factory.mktemp("parts"), num_normal=10, num_defective=2)


def fitted(params: TrainParams, manifest: Manifest, out: Path, seed: int = 0) -> FittedDetector:
    store = WeightStore()
    return fit(params, manifest, manifest.of(Split.FIT), store, seed, out, "d:1", "abc")


def scores(params: TrainParams, manifest: Manifest, out: Path, seed: int = 0) -> Any:
    from components.data.images import read_image

    model = TorchModel(fitted(params, manifest, out, seed).folder)
    return model.predict([read_image(manifest.path(r)) for r in manifest.of(Split.TUNE)])[0]


def inputs(params: TrainParams, manifest: Manifest, epoch: int = 0) -> Any:
    images = _TrainingImages(params, manifest, manifest.of(Split.FIT), 0)
    return np.concatenate([batch.numpy() for batch in images(epoch)])


@pytest.mark.parametrize(
    "name",
    ["patchcore", "padim", "stfpm", "cflow", "csflow", "efficient_ad", "fastflow",
     "reverse_distillation"],
)  # fmt: skip
def test_every_shipped_model_file_is_valid_and_named_after_its_detector(name: str) -> None:
    path = PARAMS / f"{name}.yaml"
    assert validate(TrainParams, read_yaml(path), str(path)).detector.kind == name


def test_a_misspelt_key_is_named_with_the_valid_ones() -> None:
    values = {"detector": {"kind": "patchcore", "corset_ratio": 0.1}}
    with pytest.raises(
        ParamsError, match=r"unknown key 'detector.patchcore.corset_ratio'.*coreset_ratio"
    ):
        validate(TrainParams, values, "models/x.yaml")


def test_names_are_short_and_tell_candidates_apart() -> None:
    noisy = SMALL.replaced(input_noise=0.02)
    assert SMALL.name == "patchcore/lite0·64·σ0·b2+4·c0.1·k10"
    assert noisy.name == "patchcore/lite0·64·σ0.02·b2+4·c0.1·k10"
    floor = TrainParams(detector=Padim(weights="random"))
    assert floor.name == "padim/lite0·random weights·256·σ0·b2+4·n100"


def test_a_gradient_step_takes_the_declared_images_and_never_a_single_one_that_is_over(
    manifest: Manifest,
) -> None:
    def sizes(batch_size: int, detector: Any) -> list[int]:
        params = SMALL.replaced(batch_size=batch_size, detector=detector)
        ten = _TrainingImages(params, manifest, manifest.of(Split.FIT), 0)
        return [len(batch) for batch in ten(0)]

    student = Stfpm(num_epochs=1)
    assert sizes(4, student) == [4, 4, 2]
    assert sizes(3, student) == [3, 3, 4]
    assert sizes(1, student) == [1] * 10
    assert sizes(32, student) == [10]
    assert sizes(3, Padim()) == [4, 4, 2]  # one pass: no step, its size changes no result


def test_another_batch_size_is_another_candidate() -> None:
    assert SMALL.replaced(batch_size=16).name == f"{SMALL.name}·batch 16"


def test_the_weights_of_a_random_floor_are_called_random() -> None:
    assert weights_sha256(SMALL) == BACKBONES["lite0"].sha256
    assert weights_sha256(TrainParams(detector=Padim(weights="random"))) == "random"


def test_the_record_and_the_folder_say_what_was_fitted(manifest: Manifest, tmp_path: Path) -> None:
    record = fitted(SMALL, manifest, tmp_path / "model", seed=3)
    assert (record.detector, record.backbone, record.num_images) == ("patchcore", "lite0", 10)
    assert record.fit_s > 0
    assert record.peak_bytes > 50e6  # torch alone is more
    saved = SavedDetector.load(tmp_path / "model" / "detector.json")
    assert TrainParams.model_validate(saved.params) == SMALL
    assert (saved.seed, saved.fingerprint, saved.data_version) == (3, "abc", "d:1")


def test_another_fit_replaces_the_folder_whole(manifest: Manifest, tmp_path: Path) -> None:
    out = tmp_path / "model"
    fitted(SMALL, manifest, out)
    (out / "stale.txt").write_text("from an older fit")
    fitted(SMALL, manifest, out)
    assert sorted(p.name for p in out.iterdir()) == ["detector.json", "model.safetensors"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_failing_write_leaves_the_older_fit_as_it_was(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model"
    fitted(SMALL, manifest, out)
    before = (out / "model.safetensors").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("components.train.save_network", full)
    with pytest.raises(OSError, match="No space left"):
        fitted(SMALL, manifest, out, seed=1)
    assert (out / "model.safetensors").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_nothing_to_learn_from_is_an_error(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="E136"):
        fit(SMALL, manifest, (), WeightStore(), 0, tmp_path / "model", "", "")


def test_an_anomalous_image_among_the_normals_is_a_leak(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(LeakError, match=r"E137 2 anomalous images .* e\.g\. 0+a\.png"):
        fit(SMALL, manifest, manifest.records, WeightStore(), 0, tmp_path / "model", "", "")


def test_one_image_is_too_few_for_a_covariance(manifest: Manifest, tmp_path: Path) -> None:
    params = SMALL.replaced(detector=Padim())
    with pytest.raises(DataError, match="E134"):
        fit(params, manifest, manifest.records[:1], WeightStore(), 0, tmp_path / "m", "", "")


def test_the_callers_random_stream_is_left_alone(manifest: Manifest, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    fitted(SMALL, manifest, tmp_path / "model")
    assert torch.equal(torch.rand(1), expected)


# --- inputs -------------------------------------------------------------------------------------


def test_noise_changes_scores_and_follows_the_seed(manifest: Manifest, tmp_path: Path) -> None:
    noisy = SMALL.replaced(input_noise=0.1)
    clean = scores(SMALL, manifest, tmp_path / "a")
    first = scores(noisy, manifest, tmp_path / "b", seed=1)
    assert not np.array_equal(first, clean)
    np.testing.assert_array_equal(first, scores(noisy, manifest, tmp_path / "c", seed=1))


def test_clean_inputs_are_the_images_themselves() -> None:
    planes = np.random.default_rng(0).random((1, 8, 8), dtype=np.float32)
    made = add_noise(planes, 0.0, np.random.default_rng(1))
    assert made.shape == (3, 8, 8)
    assert all(np.array_equal(plane, planes[0]) for plane in made)


@settings(max_examples=25, deadline=None)
@given(largest=st.floats(0.001, 0.5), seed=st.integers(0, 2**32 - 1))
def test_noise_stays_in_range_below_its_level_and_equal_over_grey_channels(
    largest: float, seed: int
) -> None:
    planes = np.full((1, 64, 64), 0.5, np.float32)
    made = add_noise(planes, largest, np.random.default_rng(seed))
    assert made.min() >= 0 and made.max() <= 1
    assert made.std() <= largest * 1.1  # 4,096 draws: five sigma above the largest level
    assert np.array_equal(made[0], made[1]) and np.array_equal(made[0], made[2])


def test_noise_levels_of_images_spread_over_the_whole_range() -> None:
    planes = np.full((1, 32, 32), 0.5, np.float32)
    levels = [add_noise(planes, 0.1, np.random.default_rng(i)).std() for i in range(200)]
    assert min(levels) < 0.01
    assert max(levels) > 0.09
    assert np.mean(levels) == pytest.approx(0.05, abs=0.007)


def test_copies_add_augmented_passes_after_the_clean_one(manifest: Manifest) -> None:
    blurred = SMALL.replaced(
        augment=(corruption("defocus").replaced(p=1.0).model_dump(),), augment_copies=2
    )
    plain, copies = inputs(SMALL, manifest), inputs(blurred, manifest)
    assert len(plain) == 10
    assert len(copies) == 30
    np.testing.assert_array_equal(copies[:10], plain)
    assert not np.array_equal(copies[10:20], plain)
    assert not np.array_equal(copies[10:20], copies[20:])


def test_epochs_shuffle_and_draw_anew_but_repeat_by_seed(manifest: Manifest) -> None:
    params = TrainParams(detector=Stfpm(), image_size_px=IMAGE_SIZE_PX, input_noise=0.1)
    first, again = (inputs(params, manifest, 0) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, inputs(params, manifest, 1))


def test_images_kept_in_memory_are_those_on_disk(manifest: Manifest) -> None:
    params = TrainParams(detector=Stfpm(), image_size_px=IMAGE_SIZE_PX)
    images = _TrainingImages(params, manifest, manifest.of(Split.FIT), 0)
    read = [batch.numpy() for batch in images(0)]
    kept = [batch.numpy() for batch in images(0)]
    np.testing.assert_allclose(np.concatenate(kept), np.concatenate(read), atol=5e-4)  # float16


@pytest.mark.parametrize(("share", "num_held"), [(0.05, 1), (0.3, 3), (0.96, 9)])
def test_images_held_out_come_in_no_batch_of_those_to_learn_from(
    manifest: Manifest, share: float, num_held: int
) -> None:
    params = TrainParams(detector=Stfpm(), image_size_px=IMAGE_SIZE_PX)
    images = _TrainingImages(params, manifest, manifest.of(Split.FIT), 0)
    learned, held = images.divided(share)
    for epoch in range(3):
        shown = [[p.numpy().tobytes() for batch in part(epoch) for p in batch.half()]
                 for part in (learned, held, images)]  # fmt: skip
        assert [len(part) for part in shown] == [10 - num_held, num_held, 10]
        assert set(shown[0]) | set(shown[1]) == set(shown[2])


def test_a_single_image_is_learnt_from_rather_than_held_out(manifest: Manifest) -> None:
    params = TrainParams(detector=Stfpm(), image_size_px=IMAGE_SIZE_PX)
    images = _TrainingImages(params, manifest, manifest.of(Split.FIT)[:1], 0)
    learned, held = images.divided(0.5)
    assert (len(list(learned(0))), len(list(held(0)))) == (1, 0)


def test_no_two_candidates_share_a_name() -> None:
    plain = TrainParams(detector=Stfpm(num_epochs=2))
    other = TrainParams(detector=Stfpm(num_epochs=2, learning_rate=0.1))
    assert other.name == f"{plain.name}·learning_rate=0.1"
