"""The leak rule: fit, tune and report, disjoint by file, near-duplicate and physical part.

Images that show one thing form a *union* and move as one. Where a union of normals goes depends
on its own hash alone, so adding images never moves the others: what a champion was fitted on
yesterday cannot turn up in today's report set.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from pydantic import Field, model_validator

from components.data.duplicates import confirmed, near_duplicates
from components.data.groups import Unions
from components.errors import DataError, LeakError
from components.params import Params
from components.records import ImageRecord, Manifest, Split

__all__ = ["SplitParams", "check_no_leak", "near_duplicates", "split"]

_OURS = (Split.FIT, Split.TUNE, Split.REPORT)
_LEAKS_SHOWN = 10
_Union = tuple[ImageRecord, ...]


class SplitParams(Params):
    """How normals and real defects are shared out."""

    seed: int = 0
    fit: float = Field(default=0.6, gt=0, lt=1)
    tune: float = Field(default=0.2, gt=0, lt=1)
    report: float = Field(default=0.2, gt=0, lt=1)
    real_defect_share: float = Field(default=0.0, ge=0, lt=1)  # granted to tune; rest: report
    near_duplicate_bits: int = Field(default=12, ge=0, le=64)  # of 256; pixels must agree as well
    keep_official: bool = False  # the source's own test normals stay in report

    @model_validator(mode="after")
    def _whole(self) -> "SplitParams":
        if abs(self.fit + self.tune + self.report - 1) > 1e-9:
            raise ValueError("fit, tune and report must sum to 1")
        return self


def split(manifest: Manifest, params: SplitParams) -> Manifest:
    """Return the manifest with each real image in fit, tune or report.

    Normals go by fraction. A union with a defect goes to tune by ``real_defect_share``, within
    its type, or else to report, its normals with it. Synthetic images are left as they are.

    Raises:
        DataError: E107 fewer than three separate normal parts.
    """
    real = [record for record in manifest.records if record.origin == "real"]
    unions = _unions(manifest, real, params.near_duplicate_bits)
    with_defects = [u for u in unions if any(record.gt_label for record in u)]
    normals = [u for u in unions if not any(record.gt_label for record in u)]
    where = _place_normals(normals, params) | _place_defects(with_defects, params)
    return manifest.model_copy(
        update={
            "records": tuple(
                record.model_copy(update={"split": where[record.image_path]})
                if record.image_path in where
                else record
                for record in manifest.records
            )
        }
    )


def check_no_leak(manifest: Manifest, bits: int) -> None:
    """Hold the real images' splits apart, and synthetic ones to parents of the tune set.

    Raises:
        LeakError: E125 names the files that meet across splits, and why.
    """
    placed = [r for r in manifest.records if r.split in _OURS]
    real = [record for record in placed if record.origin == "real"]
    leaks = [
        *_meetings(real, "the same bytes", lambda record: record.image_id),
        *_meetings(real, "the same part", lambda record: record.group_id),
        *_near_meetings(manifest, real, bits),
    ]
    lines = [f"{a.image_path} ({a.split}) and {b.image_path} ({b.split}): {w}" for a, b, w in leaks]
    lines += _wrong_parents(placed)
    if lines:
        more = f"; and {len(lines) - _LEAKS_SHOWN} more" if len(lines) > _LEAKS_SHOWN else ""
        message = f"{manifest.station}: the sets meet: " + "; ".join(lines[:_LEAKS_SHOWN]) + more
        raise LeakError("E125", message + ".", "Split again, or remove the copies.")


def _unions(manifest: Manifest, records: Sequence[ImageRecord], bits: int) -> list[_Union]:
    joined = Unions(len(records))
    first: dict[str, int] = {}
    for i, record in enumerate(records):
        for key in (f"bytes {record.image_id}", record.group_id and f"part {record.group_id}"):
            if key:
                joined.join(first.setdefault(key, i), i)
    place = {record.image_path: i for i, record in enumerate(records)}
    apart = [
        (a, b)
        for a, b in near_duplicates(records, bits)
        if joined.root(place[a]) != joined.root(place[b])
    ]
    for a, b in confirmed(records, apart, manifest.root):
        joined.join(place[a], place[b])
    members: dict[int, list[ImageRecord]] = defaultdict(list)
    for i, record in enumerate(records):
        members[joined.root(i)].append(record)
    return [tuple(union) for union in members.values()]


def _draw(seed: int, salt: str, key: str) -> float:
    """Return a number in [0, 1) that depends on its arguments alone."""
    digest = hashlib.sha256(f"{seed}/{salt}/{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _chance(union: _Union, seed: int) -> float:
    """Return the union's place in [0, 1): one member stands for all, and keeps standing for it."""
    names = {record.group_id or record.image_id for record in union}
    chosen = min(names, key=lambda name: (_draw(seed, "chosen", name), name))
    return _draw(seed, "place", chosen)


