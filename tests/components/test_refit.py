"""Folds for cross-fitting keep each physical part whole."""

from hypothesis import given
from hypothesis import strategies as st

from components.records import ImageRecord, Split
from components.refit import folds_by_part


def record(index: int, part: str) -> ImageRecord:
    return ImageRecord(
        image_id=f"id{index}", image_path=f"{index}.png", category="c", split=Split.FIT,
        gt_label=0, group_id=part, height_px=8, width_px=8, channels=1,
    )  # fmt: skip


@given(
    parts=st.lists(st.sampled_from(["", "a", "b", "c", "d"]), min_size=2, max_size=40),
    num_folds=st.integers(2, 5),
)
def test_every_record_is_in_one_fold_and_no_part_in_two(parts: list[str], num_folds: int) -> None:
    records = [record(i, part) for i, part in enumerate(parts)]
    folds = folds_by_part(records, num_folds)
    ids = [r.image_id for fold in folds for r in fold]
    assert sorted(ids) == sorted(r.image_id for r in records)
    for part in set(parts) - {""}:
        assert sum(any(r.group_id == part for r in fold) for fold in folds) == 1


def test_folds_of_single_images_are_of_equal_size() -> None:
    folds = folds_by_part([record(i, "") for i in range(9)], 3)
    assert [len(fold) for fold in folds] == [3, 3, 3]


def test_the_same_records_in_another_order_give_the_same_folds() -> None:
    records = [record(i, f"part{i // 2}") for i in range(12)]
    one = {frozenset(r.image_id for r in fold) for fold in folds_by_part(records, 3)}
    other = {frozenset(r.image_id for r in fold) for fold in folds_by_part(records[::-1], 3)}
    assert one == other
