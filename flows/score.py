"""``defectloop score MAPS TRUTH``: the figures of anomaly maps on disk, from any tool."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from components.errors import ParamsError
from components.scoring.layouts import Layout
from components.scoring.pairs import Pair
from components.scoring.report import ScoreReport
from components.scoring.score import score_maps


def show_score(
    maps: Path,
    truth: Path,
    *,
    layout: Layout | None,
    limits: str,
    tnrs: str,
    budget_px: int,
    as_json: bool,
) -> int:
    """Print the figures of a folder of maps, as a table or as one JSON document.

    Raises:
        ParamsError: E210 limits or rates that are none.
        DataError: as :func:`score_maps`.
    """
    if budget_px < 0:
        raise ParamsError("E210", f"--budget-px {budget_px} is negative.", "Give 0 to stream.")
    report = score_maps(
        maps.expanduser(),
        truth.expanduser(),
        layout=layout,
        limits=rates(limits, "--limits"),
        tnrs=rates(tnrs, "--tnr"),
        budget_px=budget_px,
        watch=_bar,
    )
    if as_json:
        print(json.dumps(report.model_dump(mode="json"), indent=1, allow_nan=False))
    else:
        print("\n".join(lines_of(report)))
    return 0


def rates(text: str, option: str) -> tuple[float, ...]:
    """Read rates within (0, 1], separated by commas; each counts once, in the order given.

    Raises:
        ParamsError: E210 names what is no rate.
    """
    found: dict[float, None] = {}
    for part in text.split(","):
        try:
            rate = float(part)
        except ValueError:
            rate = float("nan")
        if not 0 < rate <= 1:
            message = f"{option}: {part.strip()!r} is not a number within (0, 1]."
            raise ParamsError("E210", message, f"Write for example {option} 0.05,0.3.")
        found[rate] = None
    return tuple(found)


def lines_of(report: ScoreReport) -> list[str]:
    """Return the report as aligned lines for a person."""
    return [
        f"layout     {report.layout}: {report.why}",
        f"images     {report.num_normal} normal · {report.num_anomalous} anomalous · "
        f"{report.num_regions} regions",
        f"score      {report.image_score}",
        *(f"note       {note}" for note in report.notes),
        "",
        *_image_table(report),
        "",
        *_pixel_table(report),
        *_defect_table(report),
    ]


def _image_table(report: ScoreReport) -> list[str]:
    head = ["image", "AUROC", "AP", "F1-max", *(f"TPR@TNR {tnr}" for tnr in report.tpr_at_tnr)]
    values = (report.image_auroc, report.image_ap, report.image_f1_max)
    return _table([head, ["", *_shown([*values, *report.tpr_at_tnr.values()])]])


def _pixel_table(report: ScoreReport) -> list[str]:
    values = _shown([report.pixel_auroc, report.pixel_ap, report.pixel_f1_max])
    limits = list(report.auspro)
    return [
        *_table([["pixel", "AUROC", "AP", "F1-max"], ["", *values]]),
        "",
        *_table(
            [
                ["FPR up to", *limits],
                ["AUsPRO", *_shown(list(report.auspro.values()))],
                ["AUPRO", *_shown(list(report.aupro.values()))],
            ]
        ),
    ]


def _defect_table(report: ScoreReport) -> list[str]:
    if not report.by_defect:
        return []
    rows = [
        [name, str(of.num_images), str(of.num_regions), *_shown([of.image_auroc])]
        for name, of in report.by_defect.items()
    ]
    return ["", *_table([["defect", "images", "regions", "image AUROC"], *rows])]


def _shown(values: Sequence[float | None]) -> list[str]:
    return ["n/a" if value is None else f"{value:.4f}" for value in values]


def _table(rows: list[list[str]]) -> list[str]:
    """Align columns: the first to the left, figures to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    widths[0] = max(widths[0], 9)
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))])
        for row in rows
    ]


def _bar(pairs: Sequence[Pair], doing: str) -> Iterable[Pair]:
    """Show a bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(pairs, doing, console=console, transient=True, disable=not console.is_terminal)
