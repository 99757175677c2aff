"""Prepared images: cut to the station's window, lossless, at the source's bit depth."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.data.images import ImageLimits, Mask, decode_image, read_mask, write_png
from components.data.region import Window, window_px
from components.errors import DataError
from components.records import Defect, ImageRecord, Manifest

Progress = Callable[[int, int], None]

# Ingest held the files against the station's limits; these bytes are the same ones.
_ANY_SIZE = ImageLimits(max_pixels=178_000_000, max_bytes=2**40, max_frames=2**20)


@dataclass(frozen=True)
class _Task:
    root: Path
    record: ImageRecord
    window: Window
    out: Path


def prepare(
    manifest: Manifest,
    window: Window,
    out: Path,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Manifest:
    """Write ``images/<image_id>.png`` and, for usable masks, ``masks/<image_id>.png``.

    Returns the manifest rooted at ``out``: one record per different image (exact copies are kept
    once, an anomalous record before a normal one, and noted), sizes after the cut, measurements
    of the raw file, and for a defective image one Defect with one combined mask. A mask that the
    cut left empty has ``mask_problem`` "empty".

    Raises:
        DataError: E108 a raw file or mask changed after ingest.
    """
    kept, notes = _without_copies(manifest.records)
    tasks = [_Task(manifest.root, record, window, out) for record in kept]
    records = []
    for done, record in enumerate(_prepared(tasks, workers), start=1):
        records.append(record)
        if progress is not None:
            progress(done, len(tasks))
    return manifest.model_copy(
        update={"root": out, "records": tuple(records), "notes": (*manifest.notes, *notes)}
    )


def _without_copies(records: Iterable[ImageRecord]) -> tuple[list[ImageRecord], list[str]]:
    kept: dict[str, ImageRecord] = {}
    notes = []
    for record in sorted(records, key=lambda r: (-r.gt_label, r.image_path)):
        first = kept.setdefault(record.image_id, record)
        if first is not record:
            notes.append(f"{record.image_path} has the bytes of {first.image_path}: kept once")
    return sorted(kept.values(), key=lambda r: r.image_path), notes


def _prepared(tasks: Sequence[_Task], workers: int) -> Iterator[ImageRecord]:
    if workers <= 1:
        yield from map(_prepare_one, tasks)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_prepare_one, tasks, chunksize=16)


def _prepare_one(task: _Task) -> ImageRecord:
    record = task.record
    path = task.root / record.image_path
    image = decode_image(_unchanged(path, record.image_id), path, _ANY_SIZE)[1]
    left, top, right, bottom = window_px(task.window, record.height_px, record.width_px)
    image_path = f"images/{record.image_id}.png"
    write_png(task.out / image_path, image[top:bottom, left:right])
    return record.model_copy(
        update={
            "image_path": image_path,
            "height_px": bottom - top,
            "width_px": right - left,
            "defects": _one_defect(task, (slice(top, bottom), slice(left, right))),
        }
    )


def _unchanged(path: Path, image_id: str) -> bytes:
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != image_id:
        raise DataError("E108", f"{path} changed after ingest.", "Run ingest again.")
    return data


def _one_defect(task: _Task, cut: tuple[slice, slice]) -> tuple[Defect, ...]:
    record = task.record
    if not record.defects:
        return ()
    plain = Defect(defect_type=record.defect_type)
    if not record.has_usable_mask:
        problem = next((d.mask_problem for d in record.defects if d.mask_problem), "")
        return (plain.model_copy(update={"mask_problem": problem}),)
    mask = _combined(task)[cut]
    if not mask.any():
        return (plain.model_copy(update={"mask_problem": "empty", "mask_area_px": 0}),)
    mask_path = f"masks/{record.image_id}.png"
    write_png(task.out / mask_path, mask)
    area = int(np.count_nonzero(mask))
    return (plain.model_copy(update={"mask_path": mask_path, "mask_area_px": area}),)


def _combined(task: _Task) -> Mask:
    record = task.record
    combined = np.zeros((record.height_px, record.width_px), dtype=np.bool_)
    for defect in record.defects:
        path = task.root / (defect.mask_path or "")
        mask = read_mask(path) if path.is_file() else np.zeros((0, 0), dtype=np.bool_)
        if mask.shape != combined.shape or np.count_nonzero(mask) != defect.mask_area_px:
            raise DataError("E108", f"{path} changed after ingest.", "Run ingest again.")
        combined |= mask
    return combined
