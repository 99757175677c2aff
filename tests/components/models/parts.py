"""A small station of parts for tests of detectors: images on disk and their manifest."""

from pathlib import Path

from components.data.images import write_png
from components.records import Defect, ImageRecord, Manifest, Split
from tests.factories import SIZE_PX, part_image

IMAGE_SIZE_PX = 64


def parts(folder: Path, *, num_normal: int, num_defective: int = 0) -> Manifest:
    """Write parts as PNG and return their manifest: normals in fit, defective ones in tune."""
    records = []
    for index in range(num_normal + num_defective):
        defective = index >= num_normal
        image_id = f"{index:064x}"
        write_png(folder / f"{image_id}.png", part_image(index, defective=defective))
        records.append(
            ImageRecord(
                image_id=image_id,
                image_path=f"{image_id}.png",
                category="part",
                split=Split.TUNE if defective else Split.FIT,
                gt_label=1 if defective else 0,
                defects=(Defect(defect_type="scratch"),) if defective else (),
                height_px=SIZE_PX,
                width_px=SIZE_PX,
                channels=1,
            )
        )
    return Manifest(station="parts", layout="folder", root=folder, records=tuple(records))
