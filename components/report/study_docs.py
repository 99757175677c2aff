"""A study as Markdown for a repository: the same words and tables as its page, plots as SVG."""

import re
from collections.abc import Sequence
from pathlib import Path

from components.report.blocks import Block, Bullets, Command, Heading, Plot, Table, Text
from components.report.study import sections
from components.report.study_figures import verdict
from components.studies.rows import Row
from components.studies.summary import StudySummary

# The page's light colours: a picture in a repository has no style sheet beside it.
_COLOURS = {
    "--ink": "#1c2126",
    "--muted": "#5d6871",
    "--line": "#dde2e6",
    "--paper": "#ffffff",
    "--normal": "#0068a5",
    "--anomalous": "#c74e00",
    "--chosen": "#00805a",
    "--fourth": "#99447f",
}
_ALIGN = {"l": "---", "r": "---:", "m": "---"}


def write_docs(summary: StudySummary, rows: Sequence[Row], folder: Path) -> Path:
    """Write ``<study>.md`` and its plots, ``images/<study>-<n>.svg``; return the page's path."""
    writer = _Writer(summary.study.name, folder)
    lines = [
        f"# {_plain(summary.study.title)}",
        "",
        f"**{_plain(verdict(summary, rows))}**",
        "",
        f"Run {summary.started:%Y-%m-%d}, profile {summary.profile}, on {summary.hardware}; "
        f"{summary.protocol_words}.",
    ]
    if summary.profile_note:
        lines += ["", f"> {_plain(summary.profile_note)}"]
    for section in sections(summary, rows):
        lines += ["", f"## {section.title}"]
        for block in section.blocks:
            lines += ["", *writer.written(block)]
    return _write(folder / f"{summary.study.name}.md", "\n".join(lines) + "\n")


class _Writer:
    """Writes blocks as Markdown and numbers the plots."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder, self._num_plots = name, folder, 0

    def written(self, block: Block) -> list[str]:
        """Return the lines of one block."""
        if isinstance(block, Heading):
            return [f"### {_plain(block.words)}"]
        if isinstance(block, Text):
            return [_plain(block.words)]
        if isinstance(block, Bullets):
            return [f"- {_plain(item)}" for item in block.items]
        if isinstance(block, Command):
            return ["```sh", block.line, "```"]
        if isinstance(block, Table):
            return _table(block)
        assert isinstance(block, Plot), f"a study's page has no {block.kind}"
        self._num_plots += 1
        name = f"{self._name}-{self._num_plots}.svg"
        _write(self._folder / "images" / name, standalone(block.svg))
        return [f"![{_plain(block.caption)}](images/{name})", "", f"*{_plain(block.caption)}*"]


def _table(table: Table) -> list[str]:
    head = " | ".join(map(_plain, table.head))
    lines = [f"| {head} |", f"|{'|'.join(_ALIGN[a] for a in table.align)}|"]
    for cells in table.rows:
        words = (f"**{_plain(c.words)}**" if c.strong else _plain(c.words) for c in cells)
        lines.append(f"| {' | '.join(words)} |")
    return lines


def _plain(words: str) -> str:
    """Return words with Markdown's and HTML's own characters escaped."""
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", words)


def standalone(svg: str) -> str:
    """Return a page's inline SVG as a file of its own: light colours, white paper."""
    for name, colour in _COLOURS.items():
        svg = svg.replace(f"var({name})", colour)
    opening = '<svg xmlns="http://www.w3.org/2000/svg" style="background:#ffffff" '
    if "xmlns:xlink" not in svg and "xlink:" in svg:
        opening += 'xmlns:xlink="http://www.w3.org/1999/xlink" '
    return svg.replace("<svg ", opening, 1) + "\n"


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    return part.replace(path)
