"""VisA: one table says everything, and its mistakes are named by line."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from components.data.formats import Entry, Visa
from components.data.formats.split_table import is_inside, read_rows
from components.data.images import ImageLimits
from components.data.ingest import ingest
from components.errors import DataError
from components.records import Split
from tests.components.data.trees import VISA_HEAD, mask, picture, visa, visa_row

CANDLE = Visa(category="candle")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return visa(tmp_path / "visa")


@pytest.fixture
def table(root: Path) -> Path:
    return root / "split_csv/1cls.csv"


def add(table: Path, *lines: str) -> None:
    table.write_text(table.read_text() + "".join(f"{line}\n" for line in lines))


def test_the_table_gives_split_label_and_mask(root: Path) -> None:
    entries = CANDLE.entries(root).entries
    assert [(e.image_path.rsplit("/", 1)[1], e.split, e.gt_label) for e in entries] == [
        ("000.JPG", Split.TEST, 1),
        ("0000.JPG", Split.TRAIN, 0),
        ("0001.JPG", Split.TRAIN, 0),
        ("0002.JPG", Split.TEST, 0),
    ]
    assert entries[0] == Entry(
        "candle/Data/Images/Anomaly/000.JPG",
        "candle",
        Split.TEST,
        1,
        "anomaly",
        ("candle/Data/Masks/Anomaly/000.png",),
    )


def test_a_mask_of_small_class_values_is_whole(root: Path) -> None:
    manifest = ingest("part", CANDLE, root, ImageLimits(), "required", None)
    (defect,) = manifest.records[0].defects
    assert (defect.mask_area_px, defect.mask_problem, defect.saturation_px) == (6, "", None)


def test_another_category_stays_out(root: Path, table: Path) -> None:
    add(table, visa_row("fryum", "train", "0000"))
    picture(root / "fryum/Data/Images/Normal/0000.JPG")
    assert len(CANDLE.entries(root).entries) == 4
    assert [e.category for e in Visa(category="fryum").entries(root).entries] == ["fryum"]
    with pytest.raises(DataError, match=r"E225 .*'pcb1'.*Categories: candle, fryum"):
        Visa(category="pcb1").entries(root)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_change_nothing(
    root: Path, table: Path, encoding: str, end: str
) -> None:
    before = CANDLE.entries(root)
    lines = [*table.read_text().splitlines(), "", " , , , , "]
    table.write_bytes(end.join(lines).encode(encoding))
    assert CANDLE.entries(root) == before


def test_columns_may_stand_in_another_order(root: Path, table: Path) -> None:
    before = CANDLE.entries(root)
    rows = [line.split(",") for line in table.read_text().splitlines()]
    table.write_text("\n".join(", ".join(row[::-1]) for row in rows))
    assert CANDLE.entries(root) == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("candle,train,normal", "3 cells, not 5"),
        ("candle,val,normal,candle/a.JPG,", "split 'val' is none of train, test"),
        ("candle,test,bad,candle/a.JPG,", "label 'bad' is none of normal, anomaly"),
        ("candle,test,normal,,", "image '' does not lie in candle/"),
        ("candle,test,normal,fryum/a.JPG,", "image 'fryum/a.JPG' does not lie in candle/"),
        ("candle,test,anomaly,candle/a.JPG,..\\m.png", "m.png' does not lie in candle/"),
        ("..,test,normal,../a.JPG,", "object '..' is no folder's name"),
        ("a/b,test,normal,a/b/c.JPG,", "object 'a/b' is no folder's name"),
        (visa_row("candle", "train", "0001"), "0001.JPG is line 3's already"),
    ],
)
def test_a_bad_row_is_named_by_its_line(table: Path, line: str, words: str) -> None:
    add(table, "", line)
    with pytest.raises(DataError, match=r"E224 .*1cls\.csv, line 7: ") as caught:
        list(read_rows(table))
    assert words in caught.value.message


def test_a_table_without_its_columns_or_that_is_no_text_is_named(table: Path) -> None:
    table.write_text(VISA_HEAD.replace("label,", "") + "\n")
    with pytest.raises(DataError, match=r"E223 .*line 1: no column label \(found: object, split"):
        list(read_rows(table))
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"E223 .*cannot be read as a table"):
        list(read_rows(table))
    table.unlink()
    with pytest.raises(DataError, match=r"E223 .*No such file"):
        list(read_rows(table))
    table.write_text("")
    with pytest.raises(DataError, match=r"E223 .*no column object, split"):
        list(read_rows(table))


def test_what_table_and_folder_do_not_share_is_named(root: Path, table: Path) -> None:
    add(table, visa_row("candle", "test", "001", defective=True))
    add(table, visa_row("candle", "test", "002", defective=True))
    picture(root / "candle/Data/Images/Anomaly/002.JPG")
    picture(root / "candle/Data/Images/Normal/9999.JPG")
    mask(root / "candle/Data/Masks/Anomaly/777.png")
    listing = CANDLE.entries(root)
    found = {entry.image_path: entry for entry in listing.entries}
    assert found["candle/Data/Images/Anomaly/002.JPG"].mask_paths == ()
    assert "candle/Data/Images/Anomaly/001.JPG" not in found
    assert listing.notes == (
        "1 images of split_csv/1cls.csv not found: candle/Data/Images/Anomaly/001.JPG",
        "2 masks of split_csv/1cls.csv not found: candle/Data/Masks/Anomaly/001.png, "
        "candle/Data/Masks/Anomaly/002.png",
        "2 files that split_csv/1cls.csv does not list, ignored: "
        "candle/Data/Images/Normal/9999.JPG, candle/Data/Masks/Anomaly/777.png",
    )


def test_a_mask_given_for_a_normal_image_is_not_used(root: Path, table: Path) -> None:
    text = table.read_text().replace("0002.JPG,", "0002.JPG,candle/Data/Masks/Anomaly/002.png")
    table.write_text(text)
    mask(root / "candle/Data/Masks/Anomaly/002.png")
    listing = CANDLE.entries(root)
    assert [len(entry.mask_paths) for entry in listing.entries] == [1, 0, 0, 0]
    expected = "1 masks given for normal images, ignored: candle/Data/Masks/Anomaly/002.png"
    assert listing.notes == (expected,)


@pytest.mark.parametrize("category", ["", "a/b", "..", "/", "a\\b"])
def test_a_category_is_the_name_of_one_folder(category: str) -> None:
    with pytest.raises(ValidationError, match="category"):
        Visa(category=category)


def test_the_table_lies_inside_the_folder() -> None:
    with pytest.raises(ValidationError, match="must lie inside"):
        Visa(category="candle", split_csv="../1cls.csv")
    assert is_inside("a/b.csv")
    assert not any(map(is_inside, ("", "/a", "a/../b", "C:/a", "a\\b")))
