"""CFLOW-AD: the likelihood of each patch's features under a flow that knows the patch's place.

Gudovskiy et al., "CFLOW-AD: Real-Time Unsupervised Anomaly Detection with Localization via
Conditional Normalizing Flows", WACV 2022.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from components.models.detector import DetectorFacts, DetectorParams

if TYPE_CHECKING:
    from components.models.backbones import WeightStore
    from components.models.networks.cflow import CflowNetwork


class Cflow(DetectorParams):
    """CFLOW-AD; score = highest value of the map."""

    facts: ClassVar[DetectorFacts] = DetectorFacts(
        summary="the likelihood of patch features under flows that know the patch's place",
        paper='Gudovskiy et al., "CFLOW-AD: Real-Time Unsupervised Anomaly Detection with '
        'Localization via Conditional Normalizing Flows", WACV 2022',
        backbones=(
            "wide_resnet50_2", "resnet18", "resnet50", "lite0", "lite1", "lite2", "vgg16", "vgg19",
            "efficientnet_b5", "vit_base", "deit_base", "cait_m48", "cait_s24",
        ),
        training="epochs",
        fit_time="hours",
        gpu_gb=8,
        strides=(8, 16, 32),
    )  # fmt: skip

    kind: Literal["cflow"] = "cflow"
    num_epochs: int = Field(default=50, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    coupling_blocks: int = Field(default=8, ge=1)
    condition_vector: int = Field(default=128, ge=4, multiple_of=4)  # length of a place's code
    clamp_alpha: float = Field(default=1.9, gt=0)  # bound of the log scales in the flow
    fiber_batch_size: int = Field(default=64, ge=2)  # patches per step of the optimizer

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "CflowNetwork":
        """Return an untrained network of square images; None: a saved state will fill it."""
        from components.models.networks.cflow import CflowNetwork

        return CflowNetwork(self, store, image_size_px, seed)
