"""Thresholds laid where defective pixels score, from one reading in bounded memory."""

from dataclasses import dataclass, field

import numpy as np

from components.metrics.ranking import Floats
from components.metrics.regions import Parts


@dataclass
class Sketch:
    """The distinct scores of defective pixels, thinned whenever they become too many.

    What counts is the mean of three shares of the whole: of pixels, of the weights by component
    and of those by channel. Thinned to n, the scores stay at which that mean reaches
    each n-th, so that less than an n-th lies between two of them. Each round on the way moves
    weight to the next lower score, by half a final step at most; over twenty rounds of drawn
    scores the widest gap grew to two and a half steps.
    """

    num_steps: int
    scores: list[Floats] = field(default_factory=list)
    masses: list[Floats] = field(default_factory=list)  # Px3: pixels, components, channels
    waiting_px: int = 0

    def add(self, parts: Parts) -> None:
        """Take in the defective pixels of one image."""
        if not parts.inside.size:
            return
        pixels = np.ones(parts.inside.size)
        self.scores.append(parts.inside)
        self.masses.append(np.stack([pixels, parts.component_shares, parts.channel_shares], axis=1))
        self.waiting_px += parts.inside.size
        if self.waiting_px > 8 * self.num_steps:
            self._thin(2 * self.num_steps)  # finer than asked: each round blurs a little

    def grid(self) -> Floats:
        """Return at most ``num_steps`` + 1 scores, lowest first: all distinct ones where few."""
        self._thin(self.num_steps)
        return self.scores[0][::-1]

    def _thin(self, num_steps: int) -> None:
        scores, masses = _merged(np.concatenate(self.scores), np.concatenate(self.masses))
        if scores.size > num_steps:
            shares = (masses / masses.sum(axis=0)).mean(axis=1)
            steps = np.floor(np.cumsum(shares) * num_steps)
            steps[-1] += 1  # the lowest score stays
            kept = np.flatnonzero(np.diff(steps, prepend=0) > 0)
            masses = np.add.reduceat(masses, np.r_[0, kept[:-1] + 1], axis=0)
            scores = scores[kept]
        self.scores, self.masses, self.waiting_px = [scores], [masses], scores.size


def _merged(scores: Floats, masses: Floats) -> tuple[Floats, Floats]:
    """Sort, highest first, and sum the masses of equal scores."""
    order = np.argsort(scores)[::-1]
    descending = scores[order]
    starts = np.flatnonzero(np.r_[True, descending[1:] != descending[:-1]])
    return descending[starts], np.add.reduceat(masses[order], starts, axis=0)
