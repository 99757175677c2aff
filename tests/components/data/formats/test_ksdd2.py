"""KolektorSDD2 and BTAD: labels read from masks; images and masks of unlike types."""

from pathlib import Path

import pytest

from components.data.formats import Btad, Entry, Ksdd2
from components.errors import DataError
from components.records import Split
from tests.components.data.trees import btad, ksdd2, mask, picture


@pytest.fixture
def surfaces(tmp_path: Path) -> Path:
    return ksdd2(tmp_path / "KSDD2")


def test_an_image_is_normal_where_its_mask_is_empty(surfaces: Path) -> None:
    assert Ksdd2().entries(surfaces).entries == (
        Entry("test/3.png", "ksdd2", Split.TEST, 0),
        Entry("test/4.png", "ksdd2", Split.TEST, 1, "defect", ("test/4_GT.png",)),
        Entry("train/1.png", "ksdd2", Split.TRAIN, 0),
        Entry("train/2.png", "ksdd2", Split.TRAIN, 1, "defect", ("train/2_GT.png",)),
    )


def test_an_image_without_a_readable_mask_has_no_label_and_is_left_out(surfaces: Path) -> None:
    (surfaces / "test/4_GT.png").unlink()
    (surfaces / "train/2_GT.png").write_text("text")
    listing = Ksdd2().entries(surfaces)
    assert [entry.image_path for entry in listing.entries] == ["test/3.png", "train/1.png"]
    assert listing.notes == (
        "1 masks that cannot be read, their images left out: train/2_GT.png",
        "1 images without a _GT mask, so without a label, left out: test/4.png",
    )


def test_masks_left_over_and_double_ones_are_named(surfaces: Path) -> None:
    mask(surfaces / "test/9_GT.png")
    mask(surfaces / "test/4_gt.bmp")
    (surfaces / "train/split.txt").write_text("hello")
    listing = Ksdd2().entries(surfaces)
    assert len(listing.entries) == 4
    assert listing.notes == (
        "1 files that are no images, ignored: train/split.txt",
        "1 masks without an image: test/9_GT.png",
        "1 images with more than one mask: test/4.png",
    )


def test_without_one_empty_mask_there_is_no_normal_image(surfaces: Path) -> None:
    for name in ("train/1", "test/3"):
        mask(surfaces / f"{name}_GT.png")
    with pytest.raises(DataError, match=r"E102 .*empty _GT mask"):
        Ksdd2().entries(surfaces)


def test_btad_pairs_masks_across_image_types(tmp_path: Path) -> None:
    root = btad(tmp_path / "01")
    defective = Entry("test/ko/0000.bmp", "01", Split.TEST, 1, "ko", ("ground_truth/ko/0000.png",))
    assert Btad().entries(root).entries[0] == defective
    (root / "ground_truth/ko/0000.png").unlink()
    mask(root / "ground_truth/ko/0000.bmp")
    picture(root / "test/ko/0001.png")
    listing = Btad().entries(root)
    assert [entry.mask_paths for entry in listing.entries[:2]] == [
        ("ground_truth/ko/0000.bmp",),
        (),
    ]
    mask(root / "ground_truth/ko/0000.png")
    assert Btad().entries(root).notes == ("1 images with more than one mask: test/ko/0000.bmp",)


def test_btad_without_normals_says_where_it_looked(tmp_path: Path) -> None:
    root = btad(tmp_path / "01")
    (root / "train/ok").rename(root / "train/good")
    with pytest.raises(DataError, match=r"E102 .*train/ok"):
        Btad().entries(root)
