"""Raw scores and anomaly maps of images, by the exported model or by torch.

Serving imports this module: for :class:`ExportedModel` it needs onnxruntime, numpy and OpenCV,
and neither torch nor anomalib.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from components.data.images import Image, opencv, read_image, to_model_input
from components.errors import PipelineError, SealError
from components.models.saved import DESCRIPTION_FILE, SavedDetector, load_network
from components.records import Calibration, ImageRecord, Manifest, Prediction, Seal

if TYPE_CHECKING:
    from components.models.detector import Network

Map = NDArray[np.float32]
T = TypeVar("T")
Scored = tuple[NDArray[np.float32], list[Map]]

BATCH = 4  # larger ones are slower on a CPU: their activations leave the cache
ONNX_FILE = "model.onnx"
SEAL_FILE = "seal.json"
CALIBRATION_FILE = "calibration.json"


class Model(Protocol):
    """Anything that scores images."""

    localises: bool

    def predict(self, images: Sequence[Image]) -> Scored:
        """Return raw scores (N,) and maps, each at its image's own size."""
        ...


class _SquareModel:
    """Resizes to the model's square, runs batches, resizes maps back."""

    image_size_px: int
    localises = True  # False: maps are 0 everywhere, and no figure may be made of them

    def run(self, inputs_B3HW: NDArray[np.float32]) -> tuple[Map, Map]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W) of inputs in 0..1."""
        raise NotImplementedError

    def predict(self, images: Sequence[Image]) -> Scored:
        """Score images (uint8 or uint16, H×W or H×W×3): raw scores (N,) and float32 maps H×W."""
        scores: list[Map] = []
        maps: list[Map] = []
        for batch in _batches(images):
            inputs = np.stack([to_model_input(image, self.image_size_px) for image in batch])
            batch_scores, batch_maps = self.run(inputs)
            scores.append(batch_scores)
            maps += [at_size_of(image, square[0]) for image, square in zip(batch, batch_maps)]
        return np.concatenate(scores) if scores else np.empty(0, np.float32), maps


class ExportedModel(_SquareModel):
    """The ONNX model of a folder, every sealed file checked byte for byte before use.

    Raises:
        SealError: E150, no seal; E151, a file is missing or its bytes changed.
    """

    def __init__(self, folder: Path, num_threads: int = 1, *, sealed: bool = True) -> None:
        import onnxruntime

        self.folder = folder
        self.num_threads = num_threads
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        if sealed:
            check_seal(folder)
        saved = SavedDetector.load(folder / DESCRIPTION_FILE)
        self.image_size_px, self.localises = saved.image_size_px, saved.localises
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            (folder / ONNX_FILE).read_bytes(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, inputs_B3HW: NDArray[np.float32]) -> tuple[Map, Map]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W) of inputs in 0..1."""
        score, anomaly_map = self._session.run(
            ["pred_score", "anomaly_map"], {"images": inputs_B3HW}
        )
        return score, anomaly_map

    @cached_property
    def calibration(self) -> Calibration | None:
        """The thresholds beside the model, or None where none were set."""
        path = self.folder / CALIBRATION_FILE
        return Calibration.load(path) if path.is_file() else None


class TorchModel(_SquareModel):
    """A fitted network, from its folder or from memory, on one thread.

    Raises:
        SealError: E153, the folder does not hold a fitted detector.
    """

    def __init__(self, source: "Path | Network", image_size_px: int | None = None) -> None:
        import torch

        torch.set_num_threads(1)  # two OpenMP threads on busy cores spin more than they compute
        self.network: Any = source
        if isinstance(source, Path):
            self.network, saved = load_network(source)
            image_size_px, self.localises = saved.image_size_px, saved.localises
        assert image_size_px is not None, "a network in memory does not know its image size"
        self.image_size_px = image_size_px

    def run(self, inputs_B3HW: NDArray[np.float32]) -> tuple[Map, Map]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W) of inputs in 0..1."""
        import torch

        with torch.inference_mode():
            images = torch.from_numpy(inputs_B3HW).contiguous(memory_format=torch.channels_last)
            score, anomaly_map = self.network(images)
        return score.numpy(), anomaly_map.numpy()


def at_size_of(image: Image, square: Map) -> Map:
    """Return the map resized bilinearly to the image's height and width."""
    resized: Map = opencv().resize(
        square, (image.shape[1], image.shape[0]), interpolation=opencv().INTER_LINEAR
    )
    return resized


def predict(
    model: Model,
    manifest: Manifest,
    records: Sequence[ImageRecord],
    *,
    maps_dir: Path | None = None,
    collect: Callable[[ImageRecord, Map], None] | None = None,
    transform: Callable[[Image, np.random.Generator], Image] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Prediction, ...]:
    """Score records of a manifest, in order.

    ``transform`` disturbs each image first, with a generator seeded by the image's id;
    ``collect`` receives each map as it is made; ``maps_dir`` keeps them as float16 ``.npy``.

    Raises:
        ImageRejected: an image cannot be read.
        PipelineError: E135, a score is not finite; the message names the image.
    """
    predictions: list[Prediction] = []
    for batch in _batches(records):
        images = [_read(manifest, record, transform) for record in batch]
        scores, maps = model.predict(images)
        for record, score, anomaly_map in zip(batch, scores.tolist(), maps, strict=True):
            predictions.append(_prediction(record, score))
            if collect:
                collect(record, anomaly_map)
            if maps_dir:
                _keep_map(maps_dir / f"{record.image_id}.npy", anomaly_map)
        if progress:
            progress(len(predictions), len(records))
    return tuple(predictions)


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def _read(
    manifest: Manifest,
    record: ImageRecord,
    transform: Callable[[Image, np.random.Generator], Image] | None,
) -> Image:
    image = read_image(manifest.path(record))
    if transform is None:
        return image
    seed = int.from_bytes(hashlib.sha256(record.image_id.encode()).digest()[:8])
    return transform(image, np.random.default_rng(seed))


def _prediction(record: ImageRecord, score: float) -> Prediction:
    if not np.isfinite(score):
        raise PipelineError(
            "E135",
            f"The score of {record.image_path} is {score}.",
            "The model is broken or was fitted on broken images: fit it again and look at both.",
        )
    return Prediction(
        image_id=record.image_id,
        pred_score=score,
        gt_label=record.gt_label,
        defect_type=record.defect_type,
        origin=record.origin,
    )


def _keep_map(path: Path, anomaly_map: Map) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as stream:
        np.save(stream, anomaly_map.astype(np.float16), allow_pickle=False)
    part.replace(path)


def sealed_files(folder: Path) -> list[Path]:
    """Return the files that a seal covers: all of the folder but the seal and unfinished ones."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [p for p in files if p.name != SEAL_FILE and not p.name.endswith(".part")]


def check_seal(folder: Path) -> None:
    """Compare every file of a model folder with its seal.

    Raises:
        SealError: E150, no seal; E151, a file is missing or its bytes changed.
    """
    path = folder / SEAL_FILE
    if not path.is_file():
        raise SealError("E150", f"{folder} has no {SEAL_FILE}.", "Only sealed models are served.")
    for name, recorded in Seal.load(path).files.items():
        found = file_sha256(folder / name) if (folder / name).is_file() else "missing"
        if found != recorded:
            raise SealError(
                "E151",
                f"{folder / name} is not the file that was sealed (sha256 {found[:12]} instead "
                f"of {recorded[:12]}).",
                "Fetch the model again from where it was registered.",
            )


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
