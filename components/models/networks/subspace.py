"""The linear subspace that holds most of what normal features vary in.

Shapes: N images, D features, K kept directions.
"""

import torch
from anomalib.models.components.base import DynamicBufferMixin
from torch import Tensor

from components.errors import DataError


class Subspace(DynamicBufferMixin):
    """Principal components; saved whole and loaded whatever their number."""

    mean: Tensor
    axes: Tensor
    deviations: Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name  # of the detector, for messages
        self.register_buffer("mean", torch.empty(0))
        self.register_buffer("axes", torch.empty(0))
        self.register_buffer("deviations", torch.empty(0))

    def fit(self, features_ND: Tensor, *, num: int | None = None, share: float = 1.0) -> None:
        """Keep ``num`` directions, or as few as hold ``share`` of the variance.

        ``deviations`` are the standard deviations along them, K of them, by N.

        Raises:
            DataError: E315, fewer images than directions need; E316, all features are equal.
        """
        needed = 1 + (num or 1)
        if len(features_ND) < needed:
            raise DataError(
                "E315",
                f"{self.name} needs {needed} normal images or more, not {len(features_ND)}.",
                "Add some." if num is None else "Add some, or lower n_pca_components.",
            )
        mean_D = features_ND.mean(dim=0)
        _, lengths, rows = torch.linalg.svd((features_ND - mean_D).double(), full_matrices=False)
        held = lengths.square().cumsum(dim=0)
        if float(held[-1]) == 0:
            raise DataError(
                "E316",
                f"All normal images look the same to {self.name}: their features are equal.",
                "Check that the images differ, or choose another backbone or layer.",
            )
        kept = num or 1 + int((held < share * held[-1]).sum())
        self.mean = mean_D
        self.axes = rows[:kept].T.contiguous().float()
        self.deviations = (lengths[:kept] / len(features_ND) ** 0.5).float()

    def forward(self, features_ND: Tensor) -> Tensor:
        """Return the coordinates along the kept directions: N × K."""
        return (features_ND - self.mean) @ self.axes
