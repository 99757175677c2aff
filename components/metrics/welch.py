"""Whether two detectors differ by more than their seeds do."""

import math

from components.errors import DataError


def welch(mean_a: float, std_a: float, n_a: int, mean_b: float, std_b: float, n_b: int) -> float:
    """Return the two-sided p-value (0..1) of equal means, without assuming equal variances.

    ``std_*``: sample standard deviations (ddof = 1) of ``n_*`` runs. Where neither spreads at
    all, p is 1 for equal means and 0 for others.
    Source: Welch 1947, with the degrees of freedom of Satterthwaite 1946.

    Raises:
        DataError: E205 fewer than two runs, a negative standard deviation, or no finite figure.
    """
    for name, mean, std, n in (("first", mean_a, std_a, n_a), ("second", mean_b, std_b, n_b)):
        _check(name, mean, std, n)
    gap = abs(mean_a - mean_b)
    scale = max(std_a, std_b)
    if scale == 0:
        return 1.0 if gap == 0 else 0.0
    # in units of the wider spread, so that squares neither vanish nor overflow
    share_a, share_b = (std_a / scale) ** 2 / n_a, (std_b / scale) ** 2 / n_b
    error = share_a + share_b
    freedom = error**2 / (share_a**2 / (n_a - 1) + share_b**2 / (n_b - 1))
    return _two_sided(gap / scale / math.sqrt(error), freedom)


def _two_sided(statistic: float, freedom: float) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -statistic))


def _check(name: str, mean: float, std: float, n: int) -> None:
    if n < 2:
        raise DataError("E205", f"The {name} group has {n} runs, Welch's test needs 2.", "Add one.")
    if not (math.isfinite(mean) and math.isfinite(std)) or std < 0:
        raise DataError("E205", f"The {name} group has mean {mean} and standard deviation {std}.")
