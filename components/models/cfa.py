"""CFA: features adapted until normal ones lie close around the centres of what is usual.

Lee, Lee and Song, "CFA: Coupled-Hypersphere-Based Feature Adaptation for Target-Oriented Anomaly
Localization", IEEE Access 2022.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.errors import ParamsError
from components.models.backbones.registry import BACKBONES, CNNS, BackboneName
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.cfa import CfaNetwork

_FIRST: tuple[BackboneName, ...] = ("resnet18", "wide_resnet50_2")
_UNEVEN: BackboneName = "alexnet"  # its maps are a cell short of a multiple


class Cfa(DetectorParams):
    """CFA; score = highest value of the map.

    ``gamma_c`` divides the number of centres, one for each place of the finest layer (k-means
    where it is above 1); ``gamma_d`` divides the number of features.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="features adapted until normal ones lie close around their usual places",
        paper='Lee et al., "CFA: Coupled-Hypersphere-Based Feature Adaptation for Target-Oriented '
        'Anomaly Localization", IEEE Access 2022',
        backbones=(*_FIRST, *(n for n in CNNS if n not in {*_FIRST, _UNEVEN})),
        training="epochs",
        fit_time="hours",
        gpu_gb=8,
        strides=(4, 8, 16),
    )

    kind: Literal["cfa"] = "cfa"
    num_epochs: int = Field(default=30, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=5e-4, ge=0)
    gamma_c: int = Field(default=1, ge=1)
    gamma_d: int = Field(default=1, ge=1)
    num_nearest_neighbors: int = Field(default=3, ge=1)  # K: centres that attract a patch
    num_hard_negatives: int = Field(default=3, ge=1)  # J: the next ones, which repel it
    radius: float = Field(default=1e-5, ge=0)  # of the hyperspheres
    smoothing_sigma: float = Field(default=4.0, ge=0)  # Gaussian on the map, in model pixels

    def num_centres(self, image_size_px: int) -> int:
        """Return the size of the memory for square images.

        Raises:
            ParamsError: E317, fewer centres than neighbours and hard negatives.
        """
        side = image_size_px // BACKBONES[self.backbone].strides[self.layers[0]]
        num, needed = side**2 // self.gamma_c, self.num_nearest_neighbors + self.num_hard_negatives
        if num < needed:
            raise ParamsError(
                "E317",
                f"CFA with gamma_c {self.gamma_c} has {num} centres at {image_size_px} px and "
                f"needs {needed}.",
                "Lower gamma_c, or raise image_size_px.",
            )
        return num

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "CfaNetwork":
        """Return an untrained network of square images; None: a saved state will fill it.

        Raises:
            ParamsError: E317, images too small for the centres that are asked for.
        """
        self.num_centres(image_size_px)
        from components.models.networks.cfa import CfaNetwork

        return CfaNetwork(self, store, image_size_px, seed)
