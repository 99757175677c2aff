"""DFKDE: the density of normal images' pooled deep features, by kernels.

It has no paper of its own: Akcay et al., "Anomalib: A Deep Learning Library for Anomaly
Detection", ICIP 2022, brought it.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.models.backbones.registry import CNNS, BackboneName
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.dfkde import DfkdeNetwork

_FIRST: tuple[BackboneName, ...] = ("resnet18", "wide_resnet50_2")
_TOO_FINE: BackboneName = "alexnet"  # has no layer of stride 32


class Dfkde(DetectorParams):
    """DFKDE; score = minus the logarithm of the density. Its map is 0 everywhere.

    anomalib gives 1 / (1 + exp(0.05 (log density − 12))), in which all images far from the normal
    ones tie at 1; this score has the same order and no ties.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="the density of normal images' pooled features; it does not say where",
        paper='Akcay et al., "Anomalib: A Deep Learning Library for Anomaly Detection", ICIP 2022',
        backbones=(*_FIRST, *(n for n in CNNS if n not in {*_FIRST, _TOO_FINE})),
        training="one pass",
        fit_time="seconds",
        strides=(32,),
        localises=False,
    )

    kind: Literal["dfkde"] = "dfkde"
    n_pca_components: int = Field(default=16, ge=1)
    max_training_points: int = Field(default=40_000, ge=2)  # images that carry a kernel
    feature_scaling: Literal["scale", "norm"] = "scale"  # by the longest, or each to length 1

    def build(
        self,
        store: "WeightStore | None",
        image_size_px: int,  # noqa: ARG002 - any will do
        seed: int,
    ) -> "DfkdeNetwork":
        """Return an unfitted network of square images; None: a saved state will fill it."""
        from components.models.networks.dfkde import DfkdeNetwork

        return DfkdeNetwork(self, store, seed)
