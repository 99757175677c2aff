"""What a coreset selection and a nearest-neighbour search will hold, settled before they start.

A plan meets its budget by smaller blocks, never by other results. Bytes are those of the tensors
held at the peak, the caller's included; the interpreter and its libraries come on top.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from components.errors import PipelineError
from components.memory import available_bytes

# Largest first. A pool of 1024 × 152 float64 still fits a core's cache of the second level.
_CORESET_BLOCKS = ((1024, 16384, 1024, 1024), (512, 8192, 512, 512), (128, 1024, 128, 128))
_SEARCH_BLOCKS = ((1024, 4096), (1024, 1024), (256, 512), (64, 128))
PAIR_VALUES = 1 << 20  # float64 values of one side of the pairs that are measured together


@dataclass(frozen=True)
class Plan:
    """Sizes of the blocks in which a piece of work is done."""

    @property
    def title(self) -> str:
        """Return what is planned, in a few words."""
        raise NotImplementedError

    @property
    def given_bytes(self) -> int:
        """Return the bytes of what the caller holds anyway."""
        raise NotImplementedError

    def parts(self) -> dict[str, int]:
        """Return the bytes of each part at the peak."""
        raise NotImplementedError

    @property
    def total_bytes(self) -> int:
        """Return the bytes of all parts together."""
        return sum(self.parts().values())

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {_size(held)}" for name, held in self.parts().items())
        return f"{self.title}: {_size(self.total_bytes)} ({parts})"


@dataclass(frozen=True)
class CoresetPlan(Plan):
    """Blocks of a k-center selection."""

    num_features: int
    dims: int
    num_picks: int
    pool: int = 1024  # features kept exact at each step
    batch: int = 16384  # features brought up to date together
    rows: int = 1024  # features of one block of distances
    columns: int = 1024  # picks of one block of distances

    @property
    def title(self) -> str:
        return f"coreset of {self.num_picks:,} of {self.num_features:,} × {self.dims} features"

    @property
    def given_bytes(self) -> int:
        return 4 * self.num_features * self.dims

    def parts(self) -> dict[str, int]:
        return {
            "features": self.given_bytes,
            "bounds": 44 * self.num_features,  # 20 always, 24 more while the highest are found
            "picks": self.num_picks * (8 + 4 * (self.dims + 1)),
            "pool": 20 * self.pool * self.dims,
            "blocks": _block_bytes(32, self.rows, self.columns, self.dims),
        }


@dataclass(frozen=True)
class SearchPlan(Plan):
    """Blocks of a nearest-neighbour search."""

    num_queries: int
    num_bank: int
    dims: int
    num_neighbours: int
    rows: int = 1024  # queries of one block of distances
    columns: int = 4096  # vectors of the bank of one block of distances

    @property
    def title(self) -> str:
        nearest = f"{self.num_neighbours} nearest" if self.num_neighbours > 1 else "nearest"
        return f"{nearest} of {self.num_bank:,} × {self.dims} to {self.num_queries:,} vectors"

    @property
    def given_bytes(self) -> int:
        return 4 * (self.num_queries + self.num_bank) * self.dims

    def parts(self) -> dict[str, int]:
        columns = min(self.columns, self.num_bank)
        return {
            "vectors": self.given_bytes,
            "results": 16 * self.num_queries * self.num_neighbours,
            "blocks": _block_bytes(80, self.rows, columns, self.dims),
        }


def plan_coreset(
    num_features: int, dims: int, num_picks: int, *, budget_bytes: int | None = None
) -> CoresetPlan:
    """Return the plan of the largest blocks that fit the budget (None: what the machine has).

    Raises:
        PipelineError: E300, not even the smallest blocks fit.
    """
    sizes = (num_features, dims, num_picks)
    return _largest([CoresetPlan(*sizes, *blocks) for blocks in _CORESET_BLOCKS], budget_bytes)


def plan_search(
    num_queries: int,
    num_bank: int,
    dims: int,
    num_neighbours: int = 1,
    *,
    budget_bytes: int | None = None,
) -> SearchPlan:
    """Return the plan of the largest blocks that fit the budget (None: what the machine has).

    Raises:
        PipelineError: E300, not even the smallest blocks fit.
    """
    sizes = (num_queries, num_bank, dims, num_neighbours)
    return _largest([SearchPlan(*sizes, *blocks) for blocks in _SEARCH_BLOCKS], budget_bytes)


P = TypeVar("P", bound=Plan)


def _largest(plans: Iterable[P], budget_bytes: int | None) -> P:
    plans = list(plans)
    if budget_bytes is None:
        budget_bytes = available_bytes() + plans[0].given_bytes
    for plan in plans:
        if plan.total_bytes <= budget_bytes:
            return plan
    raise PipelineError(
        "E300",
        f"Even in the smallest blocks this does not fit {_size(budget_bytes)}: {plans[-1]}.",
        "Allow more memory, or take fewer images, a smaller image_size_px, fewer layers or a "
        "smaller coreset_ratio.",
    )


def _block_bytes(each: int, rows: int, columns: int, dims: int) -> int:
    """Bytes of a product and of its pairs, should all be looked at; factors; pairs measured."""
    return each * rows * columns + 12 * (dims + 1) * (rows + columns) + 24 * PAIR_VALUES


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.1f} MB"
