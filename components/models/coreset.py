"""Greedy k-center selection, exact and lazy.

Every step picks the feature farthest from all picks so far and would have to update all N
distances. But distances never grow, so one that was not updated for a while is still an upper
bound. A small *pool* of the farthest features is kept up to date at each step; the rest stays
stale until the farthest of the pool falls to the highest bound outside it. Only then are the
features with the highest bounds brought up to date, in blocks, and a new pool is chosen.

Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985; used as algorithm 1
of PatchCore (Roth et al., 2022). All distances here are squared Euclidean ones.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

POOL = 2048  # features kept exact at each step
BATCH = 8192  # features brought up to date together
_ROWS = 1024  # rows of one block of distances: 32 MB against 8,000 picks
_PICKED = -1.0  # below every distance, so that a pick is never picked again


def k_center_greedy(
    features_ND: "Tensor", num: int, *, first: int, pool: int = POOL, batch: int = BATCH
) -> "Tensor":
    """Return the indices (int64, in order) of ``num`` greedily farthest features.

    ``features_ND`` is float32; distances that decide are float64. The picks are those of the
    plain greedy, ties going to the lowest index.
    """
    selection = _Selection(features_ND, first, pool, batch)
    for _ in range(min(num, len(features_ND)) - 1):
        selection.pick_next()
    return selection.picks[: selection.num_picks].clone()


def sparse_projection(features_ND: "Tensor", seed: int) -> "Tensor":
    """Return anomalib's sparse random projection of the features (eps 0.9).

    Greedy picks on it are the picks of anomalib's own sampler; for 152 dimensions it has more
    of them than the features, so it saves nothing.
    """
    import torch
    from anomalib.models.components.dimensionality_reduction import SparseRandomProjection

    projection = SparseRandomProjection(eps=0.9, random_state=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # random_state alone does not decide the signs
        projection.fit(features_ND)
    projected: torch.Tensor = projection.transform(features_ND)
    return projected.float()


class _Selection:
    """Bounds on all features, how many picks each bound knows of, and the pool."""

    def __init__(self, features_ND: "Tensor", first: int, pool: int, batch: int) -> None:
        import torch

        assert features_ND.ndim == 2 and features_ND.dtype == torch.float32
        self.features = features_ND.contiguous()
        self.norms = torch.linalg.vecdot(self.features, self.features)
        self.bounds = torch.full_like(self.norms, torch.inf, dtype=torch.float64)
        self.num_seen = torch.zeros(len(self.norms), dtype=torch.int64)
        self.picks = torch.empty(len(self.norms), dtype=torch.int64)
        self.num_picks = 0
        self.pool_size, self.batch = pool, batch
        self.pool = torch.empty(0, dtype=torch.int64)
        self.pool_distances = torch.empty(0, dtype=torch.float64)
        self._take(first)
        self._bring_up_to_date(torch.arange(len(self.norms)))
        self._choose_pool(self._highest())

    def pick_next(self) -> None:
        """Pick the farthest feature, looking outside the pool only when it could be there."""
        farthest, place = self.pool_distances.max(dim=0)
        if float(farthest) > self.outside:
            index = int(self.pool[place])
        else:
            self._refresh()
            index = self._lowest_of_the_farthest()
        self._take(index)
        self._update_pool(index)

    def _take(self, index: int) -> None:
        self.picks[self.num_picks] = index
        self.num_picks += 1
        self.bounds[index] = _PICKED
        self.pool_distances.masked_fill_(self.pool == index, _PICKED)

    def _update_pool(self, index: int) -> None:
        """Lower the pool's distances by one pick: one product of a matrix and a vector."""
        import torch

        center = self.features[index].double()
        distances = torch.addmv(self.pool_norms, self.pool_features, center, alpha=-2)
        distances.add_(center.dot(center)).clamp_min_(0)
        torch.minimum(self.pool_distances, distances, out=self.pool_distances)

    def _refresh(self) -> None:
        """Bring the highest bounds up to date until those of a new pool are exact."""
        self.bounds[self.pool] = self.pool_distances
        self.num_seen[self.pool] = self.num_picks
        highest = self._highest()
        while len(self._stale(highest[: self.pool_size])):
            self._bring_up_to_date(self._stale(highest))
            highest = self._highest()
        self._choose_pool(highest)

    def _highest(self) -> "Tensor":
        """Return the features with the highest bounds, highest first: a batch, beyond the pool."""
        num = max(self.batch, self.pool_size + 1)
        return self.bounds.topk(min(num, len(self.bounds))).indices

    def _stale(self, indices: "Tensor") -> "Tensor":
        return indices[self.num_seen[indices] < self.num_picks]

    def _choose_pool(self, highest: "Tensor") -> None:
        self.pool = highest[: self.pool_size].sort().values  # the lowest index wins a tie
        self.outside = -float("inf")
        if len(highest) > self.pool_size:
            self.outside = float(self.bounds[highest[self.pool_size]])
        self.pool_features = self.features[self.pool].double()
        self.pool_norms = self.pool_features.square().sum(1)
        self.pool_distances = self.bounds[self.pool]

    def _lowest_of_the_farthest(self) -> int:
        """Return the lowest index at the highest distance, tied ones outside the pool included."""
        farthest = self.pool_distances.max()
        tied = (self.bounds == farthest).nonzero().flatten()
        self._bring_up_to_date(self._stale(tied))
        return int(tied[self.bounds[tied] == farthest][0])

    def _bring_up_to_date(self, indices: "Tensor") -> None:
        """Lower bounds by all picks that they do not know of yet, in blocks of like age."""
        import torch

        by_age = indices[self.num_seen[indices].argsort()]
        for start in range(0, len(by_age), _ROWS):
            block = by_age[start : start + _ROWS]
            unseen = self.picks[int(self.num_seen[block[0]]) : self.num_picks]
            rows, centers = self.features[block], self.features[unseen]
            products = torch.addmm(self.norms[unseen], rows, centers.T, alpha=-2)
            nearest = centers[products.min(dim=1).indices]  # float32 finds it, float64 measures it
            distances = (rows.double() - nearest.double()).square_().sum(dim=1)
            self.bounds[block] = torch.minimum(self.bounds[block], distances)
            self.num_seen[block] = self.num_picks
