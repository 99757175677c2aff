"""Where along one line an answer flips first, and how such a level is written."""

from collections.abc import Callable

import numpy as np

NUM_STEPS = 24  # looked at before halving: an answer may flip and flip back in between
NUM_HALVINGS = 30


def first_flip(flips: Callable[[float], bool], reach: float) -> float | None:
    """Return the smallest step in (0, reach] at which ``flips`` holds, to 1e-10 of the reach."""
    low = 0.0
    for high in np.linspace(0.0, reach, NUM_STEPS + 1)[1:].tolist():
        if flips(high):
            return _halved(flips, low, high)
        low = high
    return None


def _halved(flips: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(NUM_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if flips(middle) else (middle, high)
    return high


def outward(value: float, *, up: bool, digits: int = 4) -> float:
    """Return the value at so many significant digits, rounded up or down and never nearer."""
    near = float(f"{value:.{digits}g}")
    if near == value or (near > value) == up:
        return near
    quantum = 10.0 ** (np.floor(np.log10(abs(value))) - digits + 1)
    return float(f"{near + (quantum if up else -quantum):.{digits}g}")
