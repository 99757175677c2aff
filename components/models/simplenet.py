"""SimpleNet: a small discriminator that tells normal patch features from noisy ones.

Liu et al., "SimpleNet: A Simple Network for Image Anomaly Detection and Localization", CVPR 2023.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.models.backbones.registry import MAPS, BackboneName
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.simplenet import SimpleNetNetwork

_FIRST: BackboneName = "wide_resnet50_2"


class SimpleNet(DetectorParams):
    """SimpleNet; score = highest value of the patches. An epoch is one pass over the images.

    ``epoch_choice`` says which epoch's weights are kept: the one that best tells normal images
    held out of training from copies of them with a pasted piece (the authors' code looks at the
    test set here), or simply the last, which trains on all images.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="a small discriminator that tells normal patch features from noisy ones",
        paper='Liu et al., "SimpleNet: A Simple Network for Image Anomaly Detection and '
        'Localization", CVPR 2023',
        backbones=(_FIRST, *(name for name in MAPS if name != _FIRST)),
        training="epochs",
        fit_time="hours",
        gpu_gb=4,
    )

    kind: Literal["simplenet"] = "simplenet"
    feature_dim: int = Field(default=1536, ge=1)  # of a patch, all layers together
    hidden_dim: int = Field(default=1024, ge=1)  # of the discriminator
    noise_std: float = Field(default=0.015, gt=0)  # of what makes features anomalous
    margin: float = Field(default=0.5, gt=0)
    num_epochs: int = Field(default=160, ge=1)  # 40 rounds of 4
    learning_rate: float = Field(default=1e-4, gt=0)  # of the projection
    discriminator_learning_rate: float = Field(default=2e-4, gt=0)
    discriminator_weight_decay: float = Field(default=1e-5, ge=0)
    epoch_choice: Literal["synthetic", "last"] = "synthetic"
    choose_every: int = Field(default=4, ge=1)  # epochs between two looks at the held-out images
    validation_share: float = Field(default=0.1, gt=0, lt=1)  # of the images: held out
    smoothing_sigma: float = Field(default=4.0, ge=0)  # Gaussian on the map, in model pixels

    def build(
        self, store: "WeightStore | None", image_size_px: int, seed: int
    ) -> "SimpleNetNetwork":
        """Return an untrained network of square images; None: a saved state will fill it."""
        from components.models.networks.simplenet import SimpleNetNetwork

        return SimpleNetNetwork(self, store, image_size_px, seed)
