"""Champion against challenger, paired on the same images of the report set."""

from pathlib import Path

from components.records import Case, Comparison, RunSummary
from components.report.blocks import (
    Block,
    Card,
    Cards,
    Heading,
    Picture,
    Section,
    Table,
    absent,
    row,
)
from components.report.gallery import FOLDER, data_uri
from components.report.wording import interval, label, listing, number, percent, signed

ID_LENGTH = 12  # characters of an image_id that name its pictures
MOST_THUMBNAILS = 12


def champion(summary: RunSummary, run_dir: Path) -> Section:
    """Return the paired differences and thumbnails of what was fixed and newly missed."""
    if not summary.comparison:
        blocks: tuple[Block, ...] = (absent(_why_not(summary)),)
    else:
        blocks = (_differences(summary), *_images(summary, run_dir))
    return Section("champion", "Champion and challenger", blocks, summary.profile_note)


def _why_not(summary: RunSummary) -> str:
    if not summary.evaluations:
        return "There is no comparison: no model was judged on the report set in this run."
    if "champion" not in summary.evaluations:
        return "There is no comparison: the station had no champion before this run."
    return "There is no comparison: champion and challenger are the same model."


def _differences(summary: RunSummary) -> Table:
    rows = tuple(
        row(
            label(c.metric),
            number(c.champion),
            number(c.challenger),
            signed(c.delta),
            interval(c.ci_low, c.ci_high, plus=True) or "–",
            _reading(c),
        )
        for c in summary.comparison
    )
    shown = percent(summary.confidence)
    return Table(
        ("figure", "champion", "challenger", "difference", f"paired {shown} interval", ""),
        "lrrrrl",
        rows,
    )


def _within_noise(comparison: Comparison) -> bool:
    low, high = comparison.ci_low, comparison.ci_high
    return low is None or high is None or low <= 0 <= high


def _reading(comparison: Comparison) -> str:
    if comparison.delta is None:
        return "undefined"
    if comparison.ci_low is None or comparison.ci_high is None:
        return "no interval"
    if _within_noise(comparison):
        return "within noise"
    return "better" if _gain(comparison) > 0 else "worse"


def _gain(comparison: Comparison) -> float:
    """Return the difference so that positive is better; of rates of error, less is better."""
    assert comparison.delta is not None, "an undefined difference has no direction"
    return -comparison.delta if comparison.metric.endswith("_rate") else comparison.delta


def _images(summary: RunSummary, run_dir: Path) -> list[Block]:
    fixed = tuple(dict.fromkeys(i for c in summary.comparison for i in c.fixed))
    missed = tuple(dict.fromkeys(i for c in summary.comparison for i in c.newly_missed))
    return [
        *_thumbnails("Fixed by the challenger", fixed, summary, run_dir),
        *_thumbnails("Newly missed by the challenger", missed, summary, run_dir),
    ]


def _thumbnails(
    title: str, image_ids: tuple[str, ...], summary: RunSummary, run_dir: Path
) -> list[Block]:
    if not image_ids:
        return [Heading(title), absent("None.")]
    cases = {case.image_id: case for case in (*summary.misses, *summary.false_alarms)}
    cards = [_thumbnail(i, cases.get(i), run_dir) for i in image_ids[:MOST_THUMBNAILS]]
    shown = tuple(card for card in cards if card.pictures)
    blocks: list[Block] = [Heading(f"{title}: {len(image_ids)}")]
    if shown:
        blocks.append(Cards(shown, small=True))
    rest = [i[:ID_LENGTH] for i in image_ids if i[:ID_LENGTH] not in {c.title for c in shown}]
    if rest:
        blocks.append(absent(f"Without a picture here: {listing(rest, 20)}."))
    return blocks


def _thumbnail(image_id: str, case: Case | None, run_dir: Path) -> Card:
    name = image_id[:ID_LENGTH]
    image = case.image_png if case else f"{FOLDER}/{name}_image.png"
    heat = case.map_png if case else f"{FOLDER}/{name}_map.png"
    pictures = tuple(
        Picture(uri, words)
        for words, path in (("image", image), ("heat map", heat))
        if (uri := data_uri(run_dir, path))
    )
    return Card(name, case.defect_type if case else "", pictures)
