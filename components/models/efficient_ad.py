"""EfficientAd: a student and an autoencoder that fail to match a small teacher.

Batzner, Heckler and König, "EfficientAD: Accurate Visual Anomaly Detection at Millisecond-Level
Latencies", WACV 2024.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.errors import ParamsError
from components.models.backbones.registry import BackboneName
from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.efficient_ad import EfficientAdNetwork

SMALLEST_PX = 64


class EfficientAd(DetectorParams):
    """EfficientAd, small or medium by its backbone; score = highest value of the map.

    ``normalise_on`` says which images set the scale of the two maps: a share that the student
    never saw, as its authors do, or all of them, which Carvalho et al. (AutoVI, section 6.4)
    found better where images vary. ``penalty_folder`` holds images of anything else (ImageNet in
    the paper), on which the student must stay silent; what it holds is not part of the
    fingerprint, so other images belong into another folder.
    """

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="a student and an autoencoder that fail to match a small teacher; without "
        "penalty_folder no penalty on other images is learnt from",
        paper='Batzner et al., "EfficientAD: Accurate Visual Anomaly Detection at '
        'Millisecond-Level Latencies", WACV 2024',
        backbones=("pdn_small", "pdn_medium"),
        training="epochs",
        fit_time="days",
        gpu_gb=4,
    )

    kind: Literal["efficient_ad"] = "efficient_ad"
    backbone: BackboneName = "pdn_small"
    num_epochs: int = Field(default=200, ge=1)
    max_steps: int = Field(default=70_000, ge=1)  # of one image each
    learning_rate: float = Field(default=1e-4, gt=0)  # a tenth of it in the last 5 % of the steps
    weight_decay: float = Field(default=1e-5, ge=0)
    normalise_on: Literal["holdout", "train"] = "holdout"
    holdout_share: float = Field(default=0.05, gt=0, lt=1)
    penalty_folder: str | None = None

    def build(
        self, store: "WeightStore | None", image_size_px: int, seed: int
    ) -> "EfficientAdNetwork":
        """Return an untrained network of square images; None: a saved state will fill it.

        Raises:
            ParamsError: E311, images smaller than what the networks look at.
        """
        if image_size_px < SMALLEST_PX:
            raise ParamsError(
                "E311",
                f"EfficientAd cannot look at images of {image_size_px} px.",
                f"Choose {SMALLEST_PX} or more for image_size_px.",
            )
        from components.models.networks.efficient_ad import EfficientAdNetwork

        return EfficientAdNetwork(self, store, image_size_px, seed)
