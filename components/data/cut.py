"""The masks of one image, cut to the station's window: one of all defects, or one a defect."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.data.formats.defects_config import CONFIG_NAME, DefectKind
from components.data.images import Image, ImageLimits, Mask, as_mask, read_image, write_png
from components.data.masks import instance_values
from components.data.region import Window
from components.errors import DataError
from components.records import Defect, ImageRecord

Cut = tuple[slice, slice]  # rows, columns

# Ingest held the files against the station's limits; these bytes are the same ones.
ANY_SIZE = ImageLimits(max_pixels=178_000_000, max_bytes=2**40, max_frames=2**20)


@dataclass(frozen=True)
class CutTask:
    """One image to cut, from ``root`` to ``out``."""

    root: Path
    record: ImageRecord
    window: Window
    out: Path
    kinds: Mapping[int, DefectKind] | None  # where each defect has a mask of its own


def changed(path: Path) -> DataError:
    """Return the error of a file that ingest saw otherwise."""
    return DataError("E108", f"{path} changed after ingest.", "Run ingest again.")


def cut_defects(task: CutTask, cut: Cut) -> tuple[tuple[Defect, ...], tuple[str, ...]]:
    """Write what the cut leaves of an image's masks; return its defects, and notes.

    Raises:
        DataError: E108 a mask, or what its value means, changed after ingest.
    """
    record = task.record
    if not record.defects:
        return (), ()
    plain = Defect(defect_type=record.defect_type)
    if not record.has_usable_mask:
        problem = next((d.mask_problem for d in record.defects if d.mask_problem), "")
        return (plain.model_copy(update={"mask_problem": problem}),), ()
    if task.kinds is not None:
        found = _instances(task, cut, task.kinds)
        outside = len(record.defects) - len(found)
        words = (
            f"{record.image_path}: {outside} of {len(record.defects)} defects outside the window"
        )
        notes = (words,) if outside else ()
    else:
        found, notes = _one_defect(task, plain, cut), ()
    empty = plain.model_copy(update={"mask_problem": "empty", "mask_area_px": 0})
    return found or (empty,), notes


def _one_defect(task: CutTask, plain: Defect, cut: Cut) -> tuple[Defect, ...]:
    """Write one mask of all defects, or none where the cut leaves nothing."""
    record = task.record
    mask = np.zeros((record.height_px, record.width_px), dtype=np.bool_)
    for defect in record.defects:
        mask |= as_mask(_mask_file(task, defect))
    if not mask[cut].any():
        return ()
    mask_path = f"masks/{record.image_id}.png"
    return (_written(task, plain, mask_path, mask[cut]),)


def _instances(task: CutTask, cut: Cut, kinds: Mapping[int, DefectKind]) -> tuple[Defect, ...]:
    """Write the mask of each defect that the window shows."""
    found = []
    for number, defect in enumerate(task.record.defects):
        image = _mask_file(task, defect)
        kind = kinds.get(instance_values(image)[0])
        if kind is None or kind.saturation_px(defect.mask_area_px or 0) != defect.saturation_px:
            raise changed(task.root / CONFIG_NAME)
        mask = as_mask(image)[cut]
        if mask.any():
            mask_path = f"masks/{task.record.image_id}/{number:03d}.png"
            written = _written(task, defect, mask_path, mask)
            saturation = kind.saturation_px(written.mask_area_px or 0)
            found.append(written.model_copy(update={"saturation_px": saturation}))
    return tuple(found)


def _mask_file(task: CutTask, defect: Defect) -> Image:
    """Return the raw mask of a defect, which must be as ingest saw it."""
    path = task.root / (defect.mask_path or "")
    if not path.is_file():
        raise changed(path)
    image = read_image(path, ANY_SIZE)
    mask = as_mask(image)
    size = (task.record.height_px, task.record.width_px)
    if mask.shape != size or np.count_nonzero(mask) != defect.mask_area_px:
        raise changed(path)
    return image


def _written(task: CutTask, defect: Defect, mask_path: str, mask: Mask) -> Defect:
    write_png(task.out / mask_path, mask)
    area = int(np.count_nonzero(mask))
    return defect.model_copy(update={"mask_path": mask_path, "mask_area_px": area})
