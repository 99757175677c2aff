"""DSR: defects drawn in the discrete space of an image model, repaired there and seen.

Zavrtanik, Kristan and Skočaj, "DSR: A Dual Subspace Re-Projection Network for Surface Anomaly
Detection", ECCV 2022.
"""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.models.backbones.registry import BackboneName
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.dsr import DsrNetwork

_CODES, _WIDTH = 4096, 128  # of the pretrained model


class Dsr(DetectorParams):
    """DSR; score = highest mean of the coarse map over squares of 21 px.

    The discrete image model is never trained here. The first epochs train repair and detection,
    the last ones what brings the map to full size.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="defects drawn in an image model's discrete space, repaired there and seen",
        paper='Zavrtanik et al., "DSR: A Dual Subspace Re-Projection Network for Surface Anomaly '
        'Detection", ECCV 2022',
        backbones=("dsr_vq",),
        training="epochs",
        fit_time="days",
        gpu_gb=16,
    )

    kind: Literal["dsr"] = "dsr"
    backbone: BackboneName = "dsr_vq"
    num_epochs: int = Field(default=700, ge=2)
    learning_rate: float = Field(default=2e-4, gt=0)
    latent_anomaly_strength: float = Field(default=0.2, ge=0.05, lt=1)  # least share of codes
    upsampling_train_ratio: float = Field(default=0.7, gt=0, lt=1)  # of the epochs: the first part
    texture_folder: str | None = None  # for the last part; None: cuts of the training images
    num_codes: int = Field(default=_CODES, ge=2)  # vectors in each codebook
    code_width: int = Field(default=_WIDTH, ge=2, multiple_of=2)  # their length
    detection_width: int = Field(default=64, ge=1)  # channels at full size

    @property
    def first_part(self) -> int:
        """The number of epochs for repair and detection: at least one is left for either part."""
        asked = round(self.num_epochs * self.upsampling_train_ratio)
        return min(max(1, asked), self.num_epochs - 1)

    @model_validator(mode="after")
    def _fits_its_weights(self) -> Self:
        found = self.num_codes, self.code_width
        if self.weights == "pretrained" and found != (_CODES, _WIDTH):
            raise ValueError(
                f"pretrained weights have {_CODES} codes of width {_WIDTH}, not {found[0]} of "
                f"width {found[1]}: leave them out, or give weights: random"
            )
        return self

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "DsrNetwork":
        """Return an untrained network of square images; None: a saved state will fill it."""
        from components.models.networks.dsr import DsrNetwork

        return DsrNetwork(self, store, image_size_px, seed)
