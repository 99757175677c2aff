"""Squared Euclidean distances of many vectors by one matrix product, and how far it can err.

‖x − c‖² = ‖x‖² + ‖c‖² − 2x·c costs one product, but cancels: float32 may err by a small share of
‖x‖² + ‖c‖². That share is known, so a product rounded up or down by it is a certain bound, and
only the few pairs that bounds cannot tell apart are measured by their difference, in float64.

Shapes: R rows, C columns, D dimensions, N pairs.
"""

from typing import TYPE_CHECKING

from components.errors import DataError
from components.models.memory_bank.plan import PAIR_VALUES

if TYPE_CHECKING:
    from torch import Tensor


def error_share(dims: int) -> float:
    """Return what a float32 product may err by, as a share of ‖x‖² + ‖c‖².

    Twice the bound of a sum of ``dims`` products and of the additions around it (Higham,
    "Accuracy and Stability of Numerical Algorithms", 2nd ed., section 3.1).
    """
    return 2 * (dims + 8) * 2.0**-23


def squared_norms(rows_RD: "Tensor", mean_D: "Tensor") -> "Tensor":
    """Return ‖x‖² of each row less the mean: (R,)."""
    import torch

    centred = rows_RD - mean_D
    return torch.linalg.vecdot(centred, centred)


def row_factor(rows_RD: "Tensor", mean_D: "Tensor", weight: float = 1) -> "Tensor":
    """Return the rows less the mean, and a column of ``weight``: R × (D+1)."""
    import torch

    factor = rows_RD.new_empty(len(rows_RD), rows_RD.shape[1] + 1)
    torch.sub(rows_RD, mean_D, out=factor[:, :-1])
    factor[:, -1] = weight
    return factor


def column_factor(columns_CD: "Tensor", mean_D: "Tensor") -> "Tensor":
    """Return C × (D+1): a row factor times its transpose is weight · ‖c‖² − 2x·c."""
    factor = row_factor(columns_CD, mean_D)
    factor[:, -1] = squared_norms(columns_CD, mean_D)
    factor[:, :-1] *= -2
    return factor


def measured_pairs(
    rows_RD: "Tensor", row_N: "Tensor", columns_CD: "Tensor", column_N: "Tensor"
) -> "Tensor":
    """Return the squared distance of each pair (row, column) in float64: (N,)."""
    import torch

    size = max(1, PAIR_VALUES // rows_RD.shape[1])
    distances = torch.empty(len(row_N), dtype=torch.float64, device=rows_RD.device)
    for start in range(0, len(row_N), size):
        pairs = slice(start, start + size)
        rows = rows_RD.index_select(0, row_N[pairs]).double()
        columns = columns_CD.index_select(0, column_N[pairs]).double()
        distances[pairs] = rows.sub_(columns).square_().sum(dim=1)
    return distances


def refuse_not_finite(vectors_ND: "Tensor", norms_N: "Tensor", what: str) -> None:
    """Refuse vectors whose squared norms are not finite.

    Raises:
        DataError: E301, names the first row.
    """
    if bool(norms_N.isfinite().all()):
        return
    rows = (~vectors_ND.isfinite()).any(dim=1).nonzero()
    where = f"row {int(rows[0, 0])} is" if len(rows) else "their squares are"
    raise DataError(
        "E301",
        f"Of {len(vectors_ND):,} {what}, {where} not finite in float32.",
        "Look at the images that they come from and at the backbone's weights.",
    )
