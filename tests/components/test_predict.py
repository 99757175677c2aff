"""Predictions: batches, transforms, maps on disk, and the seal."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.data.images import Image
from components.errors import PipelineError, SealError
from components.export import export, seal
from components.models.backbones import WeightStore
from components.models.padim import Padim
from components.predict import ExportedModel, Scored, TorchModel, check_seal, predict
from components.records import Calibration, Manifest, Split
from components.train import TrainParams, fit
from tests.components.models.parts import IMAGE_SIZE_PX, parts


class Mean:
    """A model whose score and map are the image's mean brightness in 0..1."""

    def predict(self, images: Sequence[Image]) -> Scored:
        means = np.array([image.mean() / 255 for image in images], np.float32)
        return means, [np.full(image.shape, m, np.float32) for image, m in zip(images, means)]


class Broken(Mean):
    """Gives NaN for the third image it sees."""

    def predict(self, images: Sequence[Image]) -> Scored:
        scores, maps = super().predict(images)
        scores[2] = np.nan
        return scores, maps


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: Any) -> Manifest:
    return parts(tmp_path_factory.mktemp("parts"), num_normal=9, num_defective=2)


@pytest.fixture(scope="module")
def folder(manifest: Manifest, tmp_path_factory: Any) -> Path:
    out = tmp_path_factory.mktemp("fitted") / "model"
    params = TrainParams(detector=Padim(n_features=10), image_size_px=IMAGE_SIZE_PX)
    fit(params, manifest, manifest.of(Split.FIT), WeightStore(), 0, out, "d:1", "f")
    export(TorchModel(out), out)
    Calibration(
        image_threshold=4.5, pixel_threshold=3.0, rule="fpr<=0.05", fpr=0.05, split="tune",
        num_scores=9,
    ).save(out / "calibration.json")  # fmt: skip
    seal(out)
    return out


def copy_of(folder: Path, to: Path) -> Path:
    import shutil

    return Path(shutil.copytree(folder, to / "copy"))


def test_predictions_keep_the_order_and_the_labels_of_their_records(manifest: Manifest) -> None:
    predictions = predict(Mean(), manifest, manifest.records)
    assert [p.image_id for p in predictions] == [r.image_id for r in manifest.records]
    assert [p.gt_label for p in predictions] == [0] * 9 + [1] * 2
    assert {p.defect_type for p in predictions[9:]} == {"scratch"}


def test_no_records_give_no_predictions(manifest: Manifest) -> None:
    assert predict(Mean(), manifest, ()) == ()


def test_maps_are_collected_and_kept_as_float16_under_the_images_id(
    manifest: Manifest, tmp_path: Path
) -> None:
    seen: list[str] = []
    records = manifest.records[:3]
    predict(
        Mean(), manifest, records, maps_dir=tmp_path,
        collect=lambda record, anomaly_map: seen.append(f"{record.image_id} {anomaly_map.shape}"),
    )  # fmt: skip
    assert seen == [f"{record.image_id} (96, 96)" for record in records]
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{r.image_id}.npy" for r in records]
    kept = np.load(tmp_path / f"{records[0].image_id}.npy", allow_pickle=False)
    assert kept.dtype == np.float16
    assert kept.shape == (96, 96)


def test_progress_counts_up_to_the_number_of_images(manifest: Manifest) -> None:
    steps: list[tuple[int, int]] = []
    predict(Mean(), manifest, manifest.records, progress=lambda done, of: steps.append((done, of)))
    assert steps == [(4, 11), (8, 11), (11, 11)]


def test_a_transform_draws_the_same_for_an_image_whatever_its_company(manifest: Manifest) -> None:
    def darken(image: Image, rng: np.random.Generator) -> Image:
        return (image * rng.uniform(0.2, 1)).astype(image.dtype)

    together = predict(Mean(), manifest, manifest.records, transform=darken)
    alone = predict(Mean(), manifest, manifest.records[4:5], transform=darken)
    assert together[4] == alone[0]
    assert len({p.pred_score for p in together}) == len(together)


def test_a_score_that_is_not_a_number_names_its_image(manifest: Manifest) -> None:
    with pytest.raises(PipelineError, match=r"E135 The score of 0+2\.png is nan"):
        predict(Broken(), manifest, manifest.records)


# --- the exported model -------------------------------------------------------------------------


def test_a_sealed_model_loads_with_its_calibration(folder: Path) -> None:
    model = ExportedModel(folder)
    assert model.calibration is not None
    assert model.calibration.image_threshold == 4.5
    assert model.image_size_px == IMAGE_SIZE_PX


@pytest.mark.parametrize(
    "name", ["model.onnx", "model.safetensors", "detector.json", "calibration.json"]
)
def test_a_byte_appended_to_any_file_is_noticed_and_the_file_named(
    name: str, folder: Path, tmp_path: Path
) -> None:
    copy = copy_of(folder, tmp_path)
    with (copy / name).open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(SealError, match=f"E151 .*{name} is not the file that was sealed"):
        ExportedModel(copy)


def test_a_changed_byte_is_noticed(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path)
    changed = bytearray((copy / "model.onnx").read_bytes())
    changed[len(changed) // 2] ^= 1
    (copy / "model.onnx").write_bytes(changed)
    with pytest.raises(SealError, match=r"model\.onnx"):
        ExportedModel(copy)


def test_a_missing_file_is_noticed(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path)
    (copy / "calibration.json").unlink()
    with pytest.raises(SealError, match=r"E151 .*calibration\.json .*missing"):
        check_seal(copy)


def test_an_unsealed_folder_is_not_served_unless_told_so(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path)
    (copy / "seal.json").unlink()
    with pytest.raises(SealError, match="E150"):
        ExportedModel(copy)
    ExportedModel(copy, sealed=False)


def test_an_empty_folder_holds_no_detector(tmp_path: Path) -> None:
    with pytest.raises(SealError, match=r"E153 .*detector\.json and no model\.safetensors"):
        TorchModel(tmp_path)


def test_a_detector_whose_file_is_gone_is_named(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path)
    path = copy / "detector.json"
    path.write_text(path.read_text().replace('"padim"', '"forgotten"'))
    with pytest.raises(SealError, match=r"E153 .* holds a forgotten, no detector here"):
        TorchModel(copy)


def test_serving_an_exported_model_needs_neither_torch_nor_anomalib(folder: Path) -> None:
    program = (
        "import sys, numpy as np, pathlib\n"
        "from components.predict import ExportedModel\n"
        "model = ExportedModel(pathlib.Path(sys.argv[1]))\n"
        "scores, maps = model.predict([np.zeros((30, 40), np.uint8)])\n"
        "assert maps[0].shape == (30, 40)\n"
        "print(sorted({'torch', 'anomalib', 'timm', 'lightning'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
