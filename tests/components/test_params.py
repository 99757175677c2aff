"""Parameters: frozen, strict, and known by a fingerprint."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from components.errors import ParamsError
from components.params import Params, digest_of, override, read_yaml, validate


class Small(Params):
    kind: Literal["small"] = "small"
    size: int = 1


class Large(Params):
    kind: Literal["large"] = "large"
    weight: float = 2.0


class Box(Params):
    name: str
    thing: Annotated[Small | Large, Field(discriminator="kind")] = Small()


def test_an_unknown_key_is_named_with_the_valid_ones() -> None:
    with pytest.raises(ParamsError, match=r"unknown key 'nmae' \(valid: name, thing\)"):
        validate(Box, {"name": "a", "nmae": "b"}, "box.yaml")


def test_an_unknown_key_deep_in_a_union_names_the_keys_of_that_member() -> None:
    with pytest.raises(ParamsError, match=r"valid: kind, weight"):
        validate(Box, {"name": "a", "thing": {"kind": "large", "wieght": 3}}, "box.yaml")


def test_every_mismatch_is_told_at_once() -> None:
    with pytest.raises(ParamsError) as caught:
        validate(Box, {"thing": {"kind": "small", "size": "x"}}, "box.yaml")
    assert "name" in str(caught.value)
    assert "size" in str(caught.value)


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ParamsError, match="'small', 'large'"):
        validate(Box, {"name": "a", "thing": {"kind": "huge"}}, "box.yaml")


def test_a_setting_replaces_one_value_and_leaves_the_rest() -> None:
    values = {"a": {"b": 1, "c": 2}, "d": 3}
    assert override(values, ["a.b=7"]) == {"a": {"b": 7, "c": 2}, "d": 3}
    assert values == {"a": {"b": 1, "c": 2}, "d": 3}


@pytest.mark.parametrize("setting", ["a.x=1", "x=1", "a.b.c=1", "a.b"])
def test_a_setting_of_no_existing_key_is_refused(setting: str) -> None:
    with pytest.raises(ParamsError, match="E012"):
        override({"a": {"b": 1}}, [setting])


@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=6))
def test_a_digest_does_not_depend_on_the_order_of_keys(values: dict[str, int]) -> None:
    assert digest_of(values) == digest_of(dict(reversed(values.items())))


def test_equal_params_have_equal_fingerprints_and_others_do_not() -> None:
    assert Box(name="a").fingerprint() == Box(name="a", thing=Small(size=1)).fingerprint()
    assert Box(name="a").fingerprint() != Box(name="a", thing=Small(size=2)).fingerprint()


def test_a_missing_file_names_the_ones_that_exist(tmp_path: Path) -> None:
    (tmp_path / "elpv.yaml").write_text("a: 1\n")
    with pytest.raises(ParamsError, match=r"E010 .*'elpv'"):
        read_yaml(tmp_path / "epvl.yaml")


def test_yaml_that_would_build_an_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text("a: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(ParamsError, match="E011"):
        read_yaml(path)
