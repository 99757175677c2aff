"""MMR: a transformer that sees part of an image gives a CNN's features of all of it.

Zhang et al., "Industrial Anomaly Detection with Domain Shift: A Real-world Dataset and Masked
Multi-scale Reconstruction", Computers in Industry 2023.
"""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from components.models.backbones.registry import BACKBONES
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.mmr import MmrNetwork

TOKEN_PX = 16
_STRIDES = (4, 8, 16)
_VIT_BASE = (12, 768, 12)  # depth, width, heads


class Mmr(DetectorParams):
    """MMR; score = highest value of the map.

    With backbone ``wrn50_mae`` the transformer starts from the weights of a masked autoencoder,
    as in the paper. With any other it starts from scratch and may have any depth and width.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="a transformer that sees part of an image gives a CNN's features of all of it; "
        "the transformer is pretrained with wrn50_mae alone",
        paper='Zhang et al., "Industrial Anomaly Detection with Domain Shift: A Real-world '
        'Dataset and Masked Multi-scale Reconstruction", Computers in Industry 2023',
        backbones=(
            "wrn50_mae", "wide_resnet50_2", "resnet18", "resnet50", "lite0", "lite1", "lite2",
            "vgg16", "vgg19", "efficientnet_b5",
        ),
        training="epochs",
        fit_time="days",
        gpu_gb=8,
        strides=_STRIDES,
    )  # fmt: skip

    kind: Literal["mmr"] = "mmr"
    vit_depth: int = Field(default=_VIT_BASE[0], ge=1)
    vit_width: int = Field(default=_VIT_BASE[1], ge=4, multiple_of=4)
    vit_heads: int = Field(default=_VIT_BASE[2], ge=1)
    mask_ratio: float = Field(default=0.4, ge=0, lt=1)  # of the tokens, in training alone
    crop_scale: tuple[float, float] = (0.7, 1.0)  # share of the image that a training crop shows
    num_epochs: int = Field(default=200, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    warmup_epochs: int = Field(default=50, ge=0)
    drop_epochs: tuple[int, ...] = (120, 160)  # each divides the learning rate by ten
    weight_decay: float = Field(default=0.05, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    smoothing_sigma: float = Field(default=4.0, ge=0)  # Gaussian on the map, in model pixels

    @property
    def teacher(self) -> str:
        """The CNN whose features are given."""
        parts = BACKBONES[self.backbone].parts
        return parts[0] if parts else self.backbone

    @property
    def transformer(self) -> str | None:
        """The backbone that the transformer starts from; None: from scratch."""
        parts = BACKBONES[self.backbone].parts
        return parts[1] if parts else None

    @property
    def teacher_layers(self) -> tuple[str, ...]:
        """The three layers of the teacher, from fine to coarse."""
        return self.layers or self.facts.layers_of(self.teacher)

    @model_validator(mode="after")
    def _three_layers(self) -> Self:
        strides = BACKBONES[self.teacher].strides
        found = tuple(strides[layer] for layer in self.teacher_layers)
        if found != _STRIDES:
            raise ValueError(f"mmr reads three layers of strides {_STRIDES}, not {found}")
        return self

    @model_validator(mode="after")
    def _transformer_can_be_built(self) -> Self:
        shape = self.vit_depth, self.vit_width, self.vit_heads
        if self.vit_width % self.vit_heads:
            raise ValueError(f"{self.vit_heads} vit_heads do not divide vit_width {self.vit_width}")
        if self.transformer and shape != _VIT_BASE:
            raise ValueError(
                f"{self.backbone} has a transformer of depth, width and heads {_VIT_BASE}, "
                f"not {shape}: leave them out, or choose another backbone"
            )
        return self

    @model_validator(mode="after")
    def _crops_show_something(self) -> Self:
        low, high = self.crop_scale
        if not 0 < low <= high <= 1:
            raise ValueError(f"crop_scale goes upwards within 0..1, not {low:g} to {high:g}")
        return self

    def rate_at(self, epoch: int) -> float:
        """Return the factor on the learning rate: up in equal steps at first, then two drops."""
        warm = min(1.0, (epoch + 1) / self.warmup_epochs) if self.warmup_epochs else 1.0
        return warm * 0.1 ** sum(epoch >= drop for drop in self.drop_epochs)

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "MmrNetwork":
        """Return an untrained network of square images; None: a saved state will fill it."""
        from components.models.networks.mmr import MmrNetwork

        return MmrNetwork(self, store, image_size_px, seed)
