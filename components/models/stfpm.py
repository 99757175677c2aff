"""STFPM: a student that fails to match its teacher's features on what it never saw.

Wang et al., "Student-Teacher Feature Pyramid Matching", BMVC 2021.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.models.backbones.registry import CNNS
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.stfpm import StfpmNetwork


class Stfpm(DetectorParams):
    """STFPM trained by stochastic gradient descent; score = highest value of the map."""

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="a student that fails to match its teacher's features on what it never saw",
        paper='Wang et al., "Student-Teacher Feature Pyramid Matching", BMVC 2021',
        backbones=CNNS,
        training="epochs",
        fit_time="minutes",
        strides=(4, 8, 16),
    )

    kind: Literal["stfpm"] = "stfpm"
    num_epochs: int = Field(default=10, ge=1)
    learning_rate: float = Field(default=0.4, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)

    @property
    def relative_cost(self) -> float:
        """A teacher and a student of the same size."""
        return 2.0

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "StfpmNetwork":
        """Return an untrained network of square images; None: a saved state will fill it."""
        from components.models.networks.stfpm import StfpmNetwork

        return StfpmNetwork(self, store, image_size_px, seed)
