"""Fit one detector on the normal images of a manifest and save it whole.

Shapes: B images of one batch, H×W the model's square, values in 0..1.
"""

import copy
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from components.augment import Augmentation
from components.data.images import Image, read_image, to_model_input
from components.errors import DataError, LeakError
from components.identity import code_digest
from components.memory import forget_peak, peak_bytes
from components.models import Detector
from components.models.backbones import BACKBONES, WeightStore, weights_digest
from components.models.feature_store import images_that, saved_seconds
from components.models.saved import SavedDetector, save_network
from components.params import Params, digest_of
from components.records import FittedDetector, ImageRecord, Manifest
from components.watched import Moments, Watched

if TYPE_CHECKING:
    from torch import Tensor

    from components.models.detector import Batches, Network

ONE_PASS_BATCH = 4  # larger ones are slower on a CPU: their activations leave the cache
_BATCH = 8
_CACHE_BYTES = 1 << 30
_SHORT = {
    "coreset_ratio": "c",
    "num_epochs": "e",
    "n_features": "n",
    "top_k": "k",
    "base_width": "w",
    "patch_size": "p",
    "skips": "skips ",
}


class TrainParams(Params):
    """One candidate: a detector, the size it looks at, and how its inputs are disturbed.

    ``input_noise`` is the largest standard deviation of Gaussian noise on inputs in 0..1; each
    image draws its own level uniformly below it. Detectors of ``facts.own_noise`` get clean inputs
    and this level, and say what they do with it. ``augment_copies`` adds that many augmented
    passes for detectors that read their images once; others draw anew each epoch. ``batch_size``
    is that of a gradient step; detectors that read their images once do not depend on it.
    """

    detector: Detector
    image_size_px: int = Field(default=256, ge=32, le=1024, multiple_of=32)
    input_noise: float = Field(default=0.0, ge=0, le=0.5)
    augment: tuple[Augmentation, ...] = ()
    augment_copies: int = Field(default=0, ge=0)
    batch_size: int = Field(default=_BATCH, ge=1, le=256)

    @model_validator(mode="after")
    def _sizes_agree(self) -> Self:
        """A transformer looks at one size alone: its places are learned."""
        fixed = BACKBONES[self.detector.backbone].image_size_px
        if fixed not in (None, self.image_size_px):
            raise ValueError(
                f"{self.detector.backbone} looks at images of {fixed} px only, "
                f"not image_size_px {self.image_size_px}"
            )
        return self

    @property
    def name(self) -> str:
        """A short readable name: detector/backbone·size·σnoise·what differs from the defaults."""
        detector = self.detector
        random = "·random weights" if detector.weights == "random" else ""
        parts = [f"{detector.kind}/{detector.backbone}{random}", str(self.image_size_px)]
        parts.append(f"σ{self.input_noise:g}")
        layers = "+".join(layer.removeprefix("blocks.") for layer in detector.layers)
        parts += [f"b{layers}" if layers[0].isdigit() else layers] if layers else []
        parts += [
            f"{short}{value if isinstance(value, str) else format(value, 'g')}"
            for field, short in _SHORT.items()
            if (value := getattr(detector, field, None)) is not None
        ]
        parts += _unusual(detector)
        parts += [f"batch {self.batch_size}"] if self.batch_size != _BATCH else []
        if self.augment:
            kinds = "+".join(augmentation.kind for augmentation in self.augment)
            parts.append(f"{kinds}×{self.augment_copies}{_strength(self.augment)}")
        return "·".join(parts)


def _unusual(detector: Detector) -> list[str]:
    """Name what differs from the detector's defaults, so that no two candidates share a name."""
    shown = {"kind", "backbone", "layers", "weights", *_SHORT}
    return [
        f"{name}={getattr(detector, name)}"
        for name, field in type(detector).model_fields.items()
        if name not in shown and getattr(detector, name) != field.get_default()
    ]


