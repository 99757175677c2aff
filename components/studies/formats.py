"""A study's tables as HTML, CSV, Markdown and LaTeX; none of them loses a name to its syntax."""

import csv
from collections.abc import Callable
from html import escape
from io import StringIO
from pathlib import Path

from components.report.wording import label
from components.studies.table import Entry, StudyTable

MISSING = "–"
_SECONDS = frozenset({"fit_s", "predict_s"})
_BYTES = frozenset({"peak_bytes", "size_bytes"})
_NAMES = {
    "fit_s": "time to fit",
    "predict_s": "time to score the test images",
    "peak_bytes": "peak memory",
    "size_bytes": "size on disk",
    "pixel_f1_max": "pixel F1-max",
    "image_ap": "image average precision",
    "image_f1_max": "image F1-max",
}
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "–": "--",
    "σ": r"$\sigma$",
}


def metric_label(metric: str) -> str:
    """Return the name of a study's metric as a person would say it, without its unit."""
    name, _, rest = metric.partition("_at_fpr_")
    if rest:
        return f"{name} at a threshold for FPR {rest}"
    if metric.startswith("auspro_"):
        return f"AUsPRO (limit {metric.removeprefix('auspro_')})"
    return _NAMES.get(metric, label(metric))


def title(table: StudyTable, percent: bool) -> str:
    """Return the table's heading: the metric, its unit, and the station where there is one."""
    unit = " (s)" if table.metric in _SECONDS else " (MB)" if table.metric in _BYTES else ""
    name = metric_label(table.metric)
    words = f"{name}{unit or (' (%)' if percent else '')}"
    return f"{words} · {table.station}" if table.station else words


def figure(entry: Entry | None, metric: str, percent: bool) -> str:
    """Return ``0.952 ± 0.004`` (``95.2 ± 0.4`` in percent), the mean alone for one seed."""
    if entry is None:
        return MISSING
    scale, digits = scale_of(metric, percent)
    mean, std = entry.spread.mean * scale, entry.spread.std * scale
    words = f"{mean:.{digits}f}" + (f" ± {std:.{digits}f}" if entry.spread.n > 1 else "")
    return words.replace("-", "−")


def scale_of(metric: str, percent: bool) -> tuple[float, int]:
    """Return what a figure is multiplied by before printing, and its digits."""
    if metric in _BYTES:
        return 1e-6, 1
    if metric in _SECONDS:
        return 1.0, 2
    return (100.0, 1) if percent else (1.0, 3)


def to_csv(table: StudyTable) -> str:
    """Return detector, backbone, column, mean, std, n, best: one line an entry, unscaled."""
    written = StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(("detector", "backbone", "column", "mean", "std", "num_seeds", "best_group"))
    for (row, column), entry in table.entries.items():
        spread = entry.spread
        std = repr(spread.std) if spread.n > 1 else ""
        lines.writerow((*row, column, repr(spread.mean), std, spread.n, int(entry.best)))
    return written.getvalue()


def to_markdown(table: StudyTable, percent: bool = False) -> str:
    """Return a table with the best group in bold, numbers to the right."""

    def plain(words: str) -> str:
        return words.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*")

    def bold(words: str) -> str:
        return f"**{words}**"

    body = _body(table, percent, plain, bold)
    head = [f"| {' | '.join(body[0])} |", f"|---|---|{'---:|' * len(table.columns)}"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in body[1:])]) + "\n"


def to_latex(table: StudyTable, percent: bool = False) -> str:
    """Return a ``tabular`` for the booktabs package, with the best group in bold."""

    def bold(words: str) -> str:
        return rf"\textbf{{{words}}}"

    head, *body = [" & ".join(row) + r" \\" for row in _body(table, percent, latex, bold)]
    return "\n".join(
        [
            f"% {title(table, percent)}; mean ± std over seeds, best group in bold",
            rf"\begin{{tabular}}{{ll{'r' * len(table.columns)}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def latex(words: str) -> str:
    """Return words with every character that LaTeX reads as syntax written out."""
    return "".join(_LATEX.get(character, character) for character in words)


def to_html(table: StudyTable, percent: bool = False) -> str:
    """Return a ``<table>`` that stands alone, with the best group in ``<b>``."""

    def bold(words: str) -> str:
        return f"<b>{words}</b>"

    head, *body = _body(table, percent, escape, bold)
    rows = ["".join(f"<td>{cell}</td>" for cell in row) for row in body]
    return "\n".join(
        [
            "<table>",
            f"<caption>{escape(title(table, percent))}</caption>",
            "<thead><tr>"
            + "".join(f'<th scope="col">{cell}</th>' for cell in head)
            + "</tr></thead>",
            "<tbody>",
            *(f"<tr>{row}</tr>" for row in rows),
            "</tbody>",
            "</table>",
            "",
        ]
    )


def console_table(table: StudyTable, percent: bool = False) -> str:
    """Return aligned lines of plain text; ``*`` marks the best group."""
    rows = _body(table, percent, str, lambda words: f"{words} *")
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(w.ljust(n) for w, n in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([title(table, percent), *(f" {line}".rstrip() for line in lines)])


Words = Callable[[str], str]


def _body(table: StudyTable, percent: bool, plain: Words, bold: Words) -> list[list[str]]:
    """Return the head and every row as cells; ``plain`` escapes words, ``bold`` marks the best."""
    rows = [["detector", "backbone", *map(plain, table.columns)]]
    for row in table.labels:
        cells = [table.entries.get((row, column)) for column in table.columns]
        words = [(plain(figure(cell, table.metric, percent)), cell) for cell in cells]
        rows.append(
            [*map(plain, row), *(bold(w) if cell and cell.best else w for w, cell in words)]
        )
    return rows


def write_tables(tables: tuple[StudyTable, ...], folder: Path, percent: bool) -> tuple[Path, ...]:
    """Write every table in every format and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        for ending, text in (
            ("html", to_html(table, percent)),
            ("csv", to_csv(table)),
            ("md", to_markdown(table, percent)),
            ("tex", to_latex(table, percent)),
        ):
            path = folder / f"{table.name}.{ending}"
            part = path.with_name(f".{path.name}.part")
            part.write_text(text, encoding="utf-8")
            written.append(part.replace(path))
    return tuple(written)
