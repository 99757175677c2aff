"""The farthest few of many features, kept exact while they are picked one after the other.

Shapes: P features of the pool, D dimensions. Distances are squared ones, in float64.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    # Indices that are near-equal, ascending, and the picks of this pool: the place of the winner.
    Judge = Callable[[Tensor, Tensor], Tensor]

NONE = -float("inf")  # below every distance, so that a pick is never picked again
_BURST = 32  # steps between two answers from the device


class Pool:
    """Farthest-first picks from a few features while nothing outside can be farther.

    ``indices_P`` are ascending, ``distances_P`` those to the nearest pick so far, and ``outside``
    is an upper bound (one element) of all distances that are not in the pool. Where a ``judge``
    is given, it decides among features whose distances differ by a share of ``margin`` or less.
    """

    def __init__(
        self,
        indices_P: "Tensor",
        features_PD: "Tensor",
        mean_D: "Tensor",
        distances_P: "Tensor",
        outside: "Tensor",
        judge: "Judge | None" = None,
        margin: float = 0,
    ) -> None:
        import torch

        self.indices, self.distances, self.outside = indices_P, distances_P, outside
        self.farthest, self.judge, self.margin = distances_P.max(), judge, margin
        self.features = features_PD.double() - mean_D.double()
        self.norms = torch.linalg.vecdot(self.features, self.features)
        # A difference that float64 products cannot see is a tie: the lowest index wins it.
        self.errors = self.norms * (8 * (features_PD.shape[1] + 8) * torch.finfo(torch.float64).eps)

    def pick(self, num: int) -> "Tensor":
        """Return the indices of up to ``num`` picks; none where the farthest may be outside."""
        import torch

        picked = self.indices[:0]
        while len(picked) < num and len(self.indices):
            wanted = min(num - len(picked), _BURST)
            new = self._burst(wanted)
            picked = torch.cat([picked, new])
            if len(new) < wanted:
                judged = self._judged(picked)
                if not len(judged):
                    break
                picked = torch.cat([picked, judged])
            self._forget_the_near()
        return picked

    def upper_bounds(self) -> "Tensor":
        """Return the distances, rounded up by what they may err by."""
        return self.distances + self.errors

    def _burst(self, num: int) -> "Tensor":
        """Queue steps without waiting for any; return the indices of those that were certain.

        A step that comes too late changes nothing; how many counted is read once, at the end.
        """
        places, num_certain = self.indices.new_empty(num), self.indices.new_zeros(())
        for step in range(num):
            lowest = self._lowest_of_the_farthest()
            tied = self.upper_bounds() >= lowest
            certain = lowest > self.outside
            if self.judge is not None:
                certain &= tied.sum() == 1
            places[step] = tied.byte().argmax()
            self._lower_by(places[step : step + 1], certain)
            num_certain += certain
        return self.indices[places[: int(num_certain)]]

    def _judged(self, picked: "Tensor") -> "Tensor":
        """Return the index that the judge takes of near-equal features, if all are in the pool."""
        lowest = self._lowest_of_the_farthest()
        if self.judge is None or not bool(lowest > self.outside):
            return self.indices[:0]
        tied = (self.upper_bounds() >= lowest).nonzero().flatten()
        place = tied[self.judge(self.indices[tied], picked)][None]
        self._lower_by(place, lowest > self.outside)
        return self.indices[place]

    def _lowest_of_the_farthest(self) -> "Tensor":
        """Return what a distance must reach to count as the farthest."""
        return (self.distances - self.errors).max() * (1 - self.margin)

    def _lower_by(self, place: "Tensor", certain: "Tensor") -> None:
        """Lower all distances by the pick at ``place`` (1,): a product of matrix and vector."""
        import torch

        center = self.features.index_select(0, place)[0]
        distances = torch.addmv(self.norms, self.features, center, alpha=-2)
        distances.add_(center.dot(center)).clamp_min_(0).index_fill_(0, place, NONE)
        distances = torch.where(certain, distances, torch.inf)
        torch.minimum(self.distances, distances, out=self.distances)

    def _forget_the_near(self) -> None:
        """Keep only features that can still be picked: the others are not the farthest of all."""
        kept = (self.upper_bounds() >= self.outside).nonzero().flatten()
        self.indices, self.distances = self.indices[kept], self.distances[kept]
        self.features, self.norms = self.features[kept], self.norms[kept]
        self.errors = self.errors[kept]
