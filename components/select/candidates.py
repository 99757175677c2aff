"""The measured candidates of a run as the table that selection reads."""

from collections.abc import Sequence

from components.records import CandidateResult, SelectionDecision
from components.select.decide import decide
from components.select.limits import Row
from components.select.params import SelectionParams


def select(
    candidates: Sequence[CandidateResult],
    params: SelectionParams,
    seed: int = 0,
    *,
    champion: str | None = None,
) -> SelectionDecision:
    """Choose among measured candidates by the tune set's figures and the measured latency.

    Candidates that failed, are not eligible, or were measured on fewer seeds than the
    best-covered one are rejected with that reason. ``champion``: the name of the candidate that
    reigns, where it is among them.
    """
    most = max((len(c.seeds) for c in candidates if not (c.error or c.ineligible)), default=0)
    needed = dict.fromkeys([*(c.name for c in params.criteria), *(x.name for x in params.limits)])
    rows = [row_of(candidate, tuple(needed), most) for candidate in candidates]
    return decide(rows, params, seed, champion=champion)


def row_of(candidate: CandidateResult, figures: Sequence[str], most_seeds: int) -> Row:
    """Return a candidate's figures; undefined ones and missing seeds exclude it."""
    values: dict[str, tuple[float, ...]] = {}
    undefined = []
    for name in figures:
        found = _values(candidate, name)
        values[name] = tuple(value for value in found if value is not None)
        if len(values[name]) < len(found):
            undefined.append(
                f"{name} is undefined for {len(found) - len(values[name])} of {len(found)} seeds"
            )
    return Row(candidate.candidate, values, _excluded(candidate, most_seeds, undefined))


def _values(candidate: CandidateResult, name: str) -> tuple[float | None, ...]:
    own: dict[str, tuple[float, ...]] = {
        "latency_ms": candidate.latency_ms,
        "fit_s": candidate.fit_s,
        "peak_bytes": (float(candidate.peak_bytes),) if candidate.peak_bytes else (),
        "size_bytes": (float(candidate.size_bytes),) if candidate.size_bytes else (),
    }
    return own[name] if name in own else candidate.metrics.get(name, ())


def _excluded(candidate: CandidateResult, most_seeds: int, undefined: Sequence[str]) -> str:
    if candidate.error:
        return f"failed: {candidate.error}"
    if candidate.ineligible:
        return candidate.ineligible
    num = len(candidate.seeds)
    if num < most_seeds:
        return f"measured on {num} of {most_seeds} seeds: not among the finalists"
    return "; ".join(undefined)
