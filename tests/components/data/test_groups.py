"""Pictures of one part are found by name; where names are doubtful, groups only grow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.data.groups import Neighbouring, Pattern
from components.errors import DataError


def shots(*numbered: tuple[int, int]) -> list[str]:
    return [f"train/good/exp{exp}_num_{num}.jpg" for exp, num in numbered]


def parts(rule: Neighbouring, paths: list[str]) -> set[frozenset[str]]:
    ids = rule.assign(paths)
    return {frozenset(p for p in paths if ids[p] == part) for part in ids.values()}


ONE_TILE = shots((1, 1810), (2, 1836), (3, 1855), (4, 1877), (5, 1903), (6, 1965))
NEXT_TILE = shots((1, 2038), (2, 2060), (3, 2074), (4, 2086), (5, 2089), (6, 2121))


def test_a_pattern_joins_its_groups() -> None:
    assert Pattern(pattern=r"lot(\d+)_part(\w)").assign(["x/lot7_partB_3.png"]) == {
        "x/lot7_partB_3.png": "7-B"
    }


def test_a_name_that_does_not_match_is_named() -> None:
    with pytest.raises(DataError, match=r"E105 train/odd\.png"):
        Pattern(pattern=r"lot(\d+)").assign(["train/odd.png"])


@pytest.mark.parametrize("pattern", ["(", "no group", r"(?P<num>\d+)"])
def test_a_pattern_that_cannot_work_is_refused_when_read(pattern: str) -> None:
    with pytest.raises(ValidationError):
        Neighbouring(pattern=pattern)


def test_six_lightings_with_running_numbers_are_one_tile() -> None:
    assert parts(Neighbouring(), ONE_TILE + NEXT_TILE) == {
        frozenset(ONE_TILE),
        frozenset(NEXT_TILE),
    }
    assert set(Neighbouring().assign(NEXT_TILE).values()) == {"part-2038"}


def test_tiles_whose_pictures_interleave_become_one_group() -> None:
    tangled = shots((1, 10), (1, 13), (2, 25), (2, 27), (3, 37), (3, 39))
    assert parts(Neighbouring(), tangled) == {frozenset(tangled)}


def test_a_round_may_begin_with_any_lighting() -> None:
    late = shots((5, 5874), (6, 5892), (1, 5907), (2, 5924), (3, 5941), (4, 5959))
    assert parts(Neighbouring(), late) == {frozenset(late)}


def test_a_gap_too_wide_separates() -> None:
    assert len(parts(Neighbouring(max_gap=50), shots((1, 10), (2, 61)))) == 2
    assert len(parts(Neighbouring(max_gap=51), shots((1, 10), (2, 61)))) == 1


@given(st.permutations(ONE_TILE + NEXT_TILE))
def test_the_order_of_files_does_not_matter(paths: list[str]) -> None:
    assert Neighbouring().assign(paths) == Neighbouring().assign(ONE_TILE + NEXT_TILE)


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4000)), unique_by=lambda shot: shot[1]),
    st.integers(1, 300),
)
def test_a_wider_gap_only_joins_groups(numbered: list[tuple[int, int]], gap: int) -> None:
    paths = shots(*numbered)
    narrow = parts(Neighbouring(max_gap=gap), paths)
    wide = parts(Neighbouring(max_gap=2 * gap), paths)
    assert all(any(group <= larger for larger in wide) for group in narrow)
