"""Where the model came from, how to make it again, and what this page does not show."""

from components.records import RunSummary
from components.report.blocks import (
    Block,
    Bullets,
    Cell,
    Command,
    Heading,
    Section,
    Table,
    absent,
    row,
)


def lineage(summary: RunSummary) -> Section:
    """Return hashes of everything that changes the result, and the command that repeats it."""
    versions = {
        "registered version": summary.registered_version,
        "champion now": summary.champion_version,
        "selection": summary.decision.digest if summary.decision else None,
    }
    known = {k: v for k, v in versions.items() if v} | dict(summary.lineage)
    blocks: list[Block] = []
    if known:
        rows = tuple(row(k.replace("_", " "), Cell(v, mono=True)) for k, v in known.items())
        blocks.append(Table(("of", "identity"), "ll", rows))
    else:
        blocks.append(absent("No lineage was recorded: the run ended too early."))
    blocks.append(Heading("Do it again"))
    if summary.reproduce:
        blocks.append(Command(summary.reproduce))
    else:
        blocks.append(absent("No command was recorded for this run."))
    return Section("lineage", "Lineage", tuple(blocks))


def limits(summary: RunSummary) -> Section:
    """Return what was not shown, the profile's subset first."""
    items = tuple(n for n in (summary.profile_note, *summary.limits_of_evidence) if n)
    block = Bullets(items) if items else absent("None was recorded.")
    return Section("limits", "Limits of what was shown", (block,))
