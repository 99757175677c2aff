"""A folder's layout is recognised, or refused with what was looked for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from components.data.formats import AutoVi, Elpv, Folder, MvtecAd, Visa
from components.data.recognise import recognise
from components.errors import DataError
from tests.components.data.trees import autovi, mask, picture, visa, visa_row

MakeImage = Callable[..., Path]


def test_mvtec_ad_by_train_good(mvtec_tree: Path) -> None:
    source, reason = recognise(mvtec_tree)
    assert source == MvtecAd()
    assert reason == "train/good with 2 images, 1 types of defect in test, with masks"


def test_folder_by_its_names_with_its_masks(tmp_path: Path, make_image: MakeImage) -> None:
    for name in ("Good/1.png", "dent/1.png", "ground_truth/dent/1.png"):
        make_image(tmp_path / name)
    source, reason = recognise(tmp_path)
    assert source == Folder(masks="ground_truth")
    assert "Good/" in reason
    assert "['dent']" in reason


def test_elpv_by_its_labels(tmp_path: Path, make_image: MakeImage) -> None:
    make_image(tmp_path / "images/1.png")
    (tmp_path / "labels.csv").write_text("images/1.png 0.0 mono\n")
    assert recognise(tmp_path)[0] == Elpv(cell_type="all")


def test_none_that_fits_names_what_was_looked_for(tmp_path: Path, make_image: MakeImage) -> None:
    make_image(tmp_path / "pictures/1.png")
    with pytest.raises(DataError, match=r"E109 .*train/good.*good/, ok/ or normal/.*labels\.csv"):
        recognise(tmp_path)


def test_several_categories_of_one_table_are_chosen_between(tmp_path: Path) -> None:
    root = visa(tmp_path / "visa")
    assert recognise(root) == (
        Visa(category="candle"),
        "split_csv/1cls.csv beside 1 folders with Data/Images",
    )
    with (root / "split_csv/1cls.csv").open("a") as table:
        table.write(visa_row("fryum", "train", "0000") + "\n")
    with pytest.raises(DataError, match=r"E225 .*no category is chosen.*candle, fryum.*--category"):
        recognise(root)
    with pytest.raises(DataError, match=r"E225 .*'capsules'.*candle, fryum"):
        recognise(root, "capsules")
    assert recognise(root, "fryum")[0] == Visa(category="fryum")


def test_a_category_is_refused_where_there_is_but_one(mvtec_tree: Path) -> None:
    with pytest.raises(DataError, match=r"E225 .*mvtec_ad.*one category already"):
        recognise(mvtec_tree, "bolt")


def test_autovi_and_loco_in_one_tree_are_not_guessed_between(tmp_path: Path) -> None:
    root = autovi(tmp_path / "wiring")
    assert recognise(root)[0] == AutoVi()
    picture(root / "validation/good/0.png")
    with pytest.raises(DataError, match=r"E109 .*mvtec_loco \(.*validation/good.*and autovi \("):
        recognise(root)


def test_masks_beside_folders_of_masks_are_not_guessed_between(tmp_path: Path) -> None:
    root = autovi(tmp_path / "wiring")
    mask(root / "ground_truth/gap/0000_mask.png")
    with pytest.raises(DataError, match=r"E109 .*mvtec_ad \(.*and autovi \("):
        recognise(root)


def test_folders_of_masks_are_autovi_even_before_its_config_is_there(tmp_path: Path) -> None:
    root = autovi(tmp_path / "wiring")
    (root / "defects_config.json").unlink()
    source, reason = recognise(root)
    assert source == AutoVi()
    assert "no defects_config.json" in reason


def test_a_data_set_of_several_categories_lists_some_of_them(
    tmp_path: Path, make_image: MakeImage
) -> None:
    for i in range(7):
        make_image(tmp_path / f"mvtec/part_{i}/train/good/0.png")
    expected = r"E109 .*part_0/ \(mvtec_ad\).*part_4/ \(mvtec_ad\) and 2 more.*Give one of these"
    with pytest.raises(DataError, match=expected):
        recognise(tmp_path / "mvtec")


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_part_of_a_tree_does_not_pass_for_a_whole(mvtec_tree: Path, part: str) -> None:
    with pytest.raises(DataError, match=r"E222 .*one part .*mvtec_ad.*Give .*bolt"):
        recognise(mvtec_tree / part)


def test_a_folder_two_levels_down_names_the_tree_and_not_its_part(mvtec_tree: Path) -> None:
    with pytest.raises(DataError, match=r"E109 .*Give \S*/bolt \(mvtec_ad\)"):
        recognise(mvtec_tree / "train/good")


def test_two_that_fit_are_both_named(mvtec_tree: Path, make_image: MakeImage) -> None:
    make_image(mvtec_tree / "good/1.png")
    with pytest.raises(DataError, match=r"E109 .*mvtec_ad \(.*and folder \("):
        recognise(mvtec_tree)
