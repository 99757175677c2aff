"""STFPM: a student that fails to match its teacher's features on what it never saw.

Wang et al., "Student-Teacher Feature Pyramid Matching", BMVC 2021.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from components.models.detector import DetectorParams, Layers

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.stfpm import StfpmNetwork


class Stfpm(DetectorParams):
    """STFPM trained by stochastic gradient descent; score = highest value of the map."""

    kind: Literal["stfpm"] = "stfpm"
    layers: Layers = ("blocks.1", "blocks.2", "blocks.4")
    num_epochs: int = Field(default=10, ge=1)
    learning_rate: float = Field(default=0.4, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "StfpmNetwork":
        """Return an untrained network of square images; None: a saved state will fill it."""
        from components.models.networks.stfpm import StfpmNetwork

        return StfpmNetwork(self, store, image_size_px, seed)
