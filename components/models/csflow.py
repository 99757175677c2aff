"""CS-Flow: the likelihood of features at three sizes of the image under one joint flow.

Rudolph et al., "Fully Convolutional Cross-Scale-Flows for Image-based Defect Detection",
WACV 2022.
"""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.errors import ParamsError
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.csflow import CsflowNetwork

COARSEST_PX = 128  # stride 32 at a quarter of the image's size


class Csflow(DetectorParams):
    """CS-Flow; score = mean over all latents, map = product of the three sizes' maps."""

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="the likelihood of features at three sizes of the image under one joint flow",
        paper='Rudolph et al., "Fully Convolutional Cross-Scale-Flows for Image-based Defect '
        'Detection", WACV 2022',
        backbones=("efficientnet_b5", "lite0", "lite1", "lite2", "resnet18"),
        training="epochs",
        fit_time="days",
        gpu_gb=16,
        strides=(32,),
        layers={"efficientnet_b5": ("features.6",)},
    )

    kind: Literal["csflow"] = "csflow"
    num_epochs: int = Field(default=240, ge=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    weight_decay: float = Field(default=1e-5, ge=0)
    epsilon: float = Field(default=1e-4, gt=0)  # of the optimizer
    coupling_blocks: int = Field(default=4, ge=1)
    hidden_channels: int = Field(default=1024, ge=1)  # of the convolutions across sizes
    clamp: float = Field(default=3.0, gt=0)  # bound of the log scales in the flow

    @model_validator(mode="after")
    def _one_layer(self) -> Self:
        if len(self.layers) != 1:
            raise ValueError(f"CS-Flow reads one layer, not {', '.join(self.layers)}")
        return self

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "CsflowNetwork":
        """Return an untrained network of square images; None: a saved state will fill it.

        Raises:
            ParamsError: E310, an image size whose quarter has no whole cells.
        """
        if image_size_px % COARSEST_PX:
            raise ParamsError(
                "E310",
                f"CS-Flow cannot look at images of {image_size_px} px: it reads them at a quarter "
                f"of their size too.",
                f"Choose a multiple of {COARSEST_PX} for image_size_px.",
            )
        from components.models.networks.csflow import CsflowNetwork

        return CsflowNetwork(self, store, image_size_px, seed)
