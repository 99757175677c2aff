"""A handful of part images as the manifests that a trial reads."""

from pathlib import Path

from PIL import Image

from components.records import Defect, ImageRecord, Manifest, Split
from tests.factories import SIZE_PX, part_image


def part_manifests(folder: Path) -> tuple[Manifest, Manifest]:
    """Return 6 normals to fit, 4 normals of the tune set, and 4 synthetic defects."""
    real = [_record(folder, seed, Split.FIT if seed < 6 else Split.TUNE) for seed in range(10)]
    drawn = [_record(folder, seed, Split.TUNE, defective=True) for seed in range(20, 24)]
    return (
        Manifest(station="parts", layout="folder", root=folder, records=tuple(real)),
        Manifest(station="parts", layout="folder", root=folder, records=tuple(drawn)),
    )


def _record(folder: Path, seed: int, split: Split, *, defective: bool = False) -> ImageRecord:
    path = folder / f"{seed}.png"
    Image.fromarray(part_image(seed, defective=defective)).save(path)
    return ImageRecord(
        image_id=str(seed), image_path=path.name, category="parts", split=split,
        gt_label=int(defective), height_px=SIZE_PX, width_px=SIZE_PX, channels=1,
        defects=(Defect(defect_type="scratch"),) if defective else (),
        origin="synthetic" if defective else "real",
    )  # fmt: skip
