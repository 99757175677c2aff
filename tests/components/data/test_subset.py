"""A quick profile's subset keeps every class and every defect type."""

from collections import Counter

from components.data.subset import stratified_subset
from components.records import Defect, ImageRecord, Split


def record(index: int, kind: str) -> ImageRecord:
    return ImageRecord(
        image_id=f"{kind}{index}", image_path=f"{index}.png", category="c", split=Split.REPORT,
        gt_label=int(kind != "good"), height_px=8, width_px=8, channels=1,
        defects=() if kind == "good" else (Defect(defect_type=kind),),
    )  # fmt: skip


RECORDS = [
    *(record(i, "good") for i in range(60)),
    *(record(i, "crack") for i in range(30)),
    *(record(i, "rare") for i in range(2)),
]


def test_types_keep_their_share_and_a_rare_one_is_not_lost() -> None:
    chosen = stratified_subset(RECORDS, 46)
    assert Counter(r.defect_type for r in chosen) == {"good": 30, "crack": 15, "rare": 1}


def test_a_limit_above_the_number_of_images_takes_all_in_order() -> None:
    assert stratified_subset(RECORDS, 500) == tuple(RECORDS)
    assert stratified_subset(RECORDS, None) == tuple(RECORDS)


def test_the_first_files_of_a_list_sorted_by_class_do_not_fill_the_subset() -> None:
    assert {r.gt_label for r in stratified_subset(RECORDS, 10)} == {0, 1}


def test_order_does_not_matter() -> None:
    one = {r.image_id for r in stratified_subset(RECORDS, 20)}
    assert one == {r.image_id for r in stratified_subset(RECORDS[::-1], 20)}
