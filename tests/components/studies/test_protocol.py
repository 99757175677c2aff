"""Studies learn from official training normals and test on all the rest, as the papers do."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.data.formats import Entry
from components.errors import DataError
from components.records import ImageRecord, Manifest, Split
from components.studies.protocol import (
    hold_out,
    listed_splits,
    paper_sets,
    station_sets,
    training_images,
)


def record(name: str, label: int, split: Split = Split.FIT, group: str = "") -> ImageRecord:
    return ImageRecord(
        image_id=f"id-{name}", image_path=f"{name}.png", category="c", split=split,
        gt_label=1 if label else 0, height_px=8, width_px=8, channels=1, group_id=group,
    )  # fmt: skip


def manifest(*records: ImageRecord) -> Manifest:
    return Manifest(station="s", layout="folder", root=Path(), records=records)


def sides(found: Manifest) -> dict[str, str]:
    return {r.image_path: r.split.value for r in found.records}


def test_the_official_split_is_followed_whatever_the_station_made_of_it() -> None:
    raw = manifest(
        record("a", 0, Split.REPORT), record("b", 0, Split.FIT), record("c", 1, Split.TUNE)
    )
    listed = {"a.png": Split.TRAIN, "b.png": Split.TEST, "c.png": Split.TEST}
    found = paper_sets(raw, raw, listed)
    assert sides(found) == {"a.png": "train", "b.png": "test", "c.png": "test"}
    assert found.notes == ("official split",)


def test_without_an_official_split_fit_and_tune_normals_train_and_no_image_does_both() -> None:
    raw = manifest(
        record("a", 0, Split.FIT), record("b", 0, Split.TUNE), record("c", 0, Split.REPORT),
        record("d", 1, Split.TUNE), record("e", 1, Split.REPORT),
    )  # fmt: skip
    found = paper_sets(raw, raw, {r.image_path: Split.UNSPLIT for r in raw.records})
    assert [r.image_path for r in found.of(Split.TRAIN)] == ["a.png", "b.png"]
    assert [r.image_path for r in found.of(Split.TEST)] == ["c.png", "d.png", "e.png"]
    assert "no official split" in found.notes[0]


def test_by_the_stations_sets_the_report_set_tests_and_granted_defects_do_nothing() -> None:
    prepared = manifest(
        record("a", 0, Split.FIT), record("b", 0, Split.TUNE), record("c", 0, Split.REPORT),
        record("d", 1, Split.TUNE), record("e", 1, Split.REPORT),
    )  # fmt: skip
    found = station_sets(prepared)
    assert sides(found) == {"a.png": "train", "b.png": "train", "c.png": "test", "e.png": "test"}
    assert found.notes[1] == "1 real defects granted to tuning are left out"


def test_a_report_set_of_one_class_is_refused() -> None:
    prepared = manifest(record("a", 0), record("d", 1, Split.TUNE), record("e", 1, Split.REPORT))
    with pytest.raises(DataError, match=r"E242 .*no normal image in the test set"):
        station_sets(prepared)


def test_an_image_with_a_copy_in_the_test_set_is_tested_on_and_never_learned_from() -> None:
    kept = record("a", 0)
    copy = kept.model_copy(update={"image_path": "copy.png"})
    others = (record("b", 0), record("c", 1))
    listed = {
        "a.png": Split.TRAIN, "copy.png": Split.TEST, "b.png": Split.TRAIN, "c.png": Split.TEST,
    }  # fmt: skip
    found = paper_sets(manifest(kept, copy, *others), manifest(kept, *others), listed)
    assert sides(found) == {"a.png": "test", "b.png": "train", "c.png": "test"}


def test_anomalous_training_images_are_left_out_and_counted() -> None:
    raw = manifest(record("a", 0), record("bad", 1), record("t", 0), record("d", 1))
    listed = {
        "a.png": Split.TRAIN, "bad.png": Split.TRAIN, "t.png": Split.TEST, "d.png": Split.TEST,
    }  # fmt: skip
    found = paper_sets(raw, raw, listed)
    assert "bad.png" not in sides(found)
    assert "1 anomalous images of the training part" in found.notes[1]


def test_a_test_set_of_one_class_is_refused() -> None:
    raw = manifest(record("a", 0), record("t", 0))
    with pytest.raises(DataError, match=r"E242 .*no anomalous image in the test set"):
        paper_sets(raw, raw, {"a.png": Split.TRAIN, "t.png": Split.TEST})


def test_entries_say_where_each_raw_file_belongs() -> None:
    assert listed_splits([Entry("a.png", "c", Split.TRAIN, 0)]) == {"a.png": Split.TRAIN}


NORMALS = tuple(record(str(i), 0, group=f"part {i // 2}") for i in range(40))


def test_a_tenth_is_held_out_whole_parts_at_a_time() -> None:
    held, rest = hold_out(NORMALS, 0.1)
    assert (len(held), len(rest)) == (4, 36)
    assert not {r.group_id for r in held} & {r.group_id for r in rest}


def test_a_limit_holds_fewer_out_and_gives_the_others_to_training() -> None:
    held, rest = hold_out(NORMALS, 0.5, limit=6)
    assert (len(held), len(rest)) == (6, 34)
    assert hold_out(NORMALS, 0.0) == ((), NORMALS)


@given(seed=st.integers(0, 50), small=st.integers(1, 40), large=st.integers(1, 40))
def test_fewer_images_of_a_seed_are_a_part_of_more(seed: int, small: int, large: int) -> None:
    small, large = sorted((small, large))
    chosen = training_images(NORMALS, small, seed)
    assert len(chosen) == small
    assert set(chosen) <= set(training_images(NORMALS, large, seed))


def test_seeds_draw_other_images_and_more_than_there_are_is_an_error() -> None:
    assert training_images(NORMALS, 5, seed=0) != training_images(NORMALS, 5, seed=1)
    with pytest.raises(DataError, match="E243 41 training images"):
        training_images(NORMALS, 41, seed=0)


def test_without_a_number_all_are_learned_from_up_to_the_profiles_limit() -> None:
    assert training_images(NORMALS, None, seed=3) == NORMALS
    assert len(training_images(NORMALS, None, seed=3, limit=8)) == 8
