"""PatchCore: distance to the nearest patch of a coreset of normal patches.

Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.models.backbones.registry import MAPS
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.patchcore import PatchcoreNetwork


class Patchcore(DetectorParams):
    """PatchCore with an exact k-center coreset; score = mean of the highest patch distances."""

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="distance to the nearest patch of a coreset of normal patches",
        paper='Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022',
        backbones=MAPS,
        training="one pass",
        fit_time="seconds",
    )

    kind: Literal["patchcore"] = "patchcore"
    coreset_ratio: float = Field(default=0.01, gt=0, le=1)  # share of patches kept
    top_k: int = Field(default=10, ge=1)  # patches whose distances are averaged
    projection: Literal["none", "sparse"] = "none"  # sparse: pick as anomalib does
    smoothing_sigma: float = Field(default=4.0, ge=0)  # Gaussian on the map, in model pixels

    def build(
        self, store: "WeightStore | None", image_size_px: int, seed: int
    ) -> "PatchcoreNetwork":
        """Return an unfitted network of square images; None: a saved state will fill it."""
        from components.models.networks.patchcore import PatchcoreNetwork

        return PatchcoreNetwork(self, store, image_size_px, seed)
