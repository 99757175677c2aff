"""What every detector's params have in common, and what a detector's network must offer."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import AfterValidator, Field

from components.models.backbones import LAYER_STRIDES, BackboneName, WeightsKind
from components.params import Params

if TYPE_CHECKING:
    from torch import Tensor

Batches = Callable[[int], "Iterator[Tensor]"]  # epoch -> batches of images, B3HW, 0..1


def _known_and_ordered(layers: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [layer for layer in layers if layer not in LAYER_STRIDES]
    if unknown:
        raise ValueError(f"unknown layers {unknown} (valid: {', '.join(LAYER_STRIDES)})")
    strides = [LAYER_STRIDES[layer] for layer in layers]
    if strides != sorted(set(strides)):
        raise ValueError(f"layers go from fine to coarse, each once, not {', '.join(layers)}")
    return layers


Layers = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known_and_ordered)]


class DetectorParams(Params):
    """The backbone and its layers; every detector adds its own hyperparameters."""

    backbone: BackboneName = "lite0"
    layers: Layers = ("blocks.2", "blocks.4")
    weights: WeightsKind = "pretrained"  # "random" is the floor beside every table


class Network(Protocol):
    """A torch module that learns from normal images and scores others.

    ``fit`` reads images alone, never labels. Calling it takes images B3HW in 0..1 and gives
    ``pred_score`` (B,) and ``anomaly_map`` (B, 1, H, W); both grow with the anomaly.
    """

    num_epochs: int

    def fit(self, batches: Batches) -> None: ...

    def __call__(self, images_B3HW: "Tensor") -> "tuple[Tensor, Tensor]": ...

    def state_dict(self) -> "dict[str, Tensor]": ...

    def load_state_dict(self, state_dict: "dict[str, Tensor]", strict: bool) -> object: ...
