"""The decision as a record: the same answer, and the same digest, for the same table."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.params import digest_of
from components.records import SelectionDecision
from components.select.limits import Estimate, Row, apply_limits
from components.select.params import Criterion, Limit, SelectionParams
from components.select.sensitivity import what_would_change
from components.select.weigh import KNEE, Weighing, weigh

SHORTLIST_COVER = 0.9  # the shortlist is the smallest set that wins so many of the draws
WORDS = ("reasons", "would_change")  # prose: may be put better without a decision being another


def decide(
    table: Sequence[Row], params: SelectionParams, seed: int = 0, *, champion: str | None = None
) -> SelectionDecision:
    """Choose one row, or a shortlist where the noise does not allow one.

    The digest covers the table, the params and the answer, all but its prose; neither the order
    of rows, criteria and limits nor the process changes it. ``champion``: the row that stays
    where it is inside the noise.
    """
    rows = sorted(table, key=lambda row: row.name)
    assert len({row.name for row in rows}) == len(rows), "rows are named once"
    ordered = in_order(params)
    kept, rejected = apply_limits(rows, ordered.criteria, ordered.limits)
    weighing = weigh(kept, ordered, seed)
    winner, shortlist, why = _answer(weighing, params.confidence, champion)
    first = winner or (shortlist[0] if shortlist else None)
    order = [r.name for r in weighing.ranking]
    answer: dict[str, Any] = {
        "rejected": rejected,
        "front": weighing.front,
        "front_frequency": weighing.front_frequency,
        "ranking": weighing.ranking,
        "stability": weighing.stability,
        "stability_by": weighing.stability_by,
        "knee": weighing.method == KNEE,
        "method": weighing.method,
        "winner": winner,
        "shortlist": shortlist,
        "runner_up": next((name for name in (*shortlist, *order) if name != first), None),
        "reasons": (*weighing.reasons, *why),
        "would_change": what_would_change(rows, kept, ordered, weighing, seed),
    }
    draft = SelectionDecision(**_inputs(rows, params, seed, champion), **answer, digest="")
    return draft.model_copy(update={"digest": digest(draft)})


def in_order(params: SelectionParams) -> SelectionParams:
    """Return the params with criteria and limits sorted by name: the draws depend on the order."""
    return params.model_copy(
        update={
            "criteria": tuple(sorted(params.criteria, key=lambda c: c.name)),
            "limits": tuple(sorted(params.limits, key=lambda limit: limit.name)),
        }
    )


def digest(decision: SelectionDecision) -> str:
    """Return the sha256 (hex) of what was read and what was decided, without the prose."""
    body = decision.model_dump(mode="json", exclude={"digest", *WORDS})
    for named in ("criteria", "limits"):
        body[named] = sorted(body[named], key=lambda each: each["name"])
    return digest_of(_rounded(body))


def replay(decision: SelectionDecision) -> SelectionDecision:
    """Decide again from the record alone; an untouched record gives the same digest."""
    if len({c["name"] for c in decision.candidates}) < len(decision.candidates):
        raise ValueError("two candidates have one name")
    settings = dict(decision.settings)
    champion = settings.pop("champion", None)
    params = SelectionParams(
        criteria=tuple(Criterion(**c) for c in decision.criteria),
        limits=tuple(Limit(**limit) for limit in decision.limits),
        **settings,
    )
    rows = [
        Row(
            name=c["name"],
            values={k: tuple(v) for k, v in c["values"].items()},
            excluded=c["excluded"],
            estimates={k: Estimate(*v) for k, v in c.get("estimates", {}).items()},
        )
        for c in decision.candidates
    ]
    return decide(rows, params, decision.seed, champion=champion)


def _answer(
    weighing: Weighing, confidence: float, champion: str | None
) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    best = weighing.leader
    if best is None:
        return None, (), ()
    share = weighing.stability[best]
    if share >= confidence and not weighing.tie:
        return best, (), (f"{best} comes first in {share:.0%} of the draws.",)
    why = [f"{best} comes first in only {share:.0%} of the draws (wanted {confidence:.0%})."]
    if weighing.tie:
        why = [f"{best} and {weighing.ranking[1].name} are equal in every way that is weighed."]
    shortlist = _shortlist(weighing.stability, best)
    if champion in shortlist:
        shortlist.remove(champion)
        shortlist.insert(0, champion)
        why.append(f"The champion {champion} is inside the noise and stays.")
    elif shortlist[0] != best:
        why.append(f"{shortlist[0]} comes first in more of them: {best} leads on the means alone.")
    return None, tuple(shortlist), tuple(why)


def _shortlist(stability: dict[str, float], best: str) -> list[str]:
    """Return the fewest that win nine tenths of the draws: two at least, the leader with them.

    ``stability`` comes in the order of the ranking, which decides among equal shares.
    """
    order = sorted(stability, key=lambda name: -round(stability[name], 9))
    shares = np.cumsum([stability[name] for name in order])
    num = 1 + int(np.searchsorted(shares, SHORTLIST_COVER - 1e-9))
    shortlist = order[: max(num, 2)]
    return shortlist if best in shortlist else [*shortlist, best]


def _inputs(
    rows: Sequence[Row], params: SelectionParams, seed: int, champion: str | None
) -> dict[str, Any]:
    return {
        "criteria": tuple(c.model_dump(mode="json") for c in params.criteria),
        "limits": tuple(limit.model_dump(mode="json") for limit in params.limits),
        "settings": params.model_dump(
            mode="json", include={"num_draws", "confidence", "front_share"}
        )
        | {"champion": champion},
        "seed": seed,
        "candidates": tuple(_candidate(row) for row in rows),
    }


def _candidate(row: Row) -> dict[str, Any]:
    values = {name: row.values[name] for name in sorted(row.values) if row.values[name]}
    known = {name: row.estimates[name] for name in sorted(row.estimates)}
    candidate: dict[str, Any] = {
        "name": row.name,
        "values": {name: list(each) for name, each in values.items()},
        "mean": {n: float(np.mean(v)) for n, v in values.items()}
        | {n: e.mean for n, e in known.items()},
        "std": {n: float(np.std(v)) for n, v in values.items()}
        | {n: e.std for n, e in known.items()},
        "n": {n: len(v) for n, v in values.items()} | {n: e.num_seeds for n, e in known.items()},
        "excluded": row.excluded,
    }
    if known:
        estimates = {n: [e.mean, e.std, e.num_seeds] for n, e in known.items()}
        candidate["estimates"] = estimates
    return candidate


def _rounded(value: Any) -> Any:
    """Round floats to 9 digits, below which machines may differ."""
    if isinstance(value, float):
        return float(f"{value:.9g}") + 0.0  # -0 and 0 are one figure
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value
