"""The leak rule: one thing stays together; yesterday's fit is never today's report."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from components.data.images import measure, write_png
from components.data.split import SplitParams, check_no_leak, split
from components.errors import DataError, LeakError
from components.records import Defect, ImageRecord, Manifest, Split

NOWHERE = Path("/nowhere")  # records without thumbprints: no file is opened
TYPES = ("dent", "crack")


def record(name: str, label: int = 0, group: str = "", **more: object) -> ImageRecord:
    kind = str(more.pop("defect_type", "dent"))
    values = {"image_id": name, "image_path": f"{name}.png", "category": "bolt", "group_id": group}
    values |= {"split": Split.UNSPLIT, "gt_label": label, "height_px": 9, "width_px": 9}
    values |= {"channels": 1, "defects": (Defect(defect_type=kind),) if label else ()}
    return ImageRecord.model_validate(values | more)


def manifest(*records: ImageRecord, root: Path = NOWHERE) -> Manifest:
    return Manifest(station="bolt", layout="folder", root=root, records=records)


def sides(records: Manifest) -> dict[str, Split]:
    return {r.image_path: r.split for r in records.records}


def normals(number: int, prefix: str = "n") -> list[ImageRecord]:
    return [record(f"{prefix}{i}") for i in range(number)]


def defects(number: int, defect_type: str = "dent") -> list[ImageRecord]:
    return [record(f"{defect_type}{i}", 1, defect_type=defect_type) for i in range(number)]


RECORDS = st.builds(
    lambda i, label, group, kind: record(str(i), label, group and f"g{group}", defect_type=kind),
    i=st.integers(0, 10**6),
    label=st.sampled_from([0, 0, 0, 1]),
    group=st.sampled_from(["", "", "1", "2", "3"]),
    kind=st.sampled_from(TYPES),
)
MANY = st.lists(RECORDS, max_size=40, unique_by=lambda r: r.image_id)


def test_the_fractions_must_be_a_whole() -> None:
    with pytest.raises(ValidationError, match="must sum to 1"):
        SplitParams(fit=0.6, tune=0.2, report=0.3)


def test_normals_go_by_fraction() -> None:
    placed = Counter(sides(split(manifest(*normals(3000)), SplitParams())).values())
    # Each count is binomial: within four standard deviations of 1800, 600, 600.
    assert abs(placed[Split.FIT] - 1800) < 4 * (3000 * 0.6 * 0.4) ** 0.5
    assert abs(placed[Split.TUNE] - 600) < 4 * (3000 * 0.2 * 0.8) ** 0.5
    assert sum(placed.values()) == 3000


def test_real_defects_are_shared_within_each_type() -> None:
    records = [*normals(5), *defects(10, "dent"), *defects(100, "crack")]
    placed = split(manifest(*records), SplitParams(real_defect_share=0.3))
    assert Counter((r.defect_type, r.split) for r in placed.records if r.gt_label) == {
        ("dent", Split.TUNE): 3,
        ("dent", Split.REPORT): 7,
        ("crack", Split.TUNE): 30,
        ("crack", Split.REPORT): 70,
    }


def test_without_a_granted_share_every_defect_is_reported() -> None:
    placed = split(manifest(*normals(5), *defects(20)), SplitParams())
    assert {r.split for r in placed.records if r.gt_label} == {Split.REPORT}


@settings(max_examples=60, deadline=None)
@given(MANY, st.integers(0, 5), st.floats(0, 0.9))
def test_no_part_is_ever_in_two_sets_and_no_defect_in_fit(
    records: list[ImageRecord], seed: int, share: float
) -> None:
    placed = split(manifest(*normals(6), *records), SplitParams(seed=seed, real_defect_share=share))
    check_no_leak(placed, 12)
    assert all(r.split in (Split.FIT, Split.TUNE, Split.REPORT) for r in placed.records)
    with_defect = {r.group_id for r in placed.records if r.gt_label and r.group_id}
    in_fit = [r for r in placed.records if r.split == Split.FIT]
    assert all(r.gt_label == 0 and r.group_id not in with_defect for r in in_fit)
    assert {r.split for r in placed.records if r.gt_label == 0} == set(Split) - {
        Split.TRAIN,
        Split.TEST,
        Split.UNSPLIT,
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1000, 10**6), unique=True, max_size=60), st.integers(0, 5))
def test_adding_images_moves_no_old_normal(new: list[int], seed: int) -> None:
    params = SplitParams(seed=seed)
    old = normals(60)
    before = sides(split(manifest(*old), params))
    after = sides(split(manifest(*[record(f"new{i}") for i in new], *old), params))
    assert {path: after[path] for path in before} == before


def test_one_more_defect_moves_at_most_one_of_its_type() -> None:
    params = SplitParams(real_defect_share=0.3)
    old = [*normals(5), *defects(40, "dent"), *defects(40, "crack")]
    before = sides(split(manifest(*old), params))
    for i in range(30):
        added = record(f"added{i}", 1, defect_type="dent")
        after = sides(split(manifest(added, *old), params))
        moved = [path for path, side in before.items() if after[path] != side]
        assert len(moved) <= 1
        assert all(path.startswith("dent") for path in moved)


@given(st.permutations(normals(12) + defects(6)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_records_does_not_matter(records: list[ImageRecord]) -> None:
    params = SplitParams(real_defect_share=0.5)
    expected = sides(split(manifest(*normals(12), *defects(6)), params))
    assert sides(split(manifest(*records), params)) == expected


def test_copies_move_as_one_even_with_another_label() -> None:
    copies = [record("x"), record("x", 1, image_path="defects/x.png")]
    placed = split(manifest(*normals(30), *copies), SplitParams())
    assert sides(placed)["x.png"] == sides(placed)["defects/x.png"] == Split.REPORT


def test_near_duplicates_move_as_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    records = []
    for i in range(12):
        image = rng.integers(0, 250, (64, 64), dtype=np.uint8)
        for j in range(3):  # three exposures that differ by a grey level
            write_png(tmp_path / f"{i}-{j}.png", image + np.uint8(j))
            print_ = measure(image + np.uint8(j)).thumbprint
            records.append(record(f"{i}-{j}", thumbprint=print_, height_px=64, width_px=64))
    placed = sides(split(manifest(*records, root=tmp_path), SplitParams()))
    assert all(len({placed[f"{i}-{j}.png"] for j in range(3)}) == 1 for i in range(12))
    assert set(placed.values()) == {Split.FIT, Split.TUNE, Split.REPORT}


def test_small_sets_leave_none_empty_and_two_parts_are_too_few() -> None:
    for number in (3, 4, 5, 8):
        for seed in range(20):
            placed = split(manifest(*normals(number)), SplitParams(seed=seed))
            assert set(sides(placed).values()) == {Split.FIT, Split.TUNE, Split.REPORT}
    with pytest.raises(DataError, match=r"E107 only 2 separate normal parts"):
        split(manifest(*normals(2)), SplitParams())
    with pytest.raises(DataError, match="E107"):
        split(manifest(*(record(str(i), group="one") for i in range(9))), SplitParams())


def test_the_official_test_normals_can_be_kept_for_the_report() -> None:
    train = [record(f"t{i}", split=Split.TRAIN) for i in range(40)]
    test = [record(f"u{i}", split=Split.TEST) for i in range(10)]
    placed = sides(split(manifest(*train, *test), SplitParams(keep_official=True)))
    assert {placed[r.image_path] for r in test} == {Split.REPORT}
    assert {placed[r.image_path] for r in train} == {Split.FIT, Split.TUNE}
    mixed = sides(split(manifest(*train, *test), SplitParams()))
    assert {mixed[r.image_path] for r in test} > {Split.REPORT}


def test_synthetic_images_are_left_where_they_are() -> None:
    made = record("s", 1, origin="synthetic", parent_id="n0", split=Split.TUNE)
    placed = split(manifest(*normals(9), made), SplitParams())
    assert placed.records[-1] == made


# --- check_no_leak ------------------------------------------------------------------------------


def leak(*records: ImageRecord) -> str:
    with pytest.raises(LeakError) as caught:
        check_no_leak(manifest(*records), 12)
    assert caught.value.code == "E125"
    return caught.value.message


def test_the_same_bytes_in_fit_and_report_are_named() -> None:
    message = leak(
        record("a", image_path="train/a.png", split=Split.FIT),
        record("a", image_path="test/a.png", split=Split.REPORT),
    )
    assert "train/a.png (fit) and test/a.png (report): the same bytes" in message


def test_the_same_part_in_tune_and_report_is_named() -> None:
    message = leak(record("a", 0, "7", split=Split.TUNE), record("b", 0, "7", split=Split.REPORT))
    assert "a.png (tune) and b.png (report): the same part" in message


def test_near_duplicates_across_sets_are_named(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 250, (64, 64), dtype=np.uint8)
    both = []
    for name, side in (("a", Split.FIT), ("b", Split.REPORT)):
        write_png(tmp_path / f"{name}.png", image)
        more = {"thumbprint": measure(image).thumbprint, "split": side}
        both.append(record(name, **more))
    with pytest.raises(LeakError, match=r"a\.png \(fit\) and b\.png \(report\): near-duplicates"):
        check_no_leak(manifest(*both, root=tmp_path), 12)


def test_a_synthetic_image_outside_tune_or_of_another_sets_parent_is_named() -> None:
    parent = record("p", split=Split.REPORT)
    made = record("s", 1, origin="synthetic", parent_id="p", split=Split.TUNE)
    assert "s.png was made from p.png (report)" in leak(parent, made)
    stray = made.model_copy(update={"split": Split.REPORT, "parent_id": None})
    assert "s.png is synthetic but in report" in leak(parent, stray)


def test_a_long_list_of_leaks_is_cut_and_counted() -> None:
    pairs = [
        record(str(i), image_path=f"{side}/{i}.png", split=side)
        for i in range(15)
        for side in (Split.FIT, Split.TUNE)
    ]
    assert "and 5 more" in leak(*pairs)
