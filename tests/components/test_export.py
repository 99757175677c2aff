"""Export: the ONNX file, quietness, parity and latency."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.export import check_parity, export, measure_latency, seal
from components.machine import hardware
from components.models.saved import SavedDetector
from components.predict import ExportedModel, TorchModel, check_seal


class Brightest(torch.nn.Module):
    """A detector small enough to follow by hand: the map is the red channel, doubled."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        anomaly_map = images[:, :1] * 2
        return anomaly_map.amax(dim=(1, 2, 3)), anomaly_map


@pytest.fixture
def folder(tmp_path: Path, capfd: Any) -> Path:
    export(TorchModel(Brightest(), 32), tmp_path)  # type: ignore[arg-type]
    assert "".join(capfd.readouterr()) == "", "exporting printed something"
    SavedDetector(
        params={}, image_size_px=32, seed=0, fingerprint="", data_version="", backbone="",
        weights_sha256="", code="",
    ).save(tmp_path / "detector.json")  # fmt: skip
    seal(tmp_path)
    return tmp_path


def test_the_exported_model_computes_what_torch_does(folder: Path) -> None:
    image = np.zeros((32, 32), np.uint8)
    image[3, 4] = 51  # 51/255 = 0.2, doubled
    (score,), (anomaly_map,) = ExportedModel(folder).predict([image])
    assert score == pytest.approx(0.4)
    assert anomaly_map[3, 4] == pytest.approx(0.4)
    assert anomaly_map.sum() == pytest.approx(0.4)


def test_the_file_is_opset_18_with_a_free_batch_and_no_leftovers(folder: Path) -> None:
    import onnx

    model = onnx.load(folder / "model.onnx")
    assert model.opset_import[0].version == 18
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert shape[0].dim_param == "batch"
    assert [d.dim_value for d in shape[1:]] == [3, 32, 32]
    assert sorted(p.name for p in folder.iterdir()) == ["detector.json", "model.onnx", "seal.json"]


def test_parity_holds_for_the_same_model_and_not_for_another(folder: Path) -> None:
    class Other(Brightest):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            score, anomaly_map = super().forward(images)
            return score * 1.01, anomaly_map + 0.5

    images = [np.full((20, 20), value, np.uint8) for value in (51, 102)]
    same = check_parity(TorchModel(Brightest(), 32), ExportedModel(folder), images)  # type: ignore[arg-type]
    assert same.held
    assert same.num_images == 2
    other = check_parity(TorchModel(Other(), 32), ExportedModel(folder), images)  # type: ignore[arg-type]
    assert not other.held
    assert other.max_rel_score_diff == pytest.approx(0.01 / 1.01, rel=1e-3)
    assert other.max_abs_score_diff == pytest.approx(0.008, rel=1e-3)
    assert other.max_abs_map_diff == pytest.approx(0.5, rel=1e-3)


def test_latency_is_measured_in_order_and_says_where(folder: Path) -> None:
    images = [np.zeros((40, 60), np.uint8)]
    latency = measure_latency(ExportedModel(folder), images, 12, batch=2)
    assert 0 < latency.p50_ms <= latency.p95_ms <= latency.p99_ms
    assert latency.pre_ms > 0
    assert (latency.num_runs, latency.batch, latency.num_threads) == (12, 2, 1)
    assert latency.hardware == hardware()
    assert "cores" in hardware()
    assert not latency.alone


def test_a_seal_covers_new_files_after_sealing_again(folder: Path) -> None:
    (folder / "calibration.json").write_text("{}")
    assert set(seal(folder).files) == {"calibration.json", "detector.json", "model.onnx"}
    check_seal(folder)
