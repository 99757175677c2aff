"""Whose sets a study follows: the papers' (train officially, test on everything else) or ours.

The papers' protocol is not the leak rule. Nothing is tuned here and nothing is promoted, so the
whole test set may be read, as papers 002 and 003 read it, and their tables can stand beside ours.
What was chosen on a station's tune set is compared on its report set instead.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from components.data.formats import Entry
from components.data.subset import stratified_subset
from components.errors import DataError
from components.records import ImageRecord, Manifest, Split

Records = tuple[ImageRecord, ...]


def listed_splits(entries: Iterable[Entry]) -> dict[str, Split]:
    """Return image path -> the source's own word about it."""
    return {entry.image_path: entry.split for entry in entries}


def paper_sets(ingested: Manifest, images: Manifest, listed: Mapping[str, Split]) -> Manifest:
    """Return ``images`` with TRAIN and TEST as their splits, and notes on how these were found.

    ``ingested`` names the raw file of each image id; ``listed`` the official set of each raw
    file. Where the source has no official split, the station's fit and tune normals train and all
    other real images test. An image whose copies lie in both sets is tested on.

    Raises:
        DataError: E242 no normal image to train on, or a test set without one of the classes.
    """
    paths: dict[str, list[str]] = defaultdict(list)
    for record in ingested.records:
        paths[record.image_id].append(record.image_path)
    official = {listed.get(p, Split.UNSPLIT) for ids in paths.values() for p in ids} >= {
        Split.TRAIN,
        Split.TEST,
    }

    def side(record: ImageRecord) -> Split:
        if not official:
            learns = record.gt_label == 0 and record.split in (Split.FIT, Split.TUNE)
            return Split.TRAIN if learns else Split.TEST
        found = {listed.get(path, Split.TEST) for path in paths[record.image_id]}
        return Split.TRAIN if found == {Split.TRAIN} else Split.TEST

    placed = [record.model_copy(update={"split": side(record)}) for record in images.records]
    dropped = [r for r in placed if r.split == Split.TRAIN and r.gt_label == 1]
    kept = tuple(r for r in placed if not (r.split == Split.TRAIN and r.gt_label == 1))
    _check(images.station, kept)
    return images.model_copy(
        update={"records": kept, "rejects": (), "notes": _notes(official, len(dropped))}
    )


def station_sets(images: Manifest) -> Manifest:
    """Return ``images`` with the station's fit and tune normals as TRAIN, its report set as TEST.

    Real defects that the station grants to tuning belong to neither: what is compared here may
    have been chosen on them.

    Raises:
        DataError: E242 no normal image to train on, or a report set without one of the classes.
    """
    granted = [r for r in images.records if r.split != Split.REPORT and r.gt_label == 1]
    kept = tuple(
        r.model_copy(update={"split": Split.TEST if r.split == Split.REPORT else Split.TRAIN})
        for r in images.records
        if r.split == Split.REPORT or r.gt_label == 0
    )
    _check(images.station, kept)
    notes = ["the station's sets: fit and tune normals train, the report set tests"]
    notes += [f"{len(granted)} real defects granted to tuning are left out"] if granted else []
    return images.model_copy(update={"records": kept, "rejects": (), "notes": tuple(notes)})


def _notes(official: bool, num_dropped: int) -> tuple[str, ...]:
    words = (
        "official split"
        if official
        else "the source has no official split: fit and tune normals train, all others test"
    )
    left = f"{num_dropped} anomalous images of the training part are left out"
    return (words, left) if num_dropped else (words,)


def _check(station: str, records: Sequence[ImageRecord]) -> None:
    found = {(r.split, r.gt_label) for r in records}
    for wanted, words in (
        ((Split.TRAIN, 0), "no normal image to train on"),
        ((Split.TEST, 0), "no normal image in the test set"),
        ((Split.TEST, 1), "no anomalous image in the test set"),
    ):
        if wanted not in found:
            raise DataError("E242", f"Station {station}: {words}.", "A study needs both classes.")


def hold_out(
    normals: Sequence[ImageRecord], share: float, limit: int | None = None
) -> tuple[Records, Records]:
    """Return (held out, the rest): about ``share`` of the normals, physical parts kept whole.

    The choice depends on the parts' names alone, so it is the same for every detector and seed.
    ``limit`` caps what is held out; what it leaves over is trained on.
    """
    parts: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in normals:
        parts[record.group_id or record.image_id].append(record)
    wanted = share * len(normals) if limit is None else min(share * len(normals), limit)
    held: set[str] = set()
    for part in sorted(parts, key=lambda name: _rank("held out", name)):
        if len(held) + len(parts[part]) / 2 > wanted:
            break
        held.update(record.image_id for record in parts[part])
    return (
        tuple(record for record in normals if record.image_id in held),
        tuple(record for record in normals if record.image_id not in held),
    )


def training_images(
    normals: Sequence[ImageRecord], num: int | None, seed: int, limit: int | None = None
) -> Records:
    """Return the images to learn from: ``num`` drawn by the seed, or all up to a profile's limit.

    For one seed a smaller number is a subset of every larger one.

    Raises:
        DataError: E243 fewer images than asked for.
    """
    if num is None:
        return stratified_subset(normals, limit)
    if num > len(normals):
        raise DataError("E243", f"{num} training images asked for, {len(normals)} are there.")
    ordered = sorted(normals, key=lambda r: _rank(str(seed), r.image_id))
    chosen = {record.image_id for record in ordered[:num]}
    return tuple(record for record in normals if record.image_id in chosen)


def _rank(salt: str, name: str) -> str:
    return hashlib.sha256(f"{salt}/{name}".encode()).hexdigest()
