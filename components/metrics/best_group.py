"""Which rows of a table are marked best: the best mean, and all that may well be as good."""

from collections.abc import Mapping, Sequence

from components.errors import DataError
from components.metrics.seeds import Spread, spread
from components.metrics.welch import welch


def best_group(
    groups: Mapping[str, Sequence[float]], *, higher_is_better: bool = True, alpha: float = 0.05
) -> frozenset[str]:
    """Return the names with the best mean and those that are not significantly worse.

    ``groups``: the values of each name over its seeds. A difference counts as significant where
    Welch's two-sided p-value is below ``alpha``; the p-values are not corrected for the number
    of comparisons, as in the paper. A group of one run cannot be tested: it belongs only if its
    mean equals the best. Nothing is best among no groups. Source: paper 002, tables 6-9.

    Raises:
        DataError: E205 an empty group, a NaN or infinite value (the group is named), or an
            ``alpha`` outside 0..1.
    """
    return best_group_of(
        {name: _spread_of(name, values) for name, values in groups.items()},
        higher_is_better=higher_is_better,
        alpha=alpha,
    )


def best_group_of(
    groups: Mapping[str, Spread], *, higher_is_better: bool = True, alpha: float = 0.05
) -> frozenset[str]:
    """Return the best group of figures that are known as mean, standard deviation and runs only.

    Rules and errors as :func:`best_group`; for printed tables.
    """
    if not 0 < alpha < 1:
        raise DataError("E205", f"A significance level of {alpha} is not between 0 and 1.")
    if not groups:
        return frozenset()
    sign = 1 if higher_is_better else -1
    # of equal means the widest spread stands for the best: it excludes the fewest
    best = max(groups.values(), key=lambda s: (sign * s.mean, s.std))
    return frozenset(name for name, found in groups.items() if _as_good(found, best, alpha))


def _as_good(found: Spread, best: Spread, alpha: float) -> bool:
    if found.mean == best.mean:
        return True
    if min(found.n, best.n) < 2:
        return False
    return welch(found.mean, found.std, found.n, best.mean, best.std, best.n) >= alpha


def _spread_of(name: str, values: Sequence[float]) -> Spread:
    try:
        return spread(values)
    except DataError as error:
        raise DataError(error.code, f"{name}: {error.message}", error.remedy) from None
