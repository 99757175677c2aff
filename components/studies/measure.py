"""Figures of one fitted detector under one test condition."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.calibrate import threshold_at_fpr
from components.data.images import Image
from components.metrics.image import image_figures
from components.metrics.localisation import (
    Localisation,
    localisation_figures,
    streamed_localisation,
)
from components.metrics.regions import Region
from components.metrics.transfer import threshold_transfer
from components.predict import Model, predict
from components.records import ImageRecord, Manifest, Prediction
from components.studies.params import DECLARED_FPRS, LIMITS
from components.studies.variants import Condition
from components.truth import regions_of

IN_MEMORY_PX = 120_000_000  # maps of more pixels than this go to disk and are streamed

Figures = dict[str, float | None]
Records = Sequence[ImageRecord]


def thresholds(held_out: Sequence[Prediction]) -> dict[str, float]:
    """Return declared false-positive rate -> threshold from normals that were held out."""
    scores = [prediction.pred_score for prediction in held_out]
    return {f"{fpr:g}": threshold_at_fpr(scores, fpr) for fpr in DECLARED_FPRS} if scores else {}


@dataclass(frozen=True)
class Measured:
    """What one condition gave; ``predict_s`` are the seconds that scoring took."""

    condition: Condition
    figures: Figures
    predictions: tuple[Prediction, ...]
    predict_s: float


def measured(
    model: Model,
    manifest: Manifest,
    records: Records,
    condition: Condition,
    at: dict[str, float],
    scratch: Path,
) -> Measured:
    """Score the test images under a condition and measure every figure.

    ``at`` holds thresholds as :func:`thresholds` returns them. Pixel figures are of the images
    with usable masks, and absent where no defective image has one.
    """
    truths = _Disturbed(manifest, records, condition)
    shelf = _Shelf(scratch)

    def keep(record: ImageRecord, anomaly_map: NDArray[np.float32]) -> None:
        regions = truths.of.pop(record.image_id)
        if regions is not None:
            shelf.put(anomaly_map, regions)

    started = time.perf_counter()
    predictions = predict(model, manifest, records, collect=keep, transform=truths)
    predict_s = time.perf_counter() - started
    scores = np.array([p.pred_score for p in predictions])
    labels = np.array([p.gt_label for p in predictions])
    figures: Figures = dict(image_figures(scores, labels))
    for fpr, point in threshold_transfer(at, scores, labels).items():
        figures |= {f"overkill_at_fpr_{fpr}": point.fpr, f"escape_at_fpr_{fpr}": point.fnr}
    if shelf.num_regions and model.localises:
        figures |= _named(shelf.figures())
    return Measured(condition, figures, predictions, predict_s)


def _named(found: Localisation) -> Figures:
    return {
        "pixel_auroc": found.pixel_auroc,
        "pixel_ap": found.pixel_ap,
        "pixel_f1_max": found.pixel_f1_max,
        "aupro": found.aupro["0.3"],
        **{f"auspro_{limit}": value for limit, value in found.auspro.items()},
    }


class _Disturbed:
    """Corrupts images in the order of their records, and their regions in the same way."""

    def __init__(self, manifest: Manifest, records: Records, condition: Condition) -> None:
        self.of: dict[str, tuple[Region, ...] | None] = {}  # image id -> regions; None: no masks
        self._manifest = manifest
        self._order = iter(records)
        self._condition = condition

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        record = next(self._order)
        state = int(rng.integers(2**63))
        corrupted, _ = self._condition.apply(image, None, np.random.default_rng(state))
        self.of[record.image_id] = self._regions(record, image, state)
        return corrupted

    def _regions(self, record: ImageRecord, image: Image, state: int) -> tuple[Region, ...] | None:
        if not record.has_usable_mask:
            return None
        moved: list[Region] = []
        for region in regions_of(self._manifest, record) or ():
            rng = np.random.default_rng(state)  # each mask takes the way that the image took
            _, mask = self._condition.apply(image, region.mask, rng)
            if mask is not None and mask.any():
                moved.append(replace(region, mask=mask))
        return tuple(moved)


@dataclass
class _Shelf:
    """Anomaly maps with their regions: in memory while they are few, on disk beyond that."""

    scratch: Path
    num_pixels: int = 0
    num_regions: int = 0

    def __post_init__(self) -> None:
        self._items: list[tuple[Callable[[], NDArray[np.float32]], tuple[Region, ...]]] = []

    def put(self, anomaly_map: NDArray[np.float32], regions: tuple[Region, ...]) -> None:
        """Keep one map, H×W, with the regions of its image."""
        self.num_pixels += anomaly_map.size
        self.num_regions += len(regions)
        read: Callable[[], NDArray[np.float32]] = lambda: anomaly_map  # noqa: E731
        if self.num_pixels > IN_MEMORY_PX:
            self.scratch.mkdir(parents=True, exist_ok=True)
            path = self.scratch / f"{len(self._items)}.npy"
            np.save(path, anomaly_map, allow_pickle=False)
            read = _Stored(path)
        self._items.append((read, regions))

    def figures(self) -> Localisation:
        """Return exact figures from memory, or streamed ones (within 1e-4) from disk."""
        if self.num_pixels <= IN_MEMORY_PX:
            maps, truths = zip(*((read(), regions) for read, regions in self._items), strict=True)
            return localisation_figures(maps, truths, LIMITS)

        def read_all() -> Iterator[tuple[NDArray[np.float32], tuple[Region, ...]]]:
            return ((read(), regions) for read, regions in self._items)

        return streamed_localisation(read_all, LIMITS)


@dataclass(frozen=True)
class _Stored:
    path: Path

    def __call__(self) -> NDArray[np.float32]:
        found: NDArray[np.float32] = np.load(self.path, allow_pickle=False)
        return found
