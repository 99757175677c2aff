"""Tables from other tools: what is read, and every mistake named with its place."""

from pathlib import Path

import pytest

from components.errors import DataError
from components.select import Estimate
from components.select.table import Table, read_table

GOOD = "name,auroc_mean,auroc_std,ms,colour\na,0.9,0.01,12,red\nb,0.95,,15,blue\n"


def read(folder: Path, text: str | bytes, figures=("auroc", "ms"), num_seeds: int = 3) -> Table:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, figures, num_seeds)


def test_a_mean_with_a_std_is_an_estimate_and_one_without_a_single_value(tmp_path: Path) -> None:
    first, second = read(tmp_path, GOOD).rows
    assert first.estimates == {"auroc": Estimate(0.9, 0.01, 3)}
    assert first.values == {"ms": (12.0,)}
    assert second.values == {"auroc": (0.95,), "ms": (15.0,)}


def test_other_columns_are_ignored_and_named_once(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert found.ignored == ("colour",)
    assert found.notes == ("ms comes without a std: noise of its seeds is left out.",)


def test_the_number_of_seeds_of_a_row_goes_before_the_tables(tmp_path: Path) -> None:
    text = "name,ms,ms_std,ms_n\na,12,1,5\nb,13,1,\n"
    rows = read(tmp_path, text, ("ms",)).rows
    assert [row.estimates["ms"].num_seeds for row in rows] == [5, 3]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace(",", " , ").encode(),
        ("\n" + GOOD + "\n,,,,\n").encode(),
    ],
    ids=["byte-order mark", "Windows line ends", "spaces", "blank lines"],
)
def test_how_an_office_program_writes_changes_nothing(tmp_path: Path, text: bytes) -> None:
    assert read(tmp_path, text).rows == read(tmp_path, GOOD).rows


def test_an_empty_cell_is_a_figure_that_was_not_measured(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "name,auroc,ms\na,,12\n").rows
    assert not row.knows("auroc")
    assert row.knows("ms")


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", "E262", "is empty"),
        ("name,auroc,ms\n", "E262", "a header and no row"),
        ("name;auroc;ms\na;0,9;12\n", "E263", "separates its columns by ';'"),
        ("name\tauroc\tms\na\t0.9\t12\n", "E263", "separates its columns by"),
        ('name,auroc,ms\n"a,0.9,12\n', "E263", "line 2"),
        ("model,auroc,ms\na,0.9,12\n", "E264", "no column 'name'. Its columns: model, auroc, ms"),
        ("name,auroc,ms,ms\na,0.9,12,13\n", "E264", "columns twice: ms"),
        ("name,auroc,ms\na,0.9\n", "E265", "line 2 has 2 cells; the header has 3"),
        ("name,auroc,ms\na,0,9,12\n", "E265", "line 2 has 4 cells"),
        ("name,auroc\na,0.9\n", "E266", "no column ms or ms_mean. It has: auroc"),
        ("name,auroc,auroc_mean,ms\na,1,1,12\n", "E266", "both auroc and auroc_mean"),
        ("name,auroc,ms\na,0.9,12\nb,good,12\n", "E267", "line 3 (b): auroc holds 'good'"),
        ("name,auroc,ms\na,nan,12\n", "E267", "line 2 (a): auroc holds 'nan'"),
        ("name,auroc,ms\na,0.9,inf\n", "E267", "ms holds 'inf'"),
        ('name,auroc,ms\na,"0,9",12\n', "E267", "decimals with a point"),
        ("name,auroc,ms\na,1_0,12\n", "E267", "auroc holds '1_0'"),
        ("name,auroc,ms,ms_std\na,0.9,12,-1\n", "E267", "ms_std holds '-1'"),
        ("name,auroc,ms,ms_std,ms_n\na,1,12,1,2.5\n", "E267", "no whole number of at least 1"),
        ("name,auroc,ms\na,0.9,12\n,0.8,12\n", "E268", "line 3 has no name"),
        ("name,auroc,ms\na,0.9,12\na,0.8,12\n", "E268", "'a' in line 2 and in line 3"),
        (b"name,auroc,ms\n\xff\xfea,0.9,12\n", "E260", "is not UTF-8"),
        ("name,auroc,ms\na\0,0.9,12\n", "E260", "not a text file"),
    ],
)
def test_a_broken_table_is_named_with_its_place(tmp_path: Path, text, code, says) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    assert caught.value.code == code
    assert says in str(caught.value)


def test_a_huge_table_is_refused_before_it_is_weighed(tmp_path: Path) -> None:
    many = "name,auroc,ms\n" + "".join(f"r{i},0.9,12\n" for i in range(2001))
    with pytest.raises(DataError, match="2,001 rows"):
        read(tmp_path, many)
    with pytest.raises(DataError, match="5,000,001 bytes"):
        read(tmp_path, b"x" * 5_000_001)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="E260"):
        read_table(tmp_path, ("ms",), 1)