def _strength(augment: Sequence[Augmentation]) -> str:
    """Return `` at 0.5`` for the papers' ranges times 0.5, a digest for ranges of another shape."""
    pairs = [
        (own, default)
        for drawn in augment
        for own, default in zip(drawn.model_dump().values(), type(drawn)().model_dump().values())
    ]
    ranges = [(own, default) for own, default in pairs if isinstance(own, tuple)]
    factor = ranges[0][0][1] / ranges[0][1][1]
    is_scaled = all(math.isclose(a, factor * b) for pair in ranges for a, b in zip(*pair))
    if not is_scaled or any(own != known for own, known in pairs if not isinstance(own, tuple)):
        return f" {digest_of([augmentation.model_dump() for augmentation in augment])[:6]}"
    return "" if math.isclose(factor, 1) else f" at {factor:.3g}"


def weights_sha256(params: TrainParams) -> str:
    """Return the sha256 of the weights that these params start from, or ``random``."""
    return weights_digest(params.detector.backbone, params.detector.weights)


def fit(
    params: TrainParams,
    manifest: Manifest,
    records: Sequence[ImageRecord],
    store: WeightStore,
    seed: int,
    out: Path,
    data_version: str,
    fingerprint: str,
    watch: "tuple[Moments, Callable[[Network, int], None]] | None" = None,
) -> FittedDetector:
    """Fit a detector on normal images and save it to ``out`` (replaced whole, or not at all).

    The same params, records and seed give the same detector on the same machine. ``watch``: what
    looks at the network between epochs, and when; it changes nothing but may raise.

    Raises:
        DataError: E136, no image to learn from.
        LeakError: E137, an anomalous image among those to learn from.
        WeightsError: the backbone's weights are missing or wrong.
    """
    import torch

    torch.set_num_threads(1)  # two OpenMP threads on busy cores spin more than they compute
    _check_normal(records)
    forget_peak()
    started, spared_s = time.perf_counter(), saved_seconds()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = params.detector.build(store, params.image_size_px, seed)
        drawn = _TrainingImages(params, manifest, records, seed)
        images: Batches = drawn
        if watch is not None:
            due, look = watch
            images = Watched(images, due, partial(look, network))
        with images_that(repeat=drawn.repeat):
            network.fit(images)
    # A cost that people choose by must not depend on what other fits left in the feature store.
    fit_s = time.perf_counter() - started + saved_seconds() - spared_s
    peak = peak_bytes()
    saved = SavedDetector(
        params=params.model_dump(mode="json"),
        image_size_px=params.image_size_px,
        seed=seed,
        fingerprint=fingerprint,
        data_version=data_version,
        backbone=params.detector.backbone,
        weights_sha256=weights_sha256(params),
        code=code_digest(),
    )
    _replace_folder(out, lambda folder: save_network(network, saved, folder))
    return FittedDetector(
        detector=params.detector.kind,
        backbone=saved.backbone,
        params=saved.params,
        fingerprint=fingerprint,
        data_version=data_version,
        seed=seed,
        num_images=len(records),
        fit_s=fit_s,
        peak_bytes=peak,
        weights_sha256=saved.weights_sha256,
        folder=out,
    )


