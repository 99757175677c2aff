"""Reverse distillation: a decoder that rebuilds an encoder's features from a narrow embedding.

Deng and Li, "Anomaly Detection via Reverse Distillation from One-Class Embedding", CVPR 2022.
"""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.errors import ParamsError
from components.models.backbones.registry import BACKBONES
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.reverse_distillation import ReverseDistillationNetwork


class ReverseDistillation(DetectorParams):
    """Reverse distillation; score = highest value of the smoothed map.

    The embedding and the decoder are those of the residual family. Other backbones get trained
    1×1 convolutions before and behind ResNet-18's.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="a decoder that rebuilds an encoder's features from a narrow embedding",
        paper='Deng and Li, "Anomaly Detection via Reverse Distillation from One-Class '
        'Embedding", CVPR 2022',
        backbones=(
            "wide_resnet50_2", "resnet18", "resnet50", "lite0", "lite1", "lite2", "vgg16", "vgg19",
            "efficientnet_b5",
        ),
        training="epochs",
        fit_time="hours",
        gpu_gb=8,
        strides=(4, 8, 16),
    )  # fmt: skip

    kind: Literal["reverse_distillation"] = "reverse_distillation"
    num_epochs: int = Field(default=200, ge=1)
    learning_rate: float = Field(default=0.005, gt=0)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    map_mode: Literal["add", "multiply"] = "add"  # of the three layers' maps

    @model_validator(mode="after")
    def _three_layers(self) -> Self:
        """The embedding joins three maps, each half as wide as the one before."""
        strides = [BACKBONES[self.backbone].strides[layer] for layer in self.layers]
        if len(strides) != 3 or strides != [strides[0] * factor for factor in (1, 2, 4)]:
            raise ValueError(
                f"reverse distillation reads three layers, each of twice the stride of the one "
                f"before, not of strides {strides}"
            )
        return self

    @property
    def relative_cost(self) -> float:
        """An encoder and a decoder of about its size."""
        return 2.0

    def build(
        self, store: "WeightStore | None", image_size_px: int, seed: int
    ) -> "ReverseDistillationNetwork":
        """Return an untrained network of square images; None: a saved state will fill it.

        Raises:
            ParamsError: E314, an image size in which the embedding has no whole cells.
        """
        cell_px = 2 * BACKBONES[self.backbone].strides[self.layers[-1]]
        if image_size_px % cell_px:
            raise ParamsError(
                "E314",
                f"Reverse distillation of {', '.join(self.layers)} cannot look at images of "
                f"{image_size_px} px: its embedding has cells of {cell_px} px.",
                f"Choose a multiple of {cell_px} for image_size_px.",
            )
        from components.models.networks.reverse_distillation import ReverseDistillationNetwork

        return ReverseDistillationNetwork(self, store, seed)
