"""Small pictures, trees and manifests that the data tests share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.data.images import measure, write_png
from components.records import Defect, ImageRecord, Manifest, Split

MakeImage = Callable[..., Path]
MakeRecord = Callable[..., ImageRecord]


@pytest.fixture
def make_image() -> MakeImage:
    """Write a noise picture whose seed decides every pixel; pictures of two seeds are strangers."""

    def make(path: Path, seed: int = 0, height: int = 24, width: int = 32) -> Path:
        rng = np.random.default_rng(seed)
        return write_png(path, rng.integers(0, 256, (height, width), dtype=np.uint8))

    return make


@pytest.fixture
def make_mask() -> Callable[..., Path]:
    """Write a mask with a square of 3×3 pixels marked."""

    def make(path: Path, height: int = 24, width: int = 32) -> Path:
        mask = np.zeros((height, width), dtype=np.bool_)
        mask[4:7, 5:8] = True
        return write_png(path, mask)

    return make


@pytest.fixture
def mvtec_tree(tmp_path: Path, make_image: MakeImage, make_mask: Callable[..., Path]) -> Path:
    """Two training normals, one test normal, two scratches with masks."""
    root = tmp_path / "bolt"
    for i, place in enumerate(("train/good/0", "train/good/1", "test/good/0")):
        make_image(root / f"{place}.png", seed=i)
    for i in (1, 10):
        make_image(root / f"test/scratch/anomaly-{i}.png", seed=100 + i)
        make_mask(root / f"ground_truth/scratch/anomaly-{i}_mask.png")
    return root


@pytest.fixture
def make_record() -> MakeRecord:
    """Make a record without a file."""

    def make(
        name: str, label: int = 0, defect_type: str = "scratch", **more: object
    ) -> ImageRecord:
        values = {"image_id": name, "image_path": f"{name}.png", "category": "bolt"}
        values |= {"split": Split.UNSPLIT, "gt_label": label, "height_px": 24, "width_px": 32}
        values |= {"channels": 1, "defects": (Defect(defect_type=defect_type),) if label else ()}
        return ImageRecord.model_validate(values | more)

    return make


@pytest.fixture
def make_manifest(tmp_path: Path) -> Callable[..., Manifest]:
    """Wrap records in a manifest of the station ``bolt``."""

    def make(*records: ImageRecord, root: Path | None = None) -> Manifest:
        return Manifest(station="bolt", layout="folder", root=root or tmp_path, records=records)

    return make


def thumbprint_of(image: np.ndarray) -> str:
    """Return the thumbprint alone."""
    return measure(image).thumbprint
