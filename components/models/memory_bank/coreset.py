"""Greedy k-center selection: exact, lazy, in bounded memory.

Every step picks the feature farthest from all picks so far and would have to update all N
distances. But distances never grow, so one that was not updated for a while is still an upper
bound. A small pool of the farthest features is kept exact at each step; the rest stays stale
until the farthest of the pool falls to the highest bound outside it. Only then are the highest
bounds brought up to date, in blocks, and a new pool is chosen.

Bounds are float32 products rounded up by more than those can err; what decides a pick is measured
in float64.

Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985; used as algorithm 1
of PatchCore (Roth et al., 2022). All distances here are squared Euclidean ones.
Shapes: N features, D dimensions.
"""

import logging
from typing import TYPE_CHECKING

from components.models.memory_bank.distances import (
    column_factor,
    error_share,
    measured_pairs,
    refuse_not_finite,
    row_factor,
)
from components.models.memory_bank.farthest import NONE, Pool
from components.models.memory_bank.plan import CoresetPlan, plan_coreset
from components.models.memory_bank.threads import compute_threads

if TYPE_CHECKING:
    from torch import Tensor

_LOG = logging.getLogger(__name__)


def k_center_greedy(
    features_ND: "Tensor",
    num: int,
    *,
    first: int,
    as_anomalib: bool = False,
    plan: CoresetPlan | None = None,
    num_threads: int = 1,
) -> "Tensor":
    """Return the indices (int64, in order) of ``num`` greedily farthest features (float32).

    The picks are those of the plain greedy in float64, ties going to the lowest index. They are
    nested: the first k of them are the picks of any smaller run from the same ``first``, so one
    run at the largest ratio serves every smaller one. ``plan`` bounds the memory and never
    changes a pick; without one it is made for what the machine has left. ``as_anomalib`` decides
    between distances that float32 can hardly tell apart as anomalib's float32 loop does.

    Raises:
        PipelineError: E300, not even the smallest plan fits the memory.
        DataError: E301, a feature is not finite.
    """
    total, dims = features_ND.shape
    assert num >= 1
    num = min(num, total)
    plan = plan or plan_coreset(total, dims, num)
    _LOG.info("%s", plan)
    with compute_threads(num_threads):
        selection = _Selection(features_ND, num, first, as_anomalib, plan)
        while selection.num_picks < num:
            selection.pick_from(selection.new_pool())
    return selection.picks