class _TrainingImages:
    """Batches of disturbed inputs; each image draws from its own generator."""

    def __init__(
        self,
        params: TrainParams,
        manifest: Manifest,
        records: Sequence[ImageRecord],
        seed: int,
    ) -> None:
        self.params = params
        self.paths = [manifest.path(record) for record in records]
        self.indices = np.arange(len(records))  # of the images that this part hands out
        self.seed = seed
        noise, is_left = params.input_noise, params.detector.facts.own_noise
        self.input_noise, self._added_noise = (noise, 0.0) if is_left else (0.0, noise)
        self.one_pass = params.detector.facts.training == "one pass"
        size = len(records) * params.image_size_px**2 * 2
        self._keeps = not self.one_pass and not params.augment and size <= _CACHE_BYTES
        self._kept: dict[int, NDArray[np.float16]] = {}

    @property
    def repeat(self) -> bool:
        """Whether the very same inputs are seen again, by this fit or by the next."""
        return self.one_pass or not (self.params.input_noise or self.params.augment)

    def __call__(self, epoch: int) -> "Iterator[Tensor]":
        """Yield B3HW batches: in order for one pass (and its copies), else shuffled by epoch."""
        if not self.one_pass:
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.indices))
            yield from self._pass(epoch, self.indices[order].tolist(), augmented=True)
            return
        for again in range(1 + self.params.augment_copies):
            yield from self._pass(again, self.indices.tolist(), augmented=again > 0)

    def divided(self, share: float) -> "tuple[Self, Self]":
        """Return the images to learn from and those held out, at least one of each if possible."""
        assert 0 < share < 1, share
        drawn = np.random.default_rng(self.seed).permutation(self.indices)
        num_held = min(max(1, round(share * len(drawn))), len(drawn) - 1)
        return self._only(drawn[num_held:]), self._only(drawn[:num_held])

    def _only(self, indices: NDArray[np.int64]) -> Self:
        part = copy.copy(self)  # decoded images stay shared
        part.indices = np.sort(indices)
        return part

    def _pass(self, number: int, order: Sequence[int], *, augmented: bool) -> "Iterator[Tensor]":
        import torch

        size = ONE_PASS_BATCH if self.one_pass else self.params.batch_size
        for start, end in _bounds(len(order), size, is_step=not self.one_pass):
            inputs = [self._input(i, number, augmented) for i in order[start:end]]
            batch = torch.from_numpy(np.stack(inputs))
            yield batch.contiguous(memory_format=torch.channels_last)

    def _input(self, index: int, number: int, augmented: bool) -> NDArray[np.float32]:
        rng = np.random.default_rng([self.seed, number, index])
        if index in self._kept:
            planes = self._kept[index].astype(np.float32)
        else:
            image = read_image(self.paths[index])
            if augmented:
                image = self._augment(image, rng)
            planes = to_model_input(image, self.params.image_size_px)
            planes = planes[:1] if image.ndim == 2 else planes
            if self._keeps:
                self._kept[index] = planes.astype(np.float16)
        return add_noise(planes, self._added_noise, rng)

    def _augment(self, image: Image, rng: np.random.Generator) -> Image:
        for augmentation in self.params.augment:
            image, _ = augmentation.apply(image, None, rng)
        return image


def _bounds(num: int, size: int, *, is_step: bool) -> "Iterator[tuple[int, int]]":
    """Yield where batches begin and end. No gradient step is left with a single image over.

    A batch norm over 1×1 maps has no variance to learn from in a batch of one.
    """
    starts = list(range(0, num, size))
    if is_step and size > 1 and len(starts) > 1 and num - starts[-1] == 1:
        starts.pop()
    if num:
        yield from zip(starts, [*starts[1:], num], strict=True)


def add_noise(
    planes_CHW: NDArray[np.float32], largest: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return 3×H×W with Gaussian noise of a level drawn from [0, ``largest``], clipped to 0..1.

    A single plane stands for a grey image: its three copies get the same noise.
    """
    if largest > 0:
        level = np.float32(rng.uniform(0, largest))
        noise = rng.standard_normal(planes_CHW.shape, dtype=np.float32)
        planes_CHW = np.clip(planes_CHW + level * noise, 0, 1)
    return np.broadcast_to(planes_CHW, (3, *planes_CHW.shape[1:]))


def _check_normal(records: Sequence[ImageRecord]) -> None:
    if not records:
        raise DataError("E136", "No normal image to learn from.", "Add normal images.")
    anomalous = [record.image_path for record in records if record.gt_label == 1]
    if anomalous:
        raise LeakError(
            "E137",
            f"{len(anomalous)} anomalous images among those to learn from, e.g. {anomalous[0]}.",
            "Fit on normal images alone.",
        )


def _replace_folder(out: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a folder beside ``out``, then put it in ``out``'s place."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        made = Path(scratch) / "new"
        made.mkdir()
        write(made)
        if out.exists():
            out.rename(Path(scratch) / "old")
        made.rename(out)
