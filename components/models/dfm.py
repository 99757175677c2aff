"""DFM: what a linear subspace of normal images' deep features leaves over.

Ahuja et al., "Probabilistic Modeling of Deep Features for Out-of-Distribution and Adversarial
Detection", arXiv 1909.11786, 2019.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from components.models.backbones.registry import CNNS, BackboneName
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.dfm import DfmNetwork

_FIRST: tuple[BackboneName, ...] = ("resnet18", "resnet50")


class Dfm(DetectorParams):
    """DFM; score = squared reconstruction error of the whole image's features.

    With ``score: likelihood`` it is minus the logarithm of a Gaussian's density in the subspace,
    but for constants; the map shows the reconstruction error either way.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="what a linear subspace of normal images' features leaves over",
        paper='Ahuja et al., "Probabilistic Modeling of Deep Features for Out-of-Distribution and '
        'Adversarial Detection", arXiv 1909.11786',
        backbones=(*_FIRST, *(name for name in CNNS if name not in _FIRST)),
        training="one pass",
        fit_time="seconds",
        strides=(16,),
    )

    kind: Literal["dfm"] = "dfm"
    pooling_px: int = Field(default=2, ge=1)  # side of the cells that are averaged, in the layer
    pca_level: float = Field(default=0.97, gt=0, lt=1)  # share of the variance that is kept
    score: Literal["reconstruction", "likelihood"] = "reconstruction"

    @field_validator("layers")
    @classmethod
    def _one_layer(cls, layers: tuple[str, ...]) -> tuple[str, ...]:
        if len(layers) != 1:
            raise ValueError(f"dfm models one layer, not {', '.join(layers)}")
        return layers

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "DfmNetwork":
        """Return an unfitted network of square images; None: a saved state will fill it.

        Raises:
            ParamsError: E317, images of which the layer has no cell to average.
        """
        from components.models.networks.dfm import DfmNetwork

        return DfmNetwork(self, store, image_size_px, seed)