class _Selection:
    """Upper bounds on all distances, and how many picks each of them knows of."""

    def __init__(
        self,
        features_ND: "Tensor",
        num: int,
        first: int,
        as_anomalib: bool,
        plan: CoresetPlan,
    ) -> None:
        import torch

        assert features_ND.ndim == 2 and features_ND.dtype == torch.float32
        self.features, self.plan = features_ND, plan
        self.share = error_share(features_ND.shape[1])
        self.judge = self._as_anomalib if as_anomalib else None
        self.margin = self.share if as_anomalib else 0.0
        self.mean = features_ND.mean(dim=0)  # taken off, it leaves less to cancel
        self.norms = features_ND.new_empty(len(features_ND))
        self.bounds = self.norms.double()
        self.num_seen = torch.ones_like(self.norms, dtype=torch.int64)
        self.picks = self.num_seen.new_empty(num)
        self.centers = features_ND.new_empty(num, features_ND.shape[1] + 1)
        self.num_picks = 0
        self.take(self.picks.new_tensor([first]))
        for start in range(0, len(features_ND), plan.rows):
            self._begin(slice(start, start + plan.rows))
        refuse_not_finite(features_ND, self.norms, "features")
        self.bounds[first] = NONE

    def _begin(self, block: slice) -> None:
        """Fill in the norms of features in order, and their bounds by the first pick."""
        rows = row_factor(self.features[block], self.mean, 1 + self.share)
        self.norms[block] = rows[:, :-1].square().sum(dim=1)
        nearest = (rows @ self.centers[0]).double()
        self.bounds[block] = nearest + self.norms[block].double() * (1 + self.share)

    def take(self, indices: "Tensor") -> None:
        """Append picks."""
        start, self.num_picks = self.num_picks, self.num_picks + len(indices)
        self.picks[start : self.num_picks] = indices
        self.centers[start : self.num_picks] = column_factor(self.features[indices], self.mean)
        self.bounds[indices] = NONE

    def new_pool(self) -> Pool:
        """Bring the highest bounds up to date until they make a pool, and measure that."""
        import torch

        num_left = len(self.bounds) - self.num_picks
        first = self.bounds.topk(min(self.plan.batch, num_left)).indices.sort().values
        best, level = self._best_of(self.picks[:0], first, NONE)
        rest = self.bounds > level
        rest[first] = False
        for batch in torch.split(rest.nonzero().flatten(), self.plan.batch):
            best, level = self._best_of(best, batch[self.bounds[batch] > level], level)
        best = best.sort().values  # the lowest index wins a tie
        self._measure(best)
        outside = self.bounds.index_fill(0, best, NONE).max()
        exact = self.features[best], self.mean, self.bounds[best]
        return Pool(best, *exact, outside, self.judge, self.margin)

    def _best_of(self, best: "Tensor", batch: "Tensor", level: float) -> "tuple[Tensor, float]":
        """Bring a batch up to date; return the highest so far and the level they all reach."""
        import torch

        self._bring_up_to_date(batch, level)
        both = torch.cat([best, batch[self.num_seen[batch] == self.num_picks]])
        bounds, places = self.bounds[both].topk(min(self.plan.pool, len(both)))
        return both[places], float(bounds[-1]) if len(bounds) == self.plan.pool else NONE

    def pick_from(self, pool: Pool) -> None:
        """Pick for as long as the farthest of all is certain to be in the pool."""
        picked = pool.pick(len(self.picks) - self.num_picks)
        if len(picked):
            self.take(picked)
            self.bounds[pool.indices] = pool.upper_bounds()
            self.num_seen[pool.indices] = self.num_picks
        else:
            self._pick_among_ties(pool.farthest)

    def _pick_among_ties(self, farthest: "Tensor") -> None:
        """Pick where others may be as far as the farthest of the pool: all of them are measured."""
        tied = (self.bounds >= farthest * (1 - self.margin)).nonzero().flatten()
        self._bring_up_to_date(tied, NONE)
        self._measure(tied)
        distances = self.bounds[tied]
        farthest = distances.max()
        tied = tied[distances >= farthest * (1 - self.margin)]
        if float(farthest) == 0:  # the rest are copies of picks: their order is that of indices
            self.take(tied[: len(self.picks) - self.num_picks])
        elif self.judge is None:
            self.take(tied[:1])
        else:
            self.take(tied[self.judge(tied, self.picks[:0])][None])

    def _as_anomalib(self, tied: "Tensor", new: "Tensor") -> "Tensor":
        """Return the place of the farthest by the float32 norms that anomalib compares."""
        import torch

        picks = self.features[torch.cat([self.picks[: self.num_picks], new])]
        distances = [torch.linalg.norm(picks - row, dim=1).min() for row in self.features[tied]]
        return torch.stack(distances).argmax()

    def _bring_up_to_date(self, indices: "Tensor", level: float) -> None:
        """Lower bounds by the picks that they do not know of; one at ``level`` may stay stale."""
        columns = self.plan.columns
        oldest = int(self.num_seen[indices].min()) if len(indices) else self.num_picks
        for start in range(oldest - oldest % columns, self.num_picks, columns):
            end = min(start + columns, self.num_picks)
            ages = self.num_seen[indices]
            for age in sorted(set(ages[ages < end].tolist())):
                self._lower(indices[ages == age], age, end)
            indices = indices[self.bounds[indices] > level]

    def _lower(self, indices: "Tensor", start: int, end: int) -> None:
        """Lower bounds by the picks from ``start`` to ``end``."""
        import torch

        centers = self.centers[start:end].T
        for block in torch.split(indices, self.plan.rows):
            rows = row_factor(self.features.index_select(0, block), self.mean, 1 + self.share)
            nearest = (rows @ centers).amin(dim=1).double()
            nearest.add_(self.norms.index_select(0, block), alpha=1 + self.share)
            bounds = torch.minimum(self.bounds.index_select(0, block), nearest)
            self.bounds.index_copy_(0, block, bounds)
        self.num_seen.index_fill_(0, indices, end)

    def _measure(self, indices: "Tensor") -> None:
        """Replace bounds that know of all picks by exact distances.

        Only a pick that may be nearer than the bound says is measured.
        """
        import torch

        picks = self.picks[: self.num_picks]
        for block in torch.split(indices, self.plan.rows):
            rows = self.features.index_select(0, block)
            factor = row_factor(rows, self.mean, 1 - self.share)
            room = self.bounds[block] - self.norms[block].double() * (1 - self.share)
            exact = room.new_full((len(block),), float("inf"))
            for start in range(0, self.num_picks, self.plan.columns):
                end = min(start + self.plan.columns, self.num_picks)
                near = (factor @ self.centers[start:end].T <= room[:, None]).nonzero()
                row, column = near[:, 0], picks[near[:, 1] + start]
                distances = measured_pairs(rows, row, self.features, column)
                exact.scatter_reduce_(0, row, distances, "amin")
            self.bounds[block] = exact


def sparse_projection(features_ND: "Tensor", seed: int) -> "Tensor":
    """Return anomalib's sparse random projection of the features (eps 0.9).

    Greedy picks on it, with ``as_anomalib``, are those of anomalib's own sampler; for 152
    dimensions it has more of them than the features, so it saves nothing.
    """
    import torch
    from anomalib.models.components.dimensionality_reduction import SparseRandomProjection

    projection = SparseRandomProjection(eps=0.9, random_state=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # random_state alone does not decide the signs
        projection.fit(features_ND)
    projected: torch.Tensor = projection.transform(features_ND)
    return projected.float()
