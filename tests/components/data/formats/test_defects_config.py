"""How much of a defect counts as all of it, and what a config file may not say."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.data.formats.defects_config import DefectKind, read_defects_config
from components.errors import DataError
from tests.components.data.trees import KINDS, defects_config


def kind(threshold: float, *, relative: bool) -> DefectKind:
    return DefectKind(
        defect_name="gap",
        pixel_value=1,
        saturation_threshold=threshold,
        relative_saturation=relative,
    )


def test_a_relative_threshold_is_a_share_of_the_area_cut_to_whole_pixels() -> None:
    assert kind(0.7, relative=True).saturation_px(100) == 70
    assert kind(0.7, relative=True).saturation_px(11) == 7
    assert kind(1.0, relative=True).saturation_px(11) == 11


def test_an_absolute_threshold_is_never_more_than_the_area() -> None:
    assert kind(6300, relative=False).saturation_px(10_000) == 6300
    assert kind(6300, relative=False).saturation_px(250) == 250
    assert kind(2.9, relative=False).saturation_px(250) == 2


def test_a_defect_of_one_pixel_is_found_by_that_pixel() -> None:
    assert kind(0.7, relative=True).saturation_px(1) == 1
    assert kind(0.4, relative=False).saturation_px(9) == 1


@given(
    threshold=st.floats(0.001, 1),
    area=st.integers(1, 10**7),
    more=st.integers(0, 10**6),
    relative=st.booleans(),
)
def test_saturation_lies_within_the_area_and_grows_with_it(
    threshold: float, area: int, more: int, relative: bool
) -> None:
    of = kind(threshold if relative else threshold * 10**6, relative=relative)
    assert 1 <= of.saturation_px(area) <= area
    assert of.saturation_px(area) <= of.saturation_px(area + more)


def test_a_file_gives_kinds_by_their_pixel_value(tmp_path: Path) -> None:
    kinds = read_defects_config(defects_config(tmp_path))
    assert list(kinds) == [255, 254]
    assert (kinds[255].defect_name, kinds[254].relative_saturation) == ("gap", True)


def test_a_byte_order_mark_and_unknown_keys_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "defects_config.json"
    path.write_text(json.dumps([KINDS[0] | {"note": "x"}]), encoding="utf-8-sig")
    assert read_defects_config(path)[255].saturation_threshold == 6


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("pixel_value", 0, "greater than or equal to 1"),
        ("pixel_value", 256, "less than or equal to 255"),
        ("pixel_value", 1.5, "integer"),
        ("pixel_value", True, "integer"),
        ("saturation_threshold", -1, "greater than 0"),
        ("saturation_threshold", 0, "greater than 0"),
        ("saturation_threshold", float("nan"), "finite"),
        ("saturation_threshold", "6", "number"),
        ("relative_saturation", 1, "boolean"),
        ("defect_name", "", "at least 1 character"),
        ("defect_name", None, "string"),
    ],
)
def test_a_wrong_value_is_named_by_file_entry_and_field(
    tmp_path: Path, field: str, value: Any, words: str
) -> None:
    path = defects_config(tmp_path, KINDS[1], KINDS[0] | {field: value})
    with pytest.raises(DataError, match=rf"E221 .*config\.json: entry 2, {field}: .*{words}"):
        read_defects_config(path)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    missing = {key: value for key, value in KINDS[0].items() if key != "defect_name"}
    over = KINDS[1] | {"pixel_value": 7, "saturation_threshold": 1.5}
    path = defects_config(tmp_path, missing, "text", over, KINDS[1], KINDS[1])
    with pytest.raises(DataError) as caught:
        read_defects_config(path)
    text = str(caught.value)
    for words in (
        "entry 1, defect_name: Field required",
        "entry 2, whole: Input should be a valid dictionary",
        "entry 3, whole: Value error, saturation_threshold 1.5 is a share",
        "entry 5, pixel_value: 254 is entry 4's already",
    ):
        assert words in text


@pytest.mark.parametrize("text", ["", "[", "{}", "[]", "3", "\xff"])
def test_a_file_that_is_no_list_of_entries_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "defects_config.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"E220 .*defects_config\.json"):
        read_defects_config(path)
    path.unlink()
    with pytest.raises(DataError, match=r"E220 .*does not exist.*Copy it"):
        read_defects_config(path)
