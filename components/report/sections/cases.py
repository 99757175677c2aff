"""The gallery: the worst misses, then the worst false alarms."""

from pathlib import Path

from components.records import Case, RunSummary
from components.report.blocks import Block, Card, Cards, Heading, Picture, Section, absent
from components.report.evidence import calls, evaluated
from components.report.gallery import data_uri
from components.report.wording import compact, shorten

MOST_CASES = 12


def cases(summary: RunSummary, run_dir: Path) -> Section:
    """Return a card for each kept case, worst first, with pictures as data URIs."""
    blocks: list[Block] = [Heading("Worst misses")]
    blocks += _cards(summary.misses, run_dir, "misses", summary)
    blocks.append(Heading("Worst false alarms"))
    blocks += _cards(summary.false_alarms, run_dir, "false alarms", summary)
    kept = (*summary.misses, *summary.false_alarms)
    if kept:
        blocks.append(
            absent(
                "Heat maps are brighter where the model sees more anomaly; the white line is the "
                "pixel threshold. Distance is the image's score minus the threshold."
            )
        )
        if not any(case.mask_png for case in kept):
            blocks.append(absent("No masks are shown: there are none for these images."))
    return Section("cases", "Worst misses and false alarms", tuple(blocks), summary.profile_note)


def _cards(found: tuple[Case, ...], run_dir: Path, what: str, summary: RunSummary) -> list[Block]:
    if not found:
        return [absent(_why_none(what, summary))]
    return [Cards(tuple(_card(case, run_dir) for case in found[:MOST_CASES]))]


def _why_none(what: str, summary: RunSummary) -> str:
    judged = evaluated(summary)
    seen = calls(judged[0][2]) if judged else None
    if seen is None:
        return f"No {what} to show: no model was judged on the report set."
    among = seen.escapes if what == "misses" else seen.overkill
    if among == 0:
        return f"There are no {what} on the report set."
    return f"There are {among} {what} on the report set; no pictures of them were kept."


def _card(case: Case, run_dir: Path) -> Card:
    named = (("image", case.image_png), ("heat map", case.map_png), ("mask", case.mask_png))
    pictures = tuple(Picture(uri, words) for words, p in named if (uri := data_uri(run_dir, p)))
    side = "below" if case.distance < 0 else "above"
    detail = f"score {compact(case.pred_score)}, {compact(abs(case.distance))} {side} the threshold"
    kind = "normal" if case.defect_type == "good" else case.defect_type
    missing = "" if pictures else "Its pictures are not beside the report any more."
    return Card(f"{kind} · {shorten(case.image_path, 60)}", detail, pictures, missing)
