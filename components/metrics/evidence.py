"""What a number of inspected defective parts allows one to say about escapes."""

from components.errors import DataError

_MOST_PARTS = 1_000_000_000


def escape_upper_bound(missed: int, total: int, confidence: float = 0.95) -> float:
    """Return the escape rate (0..1) that is not exceeded, at this confidence, one-sided.

    ``missed`` of ``total`` defective parts escaped; with no part at all the bound is 1.
    Source: Clopper & Pearson 1934, the upper limit with the whole error on one side.

    Raises:
        DataError: E206 ``missed`` of ``total`` is no proportion, or a confidence outside 0..1.
    """
    from scipy.special import betaincinv

    _check(missed, total, confidence)
    if missed == total:
        return 1.0
    return float(betaincinv(missed + 1, total - missed, confidence))


def parts_needed(missed: int, total: int, claim: float, confidence: float = 0.95) -> int:
    """Return how many more defective parts, all caught, allow escapes <= ``claim`` to be said.

    0 where the parts inspected so far suffice. One more miss among the new ones raises the need.

    Raises:
        DataError: E206 as :func:`escape_upper_bound`, a ``claim`` outside 0..1, or one that
            would need more than a billion parts.
    """
    if not 0 < claim < 1:
        raise DataError("E206", f"A claim of {claim} escapes is not between 0 and 1.")

    def holds(more: int) -> bool:
        return escape_upper_bound(missed, total + more, confidence) <= claim

    if holds(0):
        return 0
    short, enough = 0, 1
    while not holds(enough):
        short, enough = enough, 2 * enough
        if enough > _MOST_PARTS:
            raise DataError("E206", f"A claim of {claim:g} escapes needs over a billion parts.")
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if holds(middle) else (middle, enough)
    return enough


def needed_sentence(missed: int, total: int, claim: float, confidence: float = 0.95) -> str:
    """Return in words what the parts allow, and how many more the claim takes.

    Raises:
        DataError: as :func:`parts_needed`.
    """
    more = parts_needed(missed, total, claim, confidence)
    bound = escape_upper_bound(missed, total, confidence)
    seen = f"{missed} of {total} defective parts escaped"
    said = f"at most {_percent(bound)} escapes may be claimed at {_percent(confidence)} confidence"
    if more == 0:
        return f"{seen}: {said}, within the {_percent(claim)} asked for."
    parts = "part" if more == 1 else "parts"
    need = f"you need {more} more defective {parts}, all caught, to claim {_percent(claim)}"
    return f"{seen}: {said}; {need}."


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _check(missed: int, total: int, confidence: float) -> None:
    if not 0 <= missed <= total:
        raise DataError("E206", f"{missed} missed of {total} defective parts is no proportion.")
    if not 0 < confidence < 1:
        raise DataError("E206", f"Confidence {confidence} is not between 0 and 1.")
