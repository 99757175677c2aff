"""The generative encoder-decoder: normal images painted anew out of noise.

Mekhilef, Abbas and Hemam, "A Generative Encoder-Decoder Model for Automated Quality Control
Inspections", 2024.
"""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.models.backbones.registry import BackboneName
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.generative import GenerativeNetwork

BLOCKS = ("pool1", "pool2", "pool3")  # of VGG19: what the encoder consists of
VGG_WIDTH = 64  # channels of VGG19's first block


class Generative(DetectorParams):
    """The encoder-decoder with its switches; defaults are the paper's (section 4.B).

    The standard deviation of its noise is ``input_noise`` of the TrainParams around it: it acts
    in training and in use, on every channel by itself, and the image to be painted stays clean.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="where an image differs from what is painted of it through noise",
        paper='Mekhilef et al., "A Generative Encoder-Decoder Model for Automated Quality Control '
        'Inspections", 2024',
        backbones=("vgg19",),
        training="epochs",
        fit_time="days",
        gpu_gb=6,
        layers={"vgg19": BLOCKS},
        own_noise=True,
    )

    kind: Literal["generative"] = "generative"
    backbone: BackboneName = "vgg19"
    base_width: int = Field(default=VGG_WIDTH, ge=4, multiple_of=4)  # channels of the first block
    patch_size: Literal[1, 2] = (
        1  # side of a token in cells of the deepest map; 2: a quarter of them
    )
    skips: Literal["attention", "plain", "none"] = "attention"  # how encoder maps reach the decoder
    noise_mode: Literal["fixed", "uniform"] = "fixed"  # σ for all, or each image's own below it
    ssim_weight: float = Field(default=1.0, ge=0)  # of 1 − SSIM beside the squared error
    dropout: float = Field(default=0.25, ge=0, lt=1)  # in the transformer block
    mean_filter_px: int = Field(default=21, ge=1, le=31)  # over the map, in model pixels
    num_epochs: int = Field(default=2000, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    validation_share: float = Field(default=0.2, gt=0, lt=1)  # of the normals: held out
    patience: int = Field(default=300, ge=1)  # epochs without a better validation loss
    patient_from: int = Field(default=800, ge=0)  # the first epoch after which training may stop

    @field_validator("mean_filter_px")
    @classmethod
    def _has_a_middle(cls, side_px: int) -> int:
        if side_px % 2 == 0:
            raise ValueError(f"mean_filter_px {side_px} is even: a mean filter needs a middle")
        return side_px

    @model_validator(mode="after")
    def _fits_its_encoder(self) -> Self:
        if self.layers != BLOCKS:
            raise ValueError(f"generative is built of all of {', '.join(BLOCKS)}, in this order")
        if self.weights == "pretrained" and self.base_width != VGG_WIDTH:
            raise ValueError(
                f"base_width {self.base_width} has no pretrained weights: give {VGG_WIDTH}, or "
                f"weights: random"
            )
        return self

    @property
    def relative_cost(self) -> float:
        """An encoder and its mirror image, whose work grows with the square of their width."""
        return 2 * (self.base_width / VGG_WIDTH) ** 2

    def build(
        self, store: "WeightStore | None", image_size_px: int, seed: int
    ) -> "GenerativeNetwork":
        """Return an untrained network of square images; None: a saved state will fill it."""
        from components.models.networks.generative import GenerativeNetwork

        return GenerativeNetwork(self, store, image_size_px, seed)
