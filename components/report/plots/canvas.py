"""The visual language of the plots: quiet axes, direct labels, colours that the page decides.

Colours are tokens that become CSS variables in the SVG, so that a plot follows the page into dark
mode and onto paper. Hues are of Okabe & Ito's palette (Color Universal Design, 2008); shape or
place always says the same thing as the colour does.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from io import StringIO
from typing import Any

INK, MUTED, FAINT, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
NORMAL, ANOMALOUS, CHOSEN, FOURTH = "#0d0e0f", "#101112", "#131415", "#161718"
SERIES = (NORMAL, ANOMALOUS, CHOSEN, FOURTH)
MARKERS = ("o", "s", "^", "D")
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    FAINT: "--line",
    PAPER: "--paper",
    NORMAL: "--normal",
    ANOMALOUS: "--anomalous",
    CHOSEN: "--chosen",
    FOURTH: "--fourth",
}
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a "$" in a file's name is no formula
    "font.family": ["DejaVu Sans"],  # wider than the fonts of a page: nothing overflows there
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.labelsize": 8.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "text.color": INK,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}
WIDTH_IN = 8.6


def draw(name: str, says: str, height_in: float, paint: Callable[[Any], None]) -> str:
    """Return an inline SVG of what ``paint`` does to an empty figure; the same bytes every time.

    ``says`` is the plot in one sentence, for who cannot see it.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        paint(figure)
        written = StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with warnings.catch_warnings():  # the reader's fonts write the words, not matplotlib's
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    return _inline(written.getvalue(), name, says)


def _inline(svg: str, name: str, says: str) -> str:
    """Make matplotlib's document fit for a page: no addresses, no foreign ids, our colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*(<metadata>.*?</metadata>|<!--.*?-->)", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: _ours(tag.group()), svg)  # tags alone, never words
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None, "matplotlib writes a viewBox"
    opening = f'<svg role="img" aria-label="{escape(says)}" class="{name}" {box.group()}>'
    return opening + svg[svg.index(">") + 1 :]


def _ours(tag: str) -> str:
    """Return a tag with the page's variables for our tokens, and places cut to 0.01 point."""
    for token, variable in _VARIABLES.items():
        tag = tag.replace(token, f"var({variable})")
    return re.sub(r"(\d+\.\d{2})\d+", r"\1", tag)


def percent_axis(axis: Any) -> None:
    """Write an axis of shares as percentages."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def apart(wanted: Sequence[float], gap: float) -> list[float]:
    """Return heights near the wanted ones, in the same order, at least ``gap`` apart."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    last = float("-inf")
    for i in order:
        placed[i] = last = max(wanted[i], last + gap)
    shift = sum(w - p for w, p in zip(wanted, placed, strict=True)) / len(placed) if placed else 0
    return [p + shift for p in placed]


def series(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return colour and marker for each name, the same wherever the same names are shown."""
    distinct = sorted(set(names))
    return {
        name: (SERIES[i % len(SERIES)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(distinct)
    }


def ends_labelled(axes: Any, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write (x, y, words, colour) to the right of lines' ends, none over another."""
    low, high = axes.get_ylim()
    heights = apart([y for _, y, _, _ in ends], 0.075 * (high - low))
    for (x, _, words, colour), height in zip(ends, heights, strict=True):
        axes.annotate(
            words,
            (x, height),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            color=colour,
            fontsize=8,
        )
