"""Exact nearest neighbours in a memory bank, in blocks of bounded memory.

One product a block says which vectors may be among the nearest; only those are measured by their
difference, so that a vector's distance to itself is zero and not what float32 leaves of it.

Shapes: Q queries, M vectors of the bank, D dimensions, K neighbours, R queries of a block.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from components.errors import DataError, PipelineError
from components.models.memory_bank.distances import (
    column_factor,
    error_share,
    measured_pairs,
    refuse_not_finite,
    row_factor,
    squared_norms,
)
from components.models.memory_bank.plan import SearchPlan, plan_search
from components.models.memory_bank.threads import compute_threads

if TYPE_CHECKING:
    from torch import Tensor

_FOLD = 32  # columns of a block whose least distance is looked at first


def nearest(
    queries_QD: "Tensor",
    bank_MD: "Tensor",
    num: int = 1,
    *,
    plan: SearchPlan | None = None,
    num_threads: int = 1,
) -> "tuple[Tensor, Tensor]":
    """Return Euclidean distances (float32) and indices (int64) of the nearest: Q × K, ascending.

    Ties go to the lowest index. Fewer columns serve fewer neighbours: they are ascending.

    Raises:
        PipelineError: E300, not even the smallest plan fits the memory.
        DataError: E301, a vector is not finite; E302, the bank holds fewer than ``num``.
    """
    (found,) = nearest_in_prefixes(
        queries_QD, bank_MD, (len(bank_MD),), num, plan=plan, num_threads=num_threads
    )
    return found


def nearest_in_prefixes(
    queries_QD: "Tensor",
    bank_MD: "Tensor",
    sizes: Sequence[int],
    num: int = 1,
    *,
    plan: SearchPlan | None = None,
    num_threads: int = 1,
) -> "list[tuple[Tensor, Tensor]]":
    """Return :func:`nearest` for the first ``size`` vectors of the bank, for each ascending size.

    Greedy coresets are nested, so all ratios of a study cost one search of the largest.

    Raises:
        PipelineError: E300, not even the smallest plan fits the memory.
        DataError: E301, a vector is not finite; E302, a prefix holds fewer than ``num``.
    """
    import torch

    assert list(sizes) == sorted(set(sizes)) and sizes[-1] <= len(bank_MD)
    if not 1 <= num <= sizes[0]:
        raise DataError(
            "E302",
            f"{num} nearest neighbours were asked of a memory bank of {sizes[0]}.",
            "Ask for fewer, or raise the coreset_ratio.",
        )
    size, dims = bank_MD.shape
    plan = plan or plan_search(len(queries_QD), size, dims, num)
    with compute_threads(num_threads):
        search = _Search(bank_MD, sizes, num, plan)
        blocks = [search.of(rows_RD) for rows_RD in torch.split(queries_QD, plan.rows)]
    return [
        (torch.cat([distances for distances, _ in one]), torch.cat([indices for _, indices in one]))
        for one in zip(*blocks, strict=True)
    ]


def nearest_by_faiss(
    queries_QD: "Tensor", bank_MD: "Tensor", num: int = 1
) -> "tuple[Tensor, Tensor]":
    """Return what :func:`nearest` returns, its candidates found by faiss (extra ``faiss``).

    Raises:
        PipelineError: E303, faiss is not installed.
    """
    import torch

    try:
        import faiss  # type: ignore[import-not-found]
    except ImportError:
        raise PipelineError(
            "E303", "faiss is not installed.", "pip install 'defectloop[faiss]', or do without."
        ) from None
    index = faiss.IndexFlatL2(bank_MD.shape[1])
    index.add(bank_MD.cpu().numpy())
    found = torch.from_numpy(index.search(queries_QD.cpu().numpy(), num)[1]).to(bank_MD.device)
    row = torch.arange(len(found), device=found.device).repeat_interleave(num)
    distances = measured_pairs(queries_QD, row, bank_MD, found.flatten()).reshape(found.shape)
    order = distances.argsort(dim=1, stable=True)
    return distances.gather(1, order).sqrt().float(), found.gather(1, order)


class _Search:
    """The bank, and how wide its blocks are."""

    def __init__(self, bank_MD: "Tensor", sizes: Sequence[int], num: int, plan: SearchPlan) -> None:
        self.bank, self.sizes, self.num, self.plan = bank_MD, sizes, num, plan
        self.mean = bank_MD.mean(dim=0)  # taken off, it leaves less to cancel
        self.norms = squared_norms(bank_MD, self.mean)
        refuse_not_finite(bank_MD, self.norms, "vectors of the memory bank")
        self.share = error_share(bank_MD.shape[1])

    def of(self, rows_RD: "Tensor") -> "list[tuple[Tensor, Tensor]]":
        """Return distances and indices of the nearest, R × K, for each size of the bank."""
        import torch

        best = rows_RD.new_full((len(rows_RD), self.num), torch.inf, dtype=torch.float64)
        indices = torch.zeros_like(best, dtype=torch.int64)
        factor, norms = row_factor(rows_RD, self.mean), squared_norms(rows_RD, self.mean)
        refuse_not_finite(rows_RD, norms, "queries of a block")
        found = []
        for start, end in pairwise((0, *self.sizes)):
            for block in range(start, end, self.plan.columns):
                stop = min(block + self.plan.columns, end)
                row, column = self._candidates(factor, norms, best[:, -1], block, stop)
                distances = measured_pairs(rows_RD, row, self.bank, column)
                best, indices = _merged(best, indices, row, column, distances)
            found.append((best.sqrt().float(), indices))
        return found

    def _candidates(
        self, factor: "Tensor", norms_R: "Tensor", farthest_R: "Tensor", start: int, end: int
    ) -> "tuple[Tensor, Tensor]":
        """Return the pairs (row, vector) of a block that may be among the nearest."""
        import torch

        width = -(-(end - start) // _FOLD)
        product = factor @ self._columns(start, end, _FOLD * width).T
        folded = product.view(len(factor), _FOLD, width)
        least = folded.amin(dim=1)  # of column j, j + width, j + 2 · width …
        # The K-th least of these is no less than the K-th least of all.
        kth = least.new_full((len(factor),), torch.inf)
        if self.num == 1:
            kth = least.amin(dim=1)
        elif self.num <= width:
            kth = least.topk(self.num, dim=1, largest=False).values[:, -1]
        error = (norms_R + self.norms[start:end].max()) * self.share
        level = torch.minimum(kth + error, (farthest_R - norms_R).float()) + error
        row, place = (least <= level[:, None]).nonzero().T
        hit, fold = (folded[row, :, place] <= level[row, None]).nonzero().T
        row, column = row[hit], start + fold * width + place[hit]
        inside = column < end
        return row[inside], column[inside]

    def _columns(self, start: int, end: int, width: int) -> "Tensor":
        """Return the column factor of a block, filled up with vectors infinitely far away."""
        import torch

        factor = self.bank.new_zeros(width, self.bank.shape[1] + 1)
        factor[: end - start] = column_factor(self.bank[start:end], self.mean)
        factor[end - start :, -1] = torch.inf
        return factor


def _merged(
    best_RK: "Tensor", indices_RK: "Tensor", row_N: "Tensor", column_N: "Tensor", new_N: "Tensor"
) -> "tuple[Tensor, Tensor]":
    """Return the nearest of the best so far and of new pairs; the lowest index wins a tie."""
    import torch

    order = column_N.argsort()
    for key in (new_N, row_N):  # stable: by row, then by distance, then by column
        order = order[key[order].argsort(stable=True)]
    counts = row_N.bincount(minlength=len(best_RK))
    starts = counts.cumsum(0) - counts
    place = torch.arange(len(row_N), device=row_N.device) - starts[row_N[order]]
    kept = place < best_RK.shape[1]
    order, place = order[kept], place[kept]
    ours, whose = torch.full_like(best_RK, torch.inf), torch.zeros_like(indices_RK)
    ours[row_N[order], place], whose[row_N[order], place] = new_N[order], column_N[order]
    both, who = torch.cat([best_RK, ours], dim=1), torch.cat([indices_RK, whose], dim=1)
    chosen = both.argsort(dim=1, stable=True)[:, : best_RK.shape[1]]
    return both.gather(1, chosen), who.gather(1, chosen)
