"""Which images show the same physical part, read from their names: a leak would pass here.

``Pattern`` reads the part's name out of the file's. ``Neighbouring`` is for data whose names
carry only a lighting and a running number: the magnetic tiles.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.errors import DataError
from components.params import Params


def _expression(*needed: str) -> Callable[[str], str]:
    """Return a validator: a regular expression with the needed named groups, or any group."""

    def check(pattern: str) -> str:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        missing = [name for name in needed if name not in compiled.groupindex]
        if missing:
            raise ValueError(f"{pattern!r} lacks the named groups {missing}, as in (?P<num>\\d+)")
        if compiled.groups == 0:
            raise ValueError(f"{pattern!r} has no group in parentheses to name the part")
        return pattern

    return check


class Pattern(Params):
    """The part's name stands in the file's name: the pattern's groups, joined by ``-``."""

    kind: Literal["pattern"] = "pattern"
    pattern: Annotated[str, AfterValidator(_expression())]

    def assign(self, image_paths: Iterable[str]) -> dict[str, str]:
        """Return image path → group id.

        Raises:
            DataError: E105 a name does not match.
        """
        return {p: "-".join(g or "" for g in _match(self.pattern, p).groups()) for p in image_paths}


class Neighbouring(Params):
    """A part is photographed under one lighting (``exp``) after another, numbered on (``num``).

    Two pictures are linked where one is the nearest with the following lighting, or the nearest
    with the lighting before, within ``max_gap`` numbers; and where a new round begins within
    ``round_gap`` after the last lighting (a part whose first picture was not the first lighting).
    A group is all that is linked. Parts whose pictures interleave become one group: a group too
    large costs a little freedom in splitting, a group too small leaks.

    Measured on the magnetic tiles with these defaults: 220 groups of 1,344 pictures, 206 of them
    six pictures of the six lightings. The pictures' sizes, which the rule does not see, bear it
    out: within a group widths differ by less than 1.3 times, but for seven groups of interleaved
    parts and four of closely cropped defects; and only one pair of groups in a row has one size
    (within 6 %) and no lighting in common, as the halves of a torn group would. Edges of pictures
    in a row correlate by 0.86 (median) within a group of six, by 0.14 from a group to the next.
    """

    kind: Literal["neighbouring"] = "neighbouring"
    pattern: Annotated[str, AfterValidator(_expression("exp", "num"))] = (
        r"exp(?P<exp>\d+)_num_(?P<num>\d+)"
    )
    max_gap: int = Field(default=600, ge=1)
    round_gap: int = Field(default=15, ge=0)
    first_exp: int = 1
    last_exp: int = 6

    def assign(self, image_paths: Iterable[str]) -> dict[str, str]:
        """Return image path → group id (``part-<lowest running number>``).

        Raises:
            DataError: E105 a name does not match.
        """
        shots = sorted(self._shot(path) for path in image_paths)
        joined = Unions(len(shots))
        for i, shot in enumerate(shots):
            last = shot.exp == self.last_exp
            for j in (
                _nearest(shots, i, 1, shot.exp + 1, self.max_gap),
                _nearest(shots, i, -1, shot.exp - 1, self.max_gap),
                _nearest(shots, i, 1, self.first_exp, self.round_gap) if last else None,
            ):
                if j is not None:
                    joined.join(i, j)
        return {shot.path: f"part-{shots[joined.root(i)].num}" for i, shot in enumerate(shots)}

    def _shot(self, image_path: str) -> "_Shot":
        found = _match(self.pattern, image_path)
        return _Shot(int(found["num"]), int(found["exp"]), image_path)


GroupRule = Annotated[Pattern | Neighbouring, Field(discriminator="kind")]


class Unions:
    """Disjoint sets of 0..n-1; a set's root is its lowest member."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, i: int) -> int:
        """Return the lowest member of ``i``'s set."""
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        """Make the sets of ``i`` and ``j`` one."""
        low, high = sorted((self.root(i), self.root(j)))
        self._parent[high] = low


@dataclass(frozen=True, order=True)
class _Shot:
    num: int
    exp: int
    path: str


def _nearest(shots: list[_Shot], start: int, step: int, exp: int, max_gap: int) -> int | None:
    """Return the nearest shot of lighting ``exp`` in one direction, within ``max_gap`` numbers."""
    i = start + step
    while 0 <= i < len(shots) and abs(shots[i].num - shots[start].num) <= max_gap:
        if shots[i].exp == exp:
            return i
        i += step
    return None


def _match(pattern: str, image_path: str) -> re.Match[str]:
    found = re.search(pattern, PurePosixPath(image_path).name)
    if found is None:
        raise DataError(
            "E105",
            f"{image_path}: its name does not match the station's group pattern {pattern!r}.",
            "Mend 'group', or remove the file.",
        )
    return found
