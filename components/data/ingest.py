"""From raw files to a manifest: each file read once, measured, or put aside with its reason."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from components.data.formats import Entry, Source
from components.data.groups import GroupRule
from components.data.images import ImageLimits, ImageRejected, as_mask, decode_image, measure
from components.errors import DataError
from components.records import Defect, ImageRecord, Manifest, Reject

Progress = Callable[[int, int], None]
MaskPolicy = Literal["required", "optional", "none"]


@dataclass(frozen=True)
class _Task:
    """One file to read; ``wants_mask`` says whether a defect without a mask is a problem."""

    raw: Path
    entry: Entry
    limits: ImageLimits
    masks: MaskPolicy
    wants_mask: bool


@dataclass(frozen=True)
class _Found:
    record: ImageRecord | None = None
    reject: Reject | None = None
    notes: tuple[str, ...] = ()


def ingest(
    station: str,
    source: Source,
    raw: Path,
    limits: ImageLimits,
    masks: MaskPolicy,
    group: GroupRule | None,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Manifest:
    """Read every file that the layout lists; ``progress`` gets (files done, files in all).

    Raises:
        DataError: E101–E103 the layout does not fit; E105 a name without a group; E115 a file
            was rejected where the station stops; E102 no normal image could be read.
    """
    listing = source.entries(raw)
    wants_mask = masks == "required" or any(entry.mask_paths for entry in listing.entries)
    tasks = [_Task(raw, entry, limits, masks, wants_mask) for entry in listing.entries]
    found = list(_counted(_examined(tasks, workers), len(tasks), progress))
    records = _grouped([f.record for f in found if f.record is not None], group)
    if not any(record.gt_label == 0 for record in records):
        raise DataError(
            "E102",
            f"{raw}: no normal image could be read.",
            "See the files' reasons: ingest again.",
        )
    return Manifest(
        station=station,
        layout=source.kind,
        root=raw,
        records=records,
        rejects=tuple(f.reject for f in found if f.reject is not None),
        notes=(*listing.notes, *(text for f in found for text in f.notes)),
    )


def _examined(tasks: Sequence[_Task], workers: int) -> Iterator[_Found]:
    if workers <= 1:
        yield from map(_examine, tasks)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_examine, tasks, chunksize=16)


def _counted(found: Iterable[_Found], total: int, progress: Progress | None) -> Iterator[_Found]:
    for done, each in enumerate(found, start=1):
        if progress is not None:
            progress(done, total)
        yield each


def _examine(task: _Task) -> _Found:
    entry = task.entry
    path = task.raw / entry.image_path
    try:
        data = _bytes_of(path, task.limits)
        header, image = decode_image(data, path, task.limits)
    except ImageRejected as rejected:
        if task.limits.on_reject == "stop":
            raise
        reject = Reject(
            image_path=entry.image_path, code=rejected.reject_code, reason=rejected.reason
        )
        return _Found(reject=reject)
    stats = measure(image)
    defect, notes = _defect(task, image.shape[:2])
    record = ImageRecord(
        image_id=hashlib.sha256(data).hexdigest(),
        image_path=entry.image_path,
        category=entry.category,
        split=entry.split,
        gt_label=1 if entry.gt_label else 0,
        defects=defect,
        height_px=header.height_px,
        width_px=header.width_px,
        channels=header.channels,
        bit_depth=header.bit_depth,
        brightness=stats.brightness,
        contrast=stats.contrast,
        sharpness=stats.sharpness,
        thumbprint=stats.thumbprint,
    )
    return _Found(record=record, notes=notes)


def _bytes_of(path: Path, limits: ImageLimits) -> bytes:
    try:
        if path.stat().st_size > limits.max_bytes:
            raise ImageRejected("oversized", path, f"more than {limits.max_bytes} bytes")
        return path.read_bytes()
    except OSError as error:
        raise ImageRejected("unreadable", path, error.strerror or str(error)) from None


def _defect(task: _Task, shape: tuple[int, ...]) -> tuple[tuple[Defect, ...], tuple[str, ...]]:
    """Judge the mask of one image, which is H×W = ``shape``."""
    entry = task.entry
    if entry.gt_label == 0:
        return (), ()
    plain = Defect(defect_type=entry.defect_type or "defective")
    if task.masks == "none" or not (entry.mask_paths or task.wants_mask):
        return (plain,), ()
    if not entry.mask_paths:
        return (plain.model_copy(update={"mask_problem": "missing"}),), ()
    if len(entry.mask_paths) > 1:
        double = {"mask_problem": "double", "mask_path": entry.mask_paths[0]}
        return (plain.model_copy(update=double),), ()
    return _judged(plain, entry.mask_paths[0], task, shape)


def _judged(
    plain: Defect, mask_path: str, task: _Task, shape: tuple[int, ...]
) -> tuple[tuple[Defect, ...], tuple[str, ...]]:
    path = task.raw / mask_path
    try:
        image = decode_image(_bytes_of(path, task.limits), path, task.limits)[1]
    except ImageRejected as rejected:
        missing = plain.model_copy(update={"mask_problem": "missing"})
        return (missing,), (f"mask {mask_path} cannot be read: {rejected.reason}",)
    values = np.unique(image)
    mask = as_mask(image)
    problem = ""
    if mask.shape != shape:
        problem = "size"
    elif len(values) > 2 or (len(values) == 2 and values[0] != 0):
        problem = "not_binary"
    elif not mask.any():
        problem = "empty"
    area = int(np.count_nonzero(mask))
    judged = {"mask_path": mask_path, "mask_area_px": area, "mask_problem": problem}
    notes = (f"mask {mask_path}: {problem.replace('_', ' ')}",) if problem else ()
    return (plain.model_copy(update=judged),), notes


def _grouped(records: Sequence[ImageRecord], group: GroupRule | None) -> tuple[ImageRecord, ...]:
    if group is None:
        return tuple(records)
    ids = group.assign(record.image_path for record in records)
    return tuple(r.model_copy(update={"group_id": ids[r.image_path]}) for r in records)
