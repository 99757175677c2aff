"""The few shapes a page is made of; ``blocks.html.j2`` knows how to write each of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

LONGEST_WORD = 68  # a sha256 stays in one piece

Tone = Literal["", "good", "bad", "warn", "quiet"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table; ``bar`` draws a length (0..1) before its words."""

    words: str
    tone: Tone = ""
    mono: bool = False
    bar: float | None = None
    strong: bool = False

    @property
    def unbroken(self) -> bool:
        """Whether a word is too long for a line, so that it may be cut anywhere."""
        return max(map(len, re.split(r"[\s·/]", self.words))) > LONGEST_WORD


@dataclass(frozen=True)
class Table:
    """A table; ``align`` holds one letter a column: ``l`` words, ``r`` figures, ``m`` mono."""

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    align: str
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        widths = {len(self.head), len(self.align), *(len(row) for row in self.rows)}
        assert len(widths) == 1, f"a row of {self.head} is not as wide as its head"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    words: str
    tone: Tone = ""


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    kind: ClassVar[str] = "heading"
    words: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]
    tone: Tone = ""


@dataclass(frozen=True)
class Plot:
    """An inline SVG made by ``components.report.plots``, which escapes its words."""

    kind: ClassVar[str] = "plot"
    svg: str
    caption: str


@dataclass(frozen=True)
class Command:
    """A line to be typed into a shell."""

    kind: ClassVar[str] = "command"
    line: str


@dataclass(frozen=True)
class Picture:
    """One picture as a data URI."""

    uri: str
    label: str


@dataclass(frozen=True)
class Card:
    """One image worth looking at, with its pictures side by side."""

    title: str
    detail: str
    pictures: tuple[Picture, ...]
    missing: str = ""


@dataclass(frozen=True)
class Cards:
    """Cards in rows; ``small`` for thumbnails."""

    kind: ClassVar[str] = "cards"
    cards: tuple[Card, ...]
    small: bool = False


Block = Table | Text | Heading | Bullets | Plot | Command | Cards


@dataclass(frozen=True)
class Section:
    """One part of the page; ``subset`` repeats the profile's note beside its figures."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]
    subset: str = ""


def row(*values: str | Cell) -> tuple[Cell, ...]:
    """Return a row of cells from words and cells."""
    return tuple(v if isinstance(v, Cell) else Cell(v) for v in values)


def absent(words: str) -> Text:
    """Return the quiet line that stands where a part is missing, and says why."""
    return Text(words, "quiet")


def capped(
    rows: Iterable[tuple[Cell, ...]], most: int, what: str
) -> tuple[tuple[tuple[Cell, ...], ...], tuple[Text, ...]]:
    """Return the first rows, and a line that says how many more there are."""
    every = tuple(rows)
    more = len(every) - most
    left = (absent(f"… and {more} more {what}; all of them are in summary.json."),)
    return every[:most], left if more > 0 else ()
