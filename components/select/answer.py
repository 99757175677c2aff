"""A decision as quiet lines for a terminal: the answer, the ranking, the reasons."""

import math
from collections.abc import Sequence

from components.records import SelectionDecision

MOST_RANKED = 12
MOST_NAMED = 6
BAR = 20  # characters of a full bar
COLUMN = 13  # of the words before each part


def answer_lines(decision: SelectionDecision, notes: Sequence[str]) -> list[str]:
    """Return the lines; ``notes`` say what was read, the first of them ahead of the answer."""
    lines = [*_part("table", notes), *_part("answer", [verdict(decision)]), ""]
    if decision.ranking:
        lines += [*_ranking(decision), ""]
    lines += _part("rejected", _rejected(decision))
    lines += _part("why", decision.reasons)
    lines += _part("noise", _noise(decision))
    lines += _part("would change", decision.would_change)
    return [*lines, *_part("digest", [decision.digest])]


def verdict(decision: SelectionDecision) -> str:
    """Return the answer in one sentence or two."""
    shares = decision.stability
    if decision.winner is not None:
        how = "the knee of the front" if decision.knee else decision.method
        share = f"first in {shares[decision.winner]:.0%} of the draws"
        second = f" Runner-up: {decision.runner_up}." if decision.runner_up else ""
        return f"{decision.winner}: {how}, {share}.{second}"
    if decision.shortlist:
        named = ", ".join(f"{name} ({shares[name]:.0%})" for name in decision.shortlist)
        return f"No single winner. Shortlist, with the share of draws each wins: {named}."
    return "Nothing to choose from: every row is rejected."


def bar(share: float) -> str:
    """Return a share (0..1) as a bar of text."""
    return ("█" * round(BAR * share)).ljust(BAR, "·")


def _part(word: str, sentences: Sequence[str]) -> list[str]:
    return [
        f"{word if first else '':<{COLUMN}}{sentence}"
        for first, sentence in zip([True] + [False] * len(sentences), sentences, strict=False)
    ]


def _ranking(decision: SelectionDecision) -> list[str]:
    names = [str(c["name"]) for c in decision.criteria]
    digits = {name: _digits([r.values[name] for r in decision.ranking]) for name in names}
    rows = [["", "score", *names, "first in"]]
    for ranked in decision.ranking[:MOST_RANKED]:
        mark = "★" if ranked.name == decision.winner else "·"
        mark = mark if ranked.name in (decision.winner, *decision.shortlist) else " "
        figures = [f"{ranked.values[name]:.{digits[name]}f}" for name in names]
        share = decision.stability[ranked.name]
        told = f"{bar(share)} {share:4.0%}"
        rows.append([f"{mark} {ranked.name}", f"{ranked.score:.3f}", *figures, told])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i in (0, len(widths) - 1) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    more = len(decision.ranking) - MOST_RANKED
    return [*lines, f"  … and {more} more candidates"] if more > 0 else lines


def _digits(values: Sequence[float]) -> int:
    """Return the decimals that show four digits of the largest value."""
    largest = max(map(abs, values))
    return min(max(3 - math.floor(math.log10(largest)), 0), 9) if largest else 0


def _rejected(decision: SelectionDecision) -> list[str]:
    """Return a line for each reason, with the names that share it."""
    together: dict[str, list[str]] = {}
    for rejection in decision.rejected:
        together.setdefault(rejection.reason, []).append(rejection.name)
    return [f"{_named(names)}: {reason}" for reason, names in together.items()]


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _noise(decision: SelectionDecision) -> list[str]:
    """Return how often the first comes first when one cause alone is shaken."""
    first = decision.first
    alone = {cause: shares.get(first or "") for cause, shares in decision.stability_by.items()}
    told = [f"{cause} {share:.0%}" for cause, share in alone.items() if share is not None]
    return [f"{first} comes first with one cause alone: {' · '.join(told)}"] if told else []
