"""Stratified subsets for quick profiles: every class and defect type keeps its share."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from components.records import ImageRecord


def stratified_subset(
    records: Sequence[ImageRecord], limit: int | None, seed: int = 0
) -> tuple[ImageRecord, ...]:
    """Return at most ``limit`` records, each (label, defect type) in proportion, none lost.

    The choice depends on the image ids and the seed alone, so adding images moves few of the
    others. Every stratum keeps at least one image, which may exceed a very small limit.
    """
    if limit is None or len(records) <= limit:
        return tuple(records)
    strata: dict[tuple[int, str], list[ImageRecord]] = defaultdict(list)
    for record in records:
        strata[record.gt_label, record.defect_type].append(record)
    chosen: set[str] = set()
    for members in strata.values():
        quota = max(1, round(limit * len(members) / len(records)))
        ordered = sorted(members, key=lambda r: _rank(r.image_id, seed))
        chosen.update(record.image_id for record in ordered[:quota])
    return tuple(record for record in records if record.image_id in chosen)


def _rank(image_id: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{image_id}".encode()).hexdigest()
