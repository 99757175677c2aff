"""GANomaly: an image whose code changes when it is painted from that code.

Akcay, Atapour-Abarghouei and Breckon, "GANomaly: Semi-Supervised Anomaly Detection via Adversarial
Training", ACCV 2018.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.errors import ParamsError
from components.models.backbones.registry import BackboneName
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.ganomaly import GanomalyNetwork


class Ganomaly(DetectorParams):
    """GANomaly; score = mean squared difference of the image's code and its painting's.

    The paper scores images alone. The map here is the difference of image and painting.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="an image whose code changes when it is painted from that code",
        paper='Akcay et al., "GANomaly: Semi-Supervised Anomaly Detection via Adversarial '
        'Training", ACCV 2018',
        backbones=("none",),
        training="epochs",
        fit_time="hours",
        gpu_gb=4,
    )

    kind: Literal["ganomaly"] = "ganomaly"
    backbone: BackboneName = "none"
    num_epochs: int = Field(default=100, ge=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    adversarial_weight: float = Field(default=1.0, ge=0)
    contextual_weight: float = Field(default=50.0, ge=0)  # of image against painting
    encoder_weight: float = Field(default=1.0, ge=0)  # of code against code
    width: int = Field(default=64, ge=1)  # channels at half the size
    code_size: int = Field(default=100, ge=1)

    def build(
        self,
        store: "WeightStore | None",  # noqa: ARG002 - it has no pretrained weights
        image_size_px: int,
        seed: int,
    ) -> "GanomalyNetwork":
        """Return an untrained network of square images; nothing is looked up in ``store``.

        Raises:
            ParamsError: E317, an image size that is no power of two.
        """
        if image_size_px & (image_size_px - 1):
            raise ParamsError(
                "E317",
                f"GANomaly halves its images down to 4 px, which {image_size_px} px do not admit.",
                "Choose a power of two for image_size_px: 64, 128, 256, 512.",
            )
        from components.models.networks.ganomaly import GanomalyNetwork

        return GanomalyNetwork(self, image_size_px, seed)
