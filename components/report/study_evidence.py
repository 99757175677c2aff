"""On what a study rests: printed figures beside ours, images, what was left out, how to repeat."""

from components.report.blocks import (
    Block,
    Bullets,
    Cell,
    Command,
    Heading,
    Section,
    Table,
    Text,
    Tone,
    row,
)
from components.report.wording import duration, number, signed
from components.studies.formats import metric_label, scale_of
from components.studies.papers import AgainstPaper
from components.studies.params import PAPERS
from components.studies.summary import StudySummary


def papers(summary: StudySummary) -> Section:
    """Return our figures beside printed ones, with the difference and whether it is noise."""
    repeated = summary.study.reproduces
    blocks: list[Block] = []
    if repeated is not None:
        blocks.append(Text(f"Repeats {repeated.table} of {PAPERS[repeated.paper]}."))
        blocks += [Text(repeated.comment, "quiet")] if repeated.comment else []
    if summary.comparisons:
        percent = summary.study.percent
        lines = tuple(_row(c, percent) for c in summary.comparisons)
        head = ("station", "model", "metric", "ours", "printed", "difference", "", "source")
        blocks += [
            Table(head, "lllrrrll", lines),
            Text("Whether a difference is noise: Welch's test at 5 % on both means, standard "
                 "deviations and numbers of seeds. Another backbone, image size or number of "
                 "images is a difference too, and no test knows of it.", "quiet"),
        ]  # fmt: skip
    elif repeated is not None:
        blocks.append(
            Text("None of these stations is one that a paper measured: there is no printed figure "
                 "to set beside ours.", "quiet")
        )  # fmt: skip
    return Section("papers", "Beside the papers", tuple(blocks), summary.profile_note)


def _row(c: AgainstPaper, percent: bool) -> tuple[Cell, ...]:
    scale, digits = scale_of(c.metric, percent)
    theirs = c.printed

    def words(mean: float, std: float | None) -> str:
        return f"{number(mean * scale, digits)}" + (
            "" if std is None else f" ± {number(std * scale, digits)}"
        )

    backbone = "" if c.same_backbone else f", {theirs.backbone or 'backbone not said'}"
    variant = [w for w in (c.variant, c.condition) if w not in ("as it is", "clean")]
    tone: Tone = (
        "warn" if c.within_noise is False else "quiet" if c.within_noise is None else "good"
    )
    return row(
        c.station,
        f"{c.detector}/{c.backbone}" + "".join(f" · {w}" for w in variant),
        metric_label(c.metric),
        words(c.mean, c.std if c.num_seeds > 1 else None),
        words(theirs.mean, theirs.std),
        signed(c.difference * scale, digits),
        Cell(c.verdict, tone),
        f"{theirs.source}{backbone}" + (f" ({theirs.note})" if theirs.note else ""),
    )


def images(summary: StudySummary) -> Section:
    """Return what each station gave, and which protocol its sets follow."""
    held = summary.study.held_out
    lines = tuple(
        row(
            i.station,
            str(i.num_train - i.num_held_out),
            str(i.num_held_out),
            str(i.num_test_normal),
            str(i.num_test_anomalous),
            "; ".join(i.notes),
            i.licence or "–",
        )
        for i in summary.images
    )
    head = ("station", "train", "held out", "test normal", "test anomalous", "sets", "licence")
    words = (
        f"Detectors learn from {summary.learned_from} and are tested on {summary.tested_on}. "
        + (
            f"{held:.0%} of the training normals are held out; thresholds for a false-positive "
            "rate are set on these alone. "
            if held
            else ""
        )
        + "Nothing is tuned on these figures, and none of them can promote a model."
    )
    return Section(
        "images", "Images and protocol", (Text(words), Table(head, "lrrrrll", lines)),
        summary.profile_note,
    )  # fmt: skip


def left_out(summary: StudySummary) -> Section:
    """Return what was not run, what failed, and why."""
    blocks: list[Block] = []
    if summary.failed:
        failed = tuple(f"{cell.key.name}: {cell.error}" for cell in summary.failed)
        blocks += [Heading("Failed"), Bullets(failed, "warn")]
    if summary.skipped:
        reasons = tuple(f"{s.what}: {s.reason}" for s in summary.skipped)
        blocks += [Heading("Not run"), Bullets(reasons)]
    return Section("left-out", "Left out", tuple(blocks))


def repeat(summary: StudySummary) -> Section:
    """Return the command, the versions, and where the time went."""
    reused = sum(cell.state == "reused" for cell in summary.cells)
    computed = len(summary.cells) - reused - len(summary.failed)
    spent = sum(cell.wall_s for cell in summary.cells if cell.state == "done")
    words = (
        f"{computed} cells computed and {reused} reused in {duration(summary.wall_s)} on "
        f"{summary.hardware}, with {summary.workers} at a time, one thread each"
        + (f"; the computed cells took {duration(spent)} in all" if computed else "")
        + (_predicted(summary) if computed else "")
        + "."
    )
    lines = tuple(row(name, Cell(value, mono=True)) for name, value in summary.lineage.items())
    return Section(
        "repeat",
        "How to repeat it",
        (Command(summary.reproduce), Text(words), Table(("", ""), "ll", lines)),
    )


def _predicted(summary: StudySummary) -> str:
    """Return what the cost preview said of the cells, beside what they took."""
    step = next((step for step in summary.steps if step.step == "cells"), None)
    if step is None or not step.predicted_s:
        return ""
    foreseen = duration(step.predicted_s)
    return f". The step of the cells took {duration(step.wall_s)}, of {foreseen} predicted"
