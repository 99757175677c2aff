"""Prepared images: cut to the station's window, lossless, at the source's bit depth."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from components.data.cut import ANY_SIZE, CutTask, changed, cut_defects
from components.data.formats.defects_config import CONFIG_NAME, DefectKind, read_defects_config
from components.data.images import decode_image, write_png
from components.data.region import Window, window_px
from components.records import ImageRecord, Manifest

Progress = Callable[[int, int], None]

_Done = tuple[ImageRecord, tuple[str, ...]]


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

    Where every defect has a mask of its own, each keeps it, as ``masks/<image_id>/<k>.png``: what
    the cut left of it, its area, and the saturation that its kind gives an instance of that area
    (a share stays a share, an absolute area is cut to what is left). A defect outside the window
    is dropped and noted.

    Raises:
        DataError: E108 a raw file or mask changed after ingest; E220, E221 defects_config.json,
            where masks are of single defects.
    """
    kept, notes = _without_copies(manifest.records)
    kinds = _kinds(manifest)
    tasks = [CutTask(manifest.root, record, window, out, kinds) for record in kept]
    records = []
    for done, (record, told) in enumerate(_prepared(tasks, workers), start=1):
        records.append(record)
        notes += told
        if progress is not None:
            progress(done, len(tasks))
    return manifest.model_copy(
        update={"root": out, "records": tuple(records), "notes": (*manifest.notes, *notes)}
    )


def _kinds(manifest: Manifest) -> Mapping[int, DefectKind] | None:
    defects = (defect for record in manifest.records for defect in record.defects)
    if all(defect.saturation_px is None for defect in defects):
        return None
    return read_defects_config(manifest.root / CONFIG_NAME)


def _without_copies(records: Iterable[ImageRecord]) -> tuple[list[ImageRecord], list[str]]:
    kept: dict[str, ImageRecord] = {}
    notes = []
    for record in sorted(records, key=lambda r: (-r.gt_label, r.image_path)):
        first = kept.setdefault(record.image_id, record)
        if first is not record:
            notes.append(f"{record.image_path} has the bytes of {first.image_path}: kept once")
    return sorted(kept.values(), key=lambda r: r.image_path), notes


def _prepared(tasks: Sequence[CutTask], workers: int) -> Iterator[_Done]:
    if workers <= 1:
        yield from map(_prepare_one, tasks)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_prepare_one, tasks, chunksize=16)


def _prepare_one(task: CutTask) -> _Done:
    record = task.record
    path = task.root / record.image_path
    image = decode_image(_unchanged(path, record.image_id), path, ANY_SIZE)[1]
    left, top, right, bottom = window_px(task.window, record.height_px, record.width_px)
    image_path = f"images/{record.image_id}.png"
    write_png(task.out / image_path, image[top:bottom, left:right])
    defects, notes = cut_defects(task, (slice(top, bottom), slice(left, right)))
    placed = {"image_path": image_path, "height_px": bottom - top, "width_px": right - left}
    return record.model_copy(update={**placed, "defects": defects}), notes


def _unchanged(path: Path, image_id: str) -> bytes:
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != image_id:
        raise changed(path)
    return data