def _place_normals(unions: Sequence[_Union], params: SplitParams) -> dict[str, Split]:
    official = [u for u in unions if params.keep_official and _has_official_normal(u)]
    drawn = [u for u in unions if u not in official]
    chances = {id(union): _chance(union, params.seed) for union in drawn}
    drawn.sort(key=lambda union: chances[id(union)])
    fit_below = params.fit / (params.fit + params.tune) if official else params.fit
    tune_below = 1.0 if official else params.fit + params.tune
    placed = [_side(chances[id(u)], fit_below, tune_below) for u in drawn]
    _fill_empty(placed, wanted=_OURS[:2] if official else _OURS)
    where = {r.image_path: Split.REPORT for u in official for r in u}
    return where | {r.image_path: side for u, side in zip(drawn, placed) for r in u}


def _side(chance: float, fit_below: float, tune_below: float) -> Split:
    if chance < fit_below:
        return Split.FIT
    return Split.TUNE if chance < tune_below else Split.REPORT


def _fill_empty(placed: list[Split], wanted: Sequence[Split]) -> None:
    """Give each empty set of a very small data set the nearest union, in order of chance."""
    if len(placed) < len(wanted):
        raise DataError(
            "E107",
            f"only {len(placed)} separate normal parts for {', '.join(wanted)}.",
            "Add normal images (copies and pictures of the same part count once).",
        )
    for side in wanted:
        if side not in placed:
            spare = [i for i, other in enumerate(placed) if placed.count(other) > 1]
            nearest = min(spare, key=lambda i: abs(wanted.index(placed[i]) - wanted.index(side)))
            later = wanted.index(placed[nearest]) < wanted.index(side)
            same = [i for i in spare if placed[i] == placed[nearest]]
            placed[same[-1] if later else same[0]] = side


def _has_official_normal(union: _Union) -> bool:
    return any(record.split == Split.TEST and record.gt_label == 0 for record in union)


def _place_defects(unions: Iterable[_Union], params: SplitParams) -> dict[str, Split]:
    strata: dict[str, list[_Union]] = defaultdict(list)
    for union in unions:
        strata["+".join(sorted({r.defect_type for r in union if r.gt_label}))].append(union)
    where: dict[str, Split] = {}
    for members in strata.values():
        members.sort(key=lambda union: _chance(union, params.seed))
        granted = params.real_defect_share * sum(_num_defects(u) for u in members)
        taken = 0
        for union in members:
            bound = params.keep_official and _has_official_normal(union)
            tuned = not bound and taken + _num_defects(union) / 2 <= granted
            taken += _num_defects(union) if tuned else 0
            where |= {r.image_path: Split.TUNE if tuned else Split.REPORT for r in union}
    return where


def _num_defects(union: _Union) -> int:
    return sum(record.gt_label for record in union)


def _meetings(
    records: Sequence[ImageRecord], why: str, key: Callable[[ImageRecord], str]
) -> list[tuple[ImageRecord, ImageRecord, str]]:
    """Pair each record with the first of another split that has the same, non-empty key."""
    seen: dict[str, dict[Split, ImageRecord]] = defaultdict(dict)
    found = []
    for record in records:
        if name := key(record):
            others = [r for side, r in seen[name].items() if side != record.split]
            found += [(other, record, why) for other in others[:1]]
            seen[name].setdefault(record.split, record)
    return found


def _near_meetings(
    manifest: Manifest, records: Sequence[ImageRecord], bits: int
) -> list[tuple[ImageRecord, ImageRecord, str]]:
    by_path = {record.image_path: record for record in records}
    across = [
        (a, b)
        for a, b in near_duplicates(records, bits)
        if by_path[a].split != by_path[b].split and by_path[a].image_id != by_path[b].image_id
    ]
    near = confirmed(records, across, manifest.root)
    return [(by_path[a], by_path[b], "near-duplicates") for a, b in near]


def _wrong_parents(records: Sequence[ImageRecord]) -> list[str]:
    parents = {r.image_id: r for r in records if r.origin == "real"}
    made = [r for r in records if r.origin == "synthetic"]
    lines = [f"{r.image_path} is synthetic but in {r.split}" for r in made if r.split != Split.TUNE]
    for record in made:
        parent = parents.get(record.parent_id or "")
        if parent is not None and parent.split != Split.TUNE:
            lines.append(f"{record.image_path} was made from {parent.image_path} ({parent.split})")
    return lines
