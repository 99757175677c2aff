"""FastFlow: the likelihood of feature maps under two-dimensional normalising flows.

Yu et al., "FastFlow: Unsupervised Anomaly Detection and Localization via 2D Normalizing Flows",
arXiv 2111.07677, 2021.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from components.models.backbones.registry import BACKBONES
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.fastflow import FastflowNetwork

# Of the paper (appendix A): what suits three maps of a CNN, and one map of a transformer.
_OF_MAPS = {"flow_steps": 8, "hidden_ratio": 1.0, "conv3x3_only": True}
_OF_TOKENS = {"flow_steps": 20, "hidden_ratio": 0.16, "conv3x3_only": False}


class Fastflow(DetectorParams):
    """FastFlow; score = highest value of the map, which lies in -1..0.

    What is None becomes the paper's value for a CNN or for a transformer.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="the likelihood of feature maps under two-dimensional flows",
        paper='Yu et al., "FastFlow: Unsupervised Anomaly Detection and Localization via 2D '
        'Normalizing Flows", arXiv 2111.07677',
        backbones=(
            "resnet18", "wide_resnet50_2", "cait_m48", "deit_base", "resnet50", "lite0", "lite1",
            "lite2", "vgg16", "vgg19", "efficientnet_b5", "vit_base", "cait_s24",
        ),
        training="epochs",
        fit_time="hours",
        gpu_gb=16,
        strides=(4, 8, 16),
        layers={
            "cait_m48": ("blocks.40",),
            "cait_s24": ("blocks.20",),
            "deit_base": ("blocks.7",),
            "vit_base": ("blocks.8",),
        },
    )  # fmt: skip

    kind: Literal["fastflow"] = "fastflow"
    num_epochs: int = Field(default=500, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-5, ge=0)
    flow_steps: int = Field(default=None, ge=1)  # type: ignore[assignment]
    hidden_ratio: float = Field(default=None, gt=0)  # type: ignore[assignment]
    conv3x3_only: bool = Field(default=None)  # type: ignore[assignment] # False: 3×3, 1×1 in turn

    @field_validator("flow_steps", "hidden_ratio", "conv3x3_only", mode="before")
    @classmethod
    def _by_the_family(cls, value: Any, info: ValidationInfo) -> Any:
        backbone = info.data.get("backbone")
        if value is not None or backbone is None:
            return value
        family = BACKBONES[backbone].family
        return (_OF_TOKENS if family == "tokens" else _OF_MAPS)[str(info.field_name)]

    def build(
        self, store: "WeightStore | None", image_size_px: int, seed: int
    ) -> "FastflowNetwork":
        """Return an untrained network of square images; None: a saved state will fill it."""
        from components.models.networks.fastflow import FastflowNetwork

        return FastflowNetwork(self, store, image_size_px, seed)
