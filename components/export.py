"""From a fitted network to a sealed ONNX model, its parity with torch, and its latency."""

import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np

from components.data.images import Image, to_model_input
from components.machine import hardware
from components.predict import (
    ONNX_FILE,
    SEAL_FILE,
    ExportedModel,
    TorchModel,
    at_size_of,
    file_sha256,
    sealed_files,
)
from components.records import Latency, Parity, Seal

OPSET = 18
TOLERANCE_REL = 1e-3
_WARM_UP = 5


def export(model: TorchModel, folder: Path) -> None:
    """Write ``model.onnx``: images (B, 3, H, W) in 0..1 → pred_score (B,), anomaly_map (B,1,H,W).

    The batch is free, H = W = the model's square; nothing is printed.
    """
    import torch

    side = model.image_size_px
    images = torch.zeros(2, 3, side, side)
    part = folder / f".{ONNX_FILE}.part"
    with _quiet(), torch.inference_mode():
        torch.onnx.export(
            model.network,
            (images,),
            part,
            input_names=["images"],
            output_names=["pred_score", "anomaly_map"],
            opset_version=OPSET,
            dynamic_axes={name: {0: "batch"} for name in ("images", "pred_score", "anomaly_map")},
            dynamo=False,
        )
    part.replace(folder / ONNX_FILE)


def seal(folder: Path) -> Seal:
    """Write ``seal.json``: the sha256 of every file of the folder, to be checked before use."""
    made = Seal(
        files={
            path.relative_to(folder).as_posix(): file_sha256(path) for path in sealed_files(folder)
        }
    )
    made.save(folder / SEAL_FILE)
    return made


def check_parity(
    torch_model: TorchModel, exported: ExportedModel, images: Sequence[Image]
) -> Parity:
    """Compare raw scores and maps of the exported model with torch's, image by image."""
    score_diffs, relative, map_diffs = [0.0], [0.0], [0.0]
    for image in images:
        (expected,), (expected_map,) = torch_model.predict([image])
        (found,), (found_map,) = exported.predict([image])
        score_diffs.append(abs(float(found) - float(expected)))
        relative.append(score_diffs[-1] / max(abs(float(expected)), 1e-12))
        map_diffs.append(float(np.abs(found_map - expected_map).max()))
    return Parity(
        num_images=len(images),
        max_abs_score_diff=max(score_diffs),
        max_rel_score_diff=max(relative),
        max_abs_map_diff=max(map_diffs),
        tolerance_rel=TOLERANCE_REL,
    )


def measure_latency(
    exported: ExportedModel,
    images: Sequence[Image],
    num_runs: int = 60,
    batch: int = 1,
    *,
    alone: bool = False,
) -> Latency:
    """Time the exported model after warm-up: percentiles of milliseconds per image.

    p50 to p99 are the model alone; ``pre_ms`` (resize, scale) and ``post_ms`` (map to the
    image's size) are medians per image. ``alone`` is the caller's word that nothing else ran.
    """
    assert images, "latency is measured on images"
    turns = [
        [images[(run * batch + i) % len(images)] for i in range(batch)] for run in range(num_runs)
    ]
    for turn in turns[:_WARM_UP]:
        _timed(exported, turn)
    pre, model, post = np.array([_timed(exported, turn) for turn in turns]).T * 1000 / batch
    p50, p95, p99 = np.percentile(model, [50, 95, 99]).tolist()
    return Latency(
        runtime=exported.runtime,
        hardware=hardware(),
        num_threads=exported.num_threads,
        num_runs=num_runs,
        batch=batch,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        pre_ms=float(np.median(pre)),
        post_ms=float(np.median(post)),
        alone=alone,
    )


def _timed(exported: ExportedModel, images: Sequence[Image]) -> tuple[float, float, float]:
    """Return the seconds of pre-processing, model and post-processing of one batch."""
    started = time.perf_counter()
    inputs = np.stack([to_model_input(image, exported.image_size_px) for image in images])
    ready = time.perf_counter()
    _, maps = exported.run(inputs)
    done = time.perf_counter()
    for image, square in zip(images, maps):
        at_size_of(image, square[0])
    return ready - started, done - ready, time.perf_counter() - done


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's advice to its own developers off the console."""
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
