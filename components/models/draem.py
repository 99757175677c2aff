"""DRAEM: a network that repairs images, and one that sees where it had to.

Zavrtanik, Kristan and Skočaj, "DRAEM: A Discriminatively Trained Reconstruction Embedding for
Surface Anomaly Detection", ICCV 2021.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from components.models.backbones.registry import BackboneName
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.draem import DraemNetwork


class Draem(DetectorParams):
    """DRAEM; score = highest mean of the map over squares of ``mean_filter_px``.

    It learns from normal images with islands of foreign texture, which ``texture_folder`` names
    (DTD in the paper): any images, in any folders below it. What it holds is not part of the
    fingerprint, so other images belong into another folder. Without one, turned, enlarged and
    recoloured cuts of the training images take their place.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="a network that repairs images, and one that sees where; without texture_folder "
        "its defects are cuts of the training images",
        paper='Zavrtanik et al., "DRAEM: A Discriminatively Trained Reconstruction Embedding for '
        'Surface Anomaly Detection", ICCV 2021',
        backbones=("none",),
        training="epochs",
        fit_time="days",
        gpu_gb=12,
    )

    kind: Literal["draem"] = "draem"
    backbone: BackboneName = "none"
    num_epochs: int = Field(default=700, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    drop_epochs: tuple[int, ...] = (400, 600)  # each divides the learning rate by ten
    opacity: tuple[float, float] = (0.1, 1.0)  # of the foreign texture
    texture_folder: str | None = None
    sspcab: bool = False  # a block that predicts masked features (Ristea et al., CVPR 2022)
    sspcab_weight: float = Field(default=0.1, ge=0)  # of its own loss
    repair_width: int = Field(default=128, ge=1)  # channels at full size
    detection_width: int = Field(default=64, ge=1)
    mean_filter_px: int = Field(default=21, ge=1)  # 1: score = highest value of the map

    @field_validator("opacity")
    @classmethod
    def _within_the_unit(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if not 0 < ends[0] <= ends[1] <= 1:
            raise ValueError(f"opacity goes upwards within 0..1, not {ends[0]:g} to {ends[1]:g}")
        return ends

    @field_validator("mean_filter_px")
    @classmethod
    def _has_a_middle(cls, side_px: int) -> int:
        if side_px % 2 == 0:
            raise ValueError(f"mean_filter_px {side_px} is even: a mean filter needs a middle")
        return side_px

    @model_validator(mode="after")
    def _wide_enough_for_its_attention(self) -> "Draem":
        if self.sspcab and self.repair_width < 2:  # SSPCAB narrows its channels to an eighth
            raise ValueError("sspcab needs a repair_width of 2 or more")
        return self

    def build(
        self,
        store: "WeightStore | None",  # noqa: ARG002 - it has no pretrained weights
        image_size_px: int,
        seed: int,
    ) -> "DraemNetwork":
        """Return an untrained network of square images; nothing is looked up in ``store``."""
        from components.models.networks.draem import DraemNetwork

        return DraemNetwork(self, image_size_px, seed)
