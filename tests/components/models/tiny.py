"""Each detector as contract tests fit it: narrow, a few steps, with the weights that are here."""

from typing import Any

from components.models.backbones import BACKBONES, WeightStore
from components.models.detector import DetectorParams
from components.train import TrainParams
from tests.components.models.parts import IMAGE_SIZE_PX

# What differs from the class's own defaults, by kind; epochs are two for all that have them.
NARROW: dict[str, dict[str, Any]] = {
    "cflow": {"coupling_blocks": 2},
    "csflow": {"backbone": "lite0", "coupling_blocks": 2, "hidden_channels": 16},
    "efficient_ad": {"max_steps": 4},
    "dfkde": {"n_pca_components": 4},
    "draem": {"repair_width": 4, "detection_width": 4},
    "dsr": {"weights": "random", "num_codes": 64, "code_width": 8, "detection_width": 8},
    "fastflow": {"flow_steps": 2},
    "ganomaly": {"width": 8, "code_size": 16},
    "mmr": {"vit_depth": 2, "vit_width": 32, "vit_heads": 2},
    "simplenet": {"feature_dim": 96, "hidden_dim": 32},
    "generative": {"weights": "random", "base_width": 8, "patch_size": 2},
    "uflow": {"flow_steps": 2},
}
# Of kinds that cannot look at images of IMAGE_SIZE_PX.
SIZES_PX = {"csflow": 128}


def tiny(kind: type[DetectorParams]) -> TrainParams:
    """Return small params of a detector; its weights are random where no package ships them."""
    name = kind.model_fields["kind"].default
    epochs = {"num_epochs": 2} if "num_epochs" in kind.model_fields else {}
    detector: Any = kind(**(epochs | NARROW.get(name, {})))
    if not _has_weights(detector.backbone):
        detector = detector.replaced(weights="random")
    return TrainParams(detector=detector, image_size_px=SIZES_PX.get(name, IMAGE_SIZE_PX))


def _has_weights(backbone: str) -> bool:
    parts = BACKBONES[backbone].parts or (backbone,)
    return all(BACKBONES[p].weights is None or WeightStore().find(p) is not None for p in parts)
