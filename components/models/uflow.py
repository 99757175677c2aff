"""U-Flow: the likelihood of features at several scales under one U-shaped flow.

Tailanian, Pardo and Musé, "U-Flow: A U-shaped Normalizing Flow for Anomaly Detection with
Unsupervised Threshold", Journal of Mathematical Imaging and Vision 2024 (arXiv 2211.12353).
"""

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.models.backbones.registry import BACKBONES
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.uflow import UflowNetwork


class Uflow(DetectorParams):
    """U-Flow; score = highest value of the map, which lies in 0..1.

    Backbone ``mcait`` is the paper's: two transformers, one that sees the image at half its size.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="the likelihood of features at several scales under one U-shaped flow",
        paper='Tailanian et al., "U-Flow: A U-shaped Normalizing Flow for Anomaly Detection with '
        'Unsupervised Threshold", arXiv 2211.12353',
        backbones=(
            "mcait", "resnet18", "wide_resnet50_2", "resnet50", "lite0", "lite1", "lite2",
            "vgg16", "vgg19", "efficientnet_b5",
        ),
        training="epochs",
        fit_time="hours",
        gpu_gb=16,
        strides=(4, 8, 16),
    )  # fmt: skip

    kind: Literal["uflow"] = "uflow"
    num_epochs: int = Field(default=200, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)  # falls in a line to two fifths of it
    decay_steps: int = Field(default=25_000, ge=1)  # of the optimizer, until it has fallen
    weight_decay: float = Field(default=1e-5, ge=0)
    flow_steps: int = Field(default=4, ge=1)  # coupling blocks a scale
    affine_clamp: float = Field(default=2.0, gt=0)  # bound of the log scales
    subnet_channels_ratio: float = Field(default=1.0, gt=0)  # width inside the coupling blocks

    @model_validator(mode="after")
    def _each_scale_is_half_of_the_one_before(self) -> Self:
        strides = [BACKBONES[self.backbone].strides[layer] for layer in self.layers]
        if any(coarse != 2 * fine for fine, coarse in pairwise(strides)):
            raise ValueError(
                f"uflow reads layers that each have twice the stride of the one before, not of "
                f"strides {strides}"
            )
        return self

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "UflowNetwork":
        """Return an untrained network of square images; None: a saved state will fill it."""
        from components.models.networks.uflow import UflowNetwork

        return UflowNetwork(self, store, image_size_px, seed)
