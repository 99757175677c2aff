"""Feature extractors of the three ways in which backbones are built: B3HW → dict of BCHW.

Each offers ``network``, what a weight file fills; ``cut()``, which drops what lies beyond the
deepest layer; ``fold()``, which folds frozen batch norms and paddings away. Networks whose weights
will be read from a file are built on the meta device, where drawing random ones costs nothing.
"""

from contextlib import nullcontext
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn

from components.models.backbones.entry import Backbone
from components.models.networks import TimmFeatureExtractor
from components.models.networks.folding import fold_batch_norms, fold_same_paddings
from components.models.networks.remembering import Remembering


class TimmMaps(Remembering, TimmFeatureExtractor):
    """anomalib's extractor over timm's features-only networks: Lite and residual families."""

    feature_extractor: Any

    @property
    def network(self) -> nn.Module:
        """timm's network."""
        network: nn.Module = self.feature_extractor
        return network

    def cut(self) -> None:
        """Drop stages beyond the deepest layer; timm keeps EfficientNet's, whatever is asked."""
        if hasattr(self.feature_extractor, "blocks"):
            deepest = int(str(self.layers[-1]).removeprefix("blocks."))
            self.feature_extractor.blocks = self.feature_extractor.blocks[: deepest + 1]

    def fold(self) -> None:
        """Fold batch norms and one-sided paddings of the frozen network."""
        fold_batch_norms(self.feature_extractor)
        fold_same_paddings(self.feature_extractor)


class Trunk(Remembering):
    """torchvision's convolutions in a row; each layer is the output of one place in it."""

    def __init__(self, backbone: Backbone, layers: tuple[str, ...]) -> None:
        super().__init__()
        self.layers = layers
        self.places = {backbone.layers[layer].index: layer for layer in layers}
        with torch.device("meta"):
            whole: Any = torchvision.models.get_model(backbone.architecture, weights=None)
        self.features: nn.Sequential = whole.features
        for module in self.features.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False  # a map that was handed out must not change afterwards

    @property
    def network(self) -> nn.Module:
        """The trunk itself: its tensors are called ``features.<place>…``."""
        return self

    def draw(self) -> None:
        """Give every layer random weights, as torchvision starts its own VGGs."""
        self.features.to_empty(device="cpu")
        for module in self.features.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                module.reset_parameters()
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def cut(self) -> None:
        """Drop the places beyond the deepest layer."""
        self.features = self.features[: max(self.places) + 1]

    def fold(self) -> None:
        """Fold the batch norms of the frozen network."""
        fold_batch_norms(self.features)

    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """Return the asked layers, from fine to coarse."""
        maps, hidden = {}, images_B3HW
        for place, module in enumerate(self.features):
            hidden = module(hidden)
            if place in self.places:
                maps[self.places[place]] = hidden
        return maps


class TokenMaps(Remembering):
    """A transformer's patch tokens after given blocks, normalised and laid out as maps."""

    def __init__(self, backbone: Backbone, layers: tuple[str, ...]) -> None:
        super().__init__()
        self.layers = layers
        self.indices = [int(layer.removeprefix("blocks.")) for layer in layers]
        self.transformer: Any = timm.create_model(
            backbone.architecture, pretrained=False, num_classes=0
        )

    @property
    def network(self) -> nn.Module:
        """timm's transformer."""
        network: nn.Module = self.transformer
        return network

    def cut(self) -> None:
        """Drop the blocks beyond the deepest layer."""
        self.transformer.prune_intermediate_layers(self.indices, prune_norm=False)

    def fold(self) -> None:
        """Nothing: transformers have layer norms, which depend on their inputs."""

    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """Return one map B × D × H/16 × W/16 a layer, after the transformer's last norm."""
        maps = self.transformer.forward_intermediates(
            images_B3HW, indices=self.indices, norm=True, intermediates_only=True
        )
        return dict(zip(self.layers, maps, strict=True))


Extractor = TimmMaps | Trunk | TokenMaps


def build_extractor(
    backbone: Backbone, layers: tuple[str, ...], *, on_meta: bool = False
) -> Extractor:
    """Return an extractor with random weights, or with none at all on the meta device."""
    with torch.device("meta") if on_meta else nullcontext():
        if backbone.family == "timm":
            return TimmMaps(backbone.architecture, layers=list(layers), pre_trained=False)
        if backbone.family == "tokens":
            return TokenMaps(backbone, layers)
    assert backbone.family == "trunk", backbone
    trunk = Trunk(backbone, layers)
    if not on_meta:
        trunk.draw()
    return trunk


def build_network(backbone: Backbone, *, on_meta: bool = False) -> nn.Module:
    """Return the whole network without its classifier, with random weights or on meta."""
    if backbone.family == "trunk":
        return build_extractor(backbone, tuple(backbone.layers), on_meta=on_meta)
    with torch.device("meta") if on_meta else nullcontext():
        network: nn.Module = timm.create_model(
            backbone.architecture, pretrained=False, num_classes=0
        )
    return network
