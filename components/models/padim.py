"""PaDiM: a Gaussian of patch features at each place of the image.

Defard et al., "PaDiM: a Patch Distribution Modeling Framework", ICPR 2020.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.models.backbones.registry import MAPS
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.padim import PadimNetwork


class Padim(DetectorParams):
    """PaDiM; score = highest Mahalanobis distance of the smoothed map."""

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="a Gaussian of patch features at each place of the image",
        paper='Defard et al., "PaDiM: a Patch Distribution Modeling Framework", ICPR 2020',
        backbones=MAPS,
        training="one pass",
        fit_time="seconds",
    )

    kind: Literal["padim"] = "padim"
    n_features: int = Field(default=100, ge=1)  # randomly chosen channels; capped at all of them

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "PadimNetwork":
        """Return an unfitted network of square images; None: a saved state will fill it."""
        from components.models.networks.padim import PadimNetwork

        return PadimNetwork(self, store, image_size_px, seed)
