"""A folder's layout is recognised, or refused with what was looked for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from components.data.formats import Elpv, Folder, MvtecAd
from components.data.recognise import recognise
from components.errors import DataError

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


def test_two_that_fit_are_both_named(mvtec_tree: Path, make_image: MakeImage) -> None:
    make_image(mvtec_tree / "good/1.png")
    with pytest.raises(DataError, match=r"E109 .*mvtec_ad \(.*and folder \("):
        recognise(mvtec_tree)
