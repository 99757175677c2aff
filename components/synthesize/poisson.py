"""Seamless blending of a rectangle at any bit depth: Poisson's equation, solved exactly.

Perez, Gangnet and Blake, Poisson Image Editing (SIGGRAPH 2003), equation 7 with the source's
gradients as guidance. On a rectangle the discrete sine transform (type I) turns the five-point
Laplacian into a division, so there is no iteration and no tolerance.
"""

import numpy as np
from numpy.typing import NDArray

from components.levels import Unit


def blend(target: Unit, source: Unit) -> Unit:
    """Return ``source``'s gradients within ``target``'s border.

    Both HxW or HxWx3, of one size, at least 3x3; the outermost pixels are the target's.
    """
    assert target.shape == source.shape and min(target.shape[:2]) >= 3
    # The correction is harmonic: zero Laplacian inside, target minus source on the border.
    gap = (target - source).astype(np.float32)
    right_hand = np.zeros_like(gap[1:-1, 1:-1])
    right_hand[0] -= gap[0, 1:-1]
    right_hand[-1] -= gap[-1, 1:-1]
    right_hand[:, 0] -= gap[1:-1, 0]
    right_hand[:, -1] -= gap[1:-1, -1]
    blended = target.copy()
    blended[1:-1, 1:-1] = source[1:-1, 1:-1] + _solve(right_hand)
    return blended


def _solve(right_hand: Unit) -> NDArray[np.float32]:
    """Solve the five-point Laplace equation with zero border: L u = right_hand."""
    from scipy.fft import dstn, idstn

    height, width = right_hand.shape[:2]
    rows = 2 * np.cos(np.pi * np.arange(1, height + 1) / (height + 1)) - 2
    columns = 2 * np.cos(np.pi * np.arange(1, width + 1) / (width + 1)) - 2
    eigenvalues = (rows[:, None] + columns[None, :]).astype(np.float32)
    if right_hand.ndim == 3:
        eigenvalues = eigenvalues[..., None]
    spectrum = dstn(right_hand, type=1, axes=(0, 1))
    solved: NDArray[np.float32] = idstn(spectrum / eigenvalues, type=1, axes=(0, 1))
    return solved
