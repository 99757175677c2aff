"""From raw files to a manifest: each file read once, measured, or put aside with its reason."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from components.data.formats import Entry, Source
from components.data.groups import GroupRule
from components.data.images import ImageLimits, ImageRejected, decode_image, measure, read_bytes
from components.data.masks import MaskJudge, MaskPolicy
from components.errors import DataError
from components.records import ImageRecord, Manifest, Reject

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Task:
    """One file to read."""

    raw: Path
    entry: Entry
    limits: ImageLimits
    masks: MaskJudge


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
        DataError: E101–E103, E220–E225 the layout does not fit; E105 a name without a group;
            E115 a file was rejected where the station stops; E102 no normal image could be read.
    """
    listing = source.entries(raw)
    wants_mask = masks == "required" or any(entry.mask_paths for entry in listing.entries)
    judge = MaskJudge(raw, limits, masks, listing.mask_rule, wants_mask)
    tasks = [_Task(raw, entry, limits, judge) for entry in listing.entries]
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
        data = read_bytes(path, task.limits)
        header, image = decode_image(data, path, task.limits)
    except ImageRejected as rejected:
        if task.limits.on_reject == "stop":
            raise
        reject = Reject(
            image_path=entry.image_path, code=rejected.reject_code, reason=rejected.reason
        )
        return _Found(reject=reject)
    stats = measure(image)
    defects, notes = task.masks.defects(entry, image.shape[:2])
    record = ImageRecord(
        image_id=hashlib.sha256(data).hexdigest(),
        image_path=entry.image_path,
        category=entry.category,
        split=entry.split,
        gt_label=1 if entry.gt_label else 0,
        defects=defects,
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


def _grouped(records: Sequence[ImageRecord], group: GroupRule | None) -> tuple[ImageRecord, ...]:
    if group is None:
        return tuple(records)
    ids = group.assign(record.image_path for record in records)
    return tuple(r.model_copy(update={"group_id": ids[r.image_path]}) for r in records)
