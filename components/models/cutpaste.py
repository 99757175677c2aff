"""CutPaste: a classifier of pasted images lends its features to a Gaussian of normal ones.

Li et al., "CutPaste: Self-Supervised Learning for Anomaly Detection and Localization", CVPR 2021.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from components.models.backbones.registry import CNNS, BackboneName
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.cutpaste import CutPasteNetwork

_FIRST: BackboneName = "resnet18"
_TOO_FINE: BackboneName = "alexnet"  # has no layer of stride 32


class CutPaste(DetectorParams):
    """CutPaste, 3-way; score = half the squared Mahalanobis distance of the pooled features.

    The paper scores images; its map here is Grad-CAM of that score, which for a Gaussian on pooled
    features has a closed form. Scar sizes are pixels at 256 px and grow with the model's square.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="a Gaussian of what a classifier of normal, patched and scarred images looks at",
        paper='Li et al., "CutPaste: Self-Supervised Learning for Anomaly Detection and '
        'Localization", CVPR 2021',
        backbones=(_FIRST, *(name for name in CNNS if name not in {_FIRST, _TOO_FINE})),
        training="epochs",
        fit_time="hours",
        gpu_gb=4,
        strides=(32,),
    )

    kind: Literal["cutpaste"] = "cutpaste"
    num_epochs: int = Field(default=256, ge=1)
    learning_rate: float = Field(default=0.03, gt=0)  # falls to 0 along half a cosine
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=3e-5, ge=0)
    frozen_updates: int = Field(default=20, ge=0)  # for which the backbone keeps its weights
    head_widths: tuple[int, ...] = Field(default=(512, 128), min_length=1)  # the paper names none
    patch_area: tuple[float, float] = (0.02, 0.15)  # of the image
    patch_aspect: tuple[float, float] = (0.3, 3.3)
    scar_width_px: tuple[float, float] = (2.0, 16.0)
    scar_length_px: tuple[float, float] = (10.0, 25.0)
    scar_degrees: tuple[float, float] = (-45.0, 45.0)
    colour_jitter: float = Field(default=0.1, ge=0, le=0.5)

    @field_validator("layers")
    @classmethod
    def _one_layer(cls, layers: tuple[str, ...]) -> tuple[str, ...]:
        if len(layers) != 1:
            raise ValueError(f"cutpaste pools one layer, not {len(layers)}")
        return layers

    @field_validator("patch_area", "patch_aspect", "scar_width_px", "scar_length_px")
    @classmethod
    def _positive_range(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if not 0 < ends[0] <= ends[1]:
            raise ValueError(f"a range goes from above 0 upwards, not {ends[0]:g} to {ends[1]:g}")
        return ends

    def build(
        self, store: "WeightStore | None", image_size_px: int, seed: int
    ) -> "CutPasteNetwork":
        """Return an untrained network of square images; None: a saved state will fill it."""
        from components.models.networks.cutpaste import CutPasteNetwork

        return CutPasteNetwork(self, store, image_size_px, seed)
