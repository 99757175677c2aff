"""What a detector is: its params, its facts, and what its network must offer.

A detector is one light file ``components/models/<kind>.py`` with a subclass of
:class:`DetectorParams`, and its torch side in ``components/models/networks/<kind>.py`` or, where
it is small, inside ``build``. Nothing lists them: the file is found by being there
(``components/models/discovery.py``), and ``defectloop models``, the contract tests and the search
read everything else from the class itself. ``docs/add-a-detector.md`` walks through one.

- ``kind: Literal["name"] = "name"``: its name in YAML, and that of its file.
- ``facts: ClassVar[DetectorFacts]``: what it is and what it needs. A class without them cannot
  be made. The first of ``facts.backbones`` that packages provide is a good default for the field
  ``backbone``; the field must name one of them, and any other is an error that lists them.
- ``backbone``, ``layers``, ``weights``: inherited. ``layers: null`` (the default) becomes the
  backbone's deepest layers at ``facts.strides``, or ``facts.layers[backbone]`` where the paper
  names others, at validation: params hold concrete layers, so fingerprints do too. A detector
  without a pretrained backbone says ``backbones=("none",)`` and ``backbone: BackboneName =
  "none"``; it and detectors whose backbone has no layers of its own have ``layers == ()``.
- ``num_epochs: int`` where ``facts.training`` is "epochs"; tests set it to 2.
- ``build(self, store, image_size_px, seed)``: returns an unfitted :class:`Network` for square
  images. ``store`` is None where a saved state dict will fill every weight: then nothing may be
  looked up. Weights come from ``load_backbone`` (maps), ``load_network`` (the whole network) or
  ``read_state`` (tensors alone) of ``components.models.backbones``, never from a download.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import Field, ValidationInfo, field_validator

from components.models.backbones.registry import (
    BACKBONES,
    BackboneName,
    WeightsKind,
    default_layers,
)
from components.params import Params

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from components.models.backbones import WeightStore


class Batches(Protocol):
    """The images to learn from: each epoch's number gives its batches, B3HW in 0..1.

    Detectors that set themselves by images which they did not learn from ``divided`` them first:
    those held out come in no batch of the first part. Epochs may be asked for beyond num_epochs.
    ``input_noise`` is the noise level left to detectors of ``facts.own_noise``, whose batches are
    clean; 0 for all others, whose batches have their noise already.
    """

    @property
    def input_noise(self) -> float: ...

    def __call__(self, epoch: int) -> "Iterator[Tensor]": ...

    def divided(self, share: float) -> "tuple[Batches, Batches]": ...


@dataclass(frozen=True)
class DetectorFacts:
    """What a detector is and needs, for people who choose one.

    ``fit_time`` is the class of one fit on some 200 images of 256 px on two CPU cores with the
    default params: seconds, minutes, hours, or days. ``gpu_gb`` is the order of magnitude of GPU
    memory at the paper's image and batch size; 0 where a CPU will do.
    """

    summary: str  # one line
    paper: str  # authors, title, venue
    backbones: tuple[BackboneName, ...]  # accepted, the paper's first
    training: Literal["one pass", "epochs"]
    fit_time: Literal["seconds", "minutes", "hours", "days"]
    gpu_gb: int = 0
    strides: tuple[int, ...] = (8, 16)  # of the layers that it reads by default
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # backbone -> default
    not_exportable: str = ""  # why no exported model can be made; "" where it can
    own_noise: bool = False  # adds the input noise itself, since it needs the clean images too
    localises: bool = True  # False: its map is 0 everywhere, and no pixel figure is made of it

    @property
    def exportable(self) -> bool:
        """Whether a fitted one can be exported."""
        return not self.not_exportable

    def layers_of(self, backbone: str) -> tuple[str, ...]:
        """Return the layers that it reads of a backbone unless told otherwise."""
        return self.layers.get(backbone) or default_layers(backbone, self.strides)


class DetectorParams(Params):
    """The backbone and its layers; every detector adds its own hyperparameters."""

    facts: ClassVar[DetectorFacts]

    kind: str
    backbone: BackboneName = "lite0"
    layers: tuple[str, ...] = Field(default=None, validate_default=True)  # None: by the backbone
    weights: WeightsKind = "pretrained"  # "random" is the floor beside every table

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        if not isinstance(getattr(cls, "facts", None), DetectorFacts):
            raise TypeError(f"{cls.__name__} states no facts: see components/models/detector.py")

    @field_validator("backbone")
    @classmethod
    def _accepted(cls, backbone: BackboneName) -> BackboneName:
        if backbone not in cls.facts.backbones:
            raise ValueError(
                f"{cls.__name__} cannot use backbone {backbone} "
                f"(valid: {', '.join(cls.facts.backbones)})"
            )
        return backbone

    @field_validator("layers", mode="before")
    @classmethod
    def _by_the_backbone(cls, layers: Any, info: ValidationInfo) -> Any:
        backbone = info.data.get("backbone")
        if layers is None and backbone is not None:
            return cls.facts.layers_of(backbone)
        return () if layers is None else layers

    @field_validator("layers")
    @classmethod
    def _known_and_ordered(cls, layers: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        backbone = info.data.get("backbone")
        return layers if backbone is None else checked_layers(backbone, layers)

    @property
    def relative_cost(self) -> float:
        """What one image costs in passes of the whole backbone; the cost preview reads it."""
        return 1.0

    def build(self, store: "WeightStore | None", image_size_px: int, seed: int) -> "Network":
        """Return an unfitted network of square images; None: a saved state will fill it."""
        raise NotImplementedError(f"{type(self).__name__} builds no network")


def checked_layers(backbone: str, layers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the layers when the backbone has them all and they go from fine to coarse.

    Raises:
        ValueError: a layer is unknown, comes twice or too late, or none is given.
    """
    known = list(BACKBONES[backbone].layers)
    unknown = [layer for layer in layers if layer not in known]
    valid = f"valid: {', '.join(known) or 'none'}"
    if unknown:
        raise ValueError(f"{backbone} has no layers {', '.join(unknown)} ({valid})")
    if known and not layers:
        raise ValueError(f"no layers given for {backbone} ({valid})")
    if list(layers) != [layer for layer in known if layer in layers]:
        raise ValueError(f"layers go from fine to coarse, each once, not {', '.join(layers)}")
    return layers


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

    def modules(self) -> "Iterator[Module]": ...
