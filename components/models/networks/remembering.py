"""A frozen backbone that looks into the feature store before it computes.

What decides a map is the very input, after resizing, noise and normalisation: its digest stands
for the image, its transform, the noise's level and seed and the augmented copy, and holds for
whatever else may come to change pixels. Beside it stand the backbone, its weights, the layer, the
code and libraries that run it, and the kind of processor: a map found is the map that would be
computed, bit for bit.

Shapes: B images, C channels, H×W pixels or cells.
"""

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from components.identity import environment_versions, file_sha256
from components.models.backbones.entry import Backbone
from components.models.detector import Network
from components.models.feature_store import FeatureStore, StoredMap, feature_store
from components.params import digest_of

Maps = dict[str, Tensor]

_HERE = Path(__file__).resolve().parent
_SOURCES = ("extractors.py", "folding.py", "../backbones/loading.py")


class Remembering(nn.Module):
    """Base of the extractors: with a ``memory``, maps come from the store where it has them."""

    memory: "Memory | None" = None
    layers: Sequence[str]

    def __call__(self, images_BCHW: Tensor) -> Any:
        """Return one map a layer: dict of BCHW."""
        compute: Callable[[Tensor], Maps] = super().__call__
        if self.memory is None or not _is_plain(self, images_BCHW):
            return compute(images_BCHW)
        if self.memory.alone or _layout(images_BCHW) is not torch.channels_last:
            compute = partial(_one_by_one, compute)
        store = feature_store()
        if store is None:
            return compute(images_BCHW)
        return self.memory.recall(store, images_BCHW, tuple(self.layers), compute)


@dataclass(frozen=True)
class Memory:
    """What the maps of a frozen backbone are known by, besides the images."""

    backbone: str
    weights: str  # what the weights are known by
    alone: bool  # an image's map may depend on its batch, so each is computed alone

    def recall(
        self,
        store: FeatureStore,
        images_BCHW: Tensor,
        layers: tuple[str, ...],
        compute: Callable[[Tensor], Maps],
    ) -> Maps:
        """Return one map a layer, computing those of the images that the store does not hold."""
        keys = [self._keys(image, layers) for image in images_BCHW]
        found = [[store.get(key) for key in of_image] for of_image in keys]
        missing = [i for i, maps in enumerate(found) if any(one is None for one in maps)]
        store.use.num_computed += len(missing)
        store.use.num_found += len(found) - len(missing)
        store.use.saved_s += sum(
            max(one.seconds for one in maps if one is not None)
            for i, maps in enumerate(found)
            if i not in missing
        )
        if not missing:
            return {layer: _stacked(maps) for layer, maps in zip(layers, zip(*found))}
        fresh = self._computed(store, images_BCHW, missing, keys, layers, compute)
        if len(missing) == len(found):
            return fresh
        at = {image: place for place, image in enumerate(missing)}
        return {
            layer: torch.cat(
                [
                    fresh[layer][at[i] : at[i] + 1] if i in at else _stacked([maps[number]])
                    for i, maps in enumerate(found)
                ]
            )
            for number, layer in enumerate(layers)
        }

    def _keys(self, image_CHW: Tensor, layers: tuple[str, ...]) -> list[str]:
        of_image = _pixel_digest(image_CHW)
        return [
            digest_of([_runtime(), self.backbone, self.weights, layer, of_image])
            for layer in layers
        ]

    def _computed(
        self,
        store: FeatureStore,
        images_BCHW: Tensor,
        missing: list[int],
        keys: list[list[str]],
        layers: tuple[str, ...],
        compute: Callable[[Tensor], Maps],
    ) -> Maps:
        """Compute and keep the maps of some images."""
        some = images_BCHW
        if len(missing) < len(images_BCHW):
            some = images_BCHW[missing].contiguous(memory_format=_layout(images_BCHW))
        started = time.perf_counter()
        fresh = compute(some)
        seconds = (time.perf_counter() - started) / len(missing)
        for place, image in enumerate(missing):
            for layer, key in zip(layers, keys[image], strict=True):
                kept = _to_store(fresh[layer][place : place + 1], seconds)
                if kept is not None:
                    store.put(key, kept)
        return fresh


def memory_of(backbone: Backbone, weights: str) -> Memory | None:
    """Return what a frozen backbone's maps are known by; None where its weights have no digest.

    The Lite family with channels last was found to give an image the same bits in every batch, at
    all sizes. Others were not, or might not: with them each image is a batch of its own, whether
    a store is open or not.
    """
    if not re.fullmatch("[0-9a-f]{8,64}", weights):
        return None
    is_lite = backbone.weights is not None and backbone.weights.naming == "lite"
    return Memory(backbone.name, weights, alone=not is_lite)


def _one_by_one(compute: Callable[[Tensor], Maps], images_BCHW: Tensor) -> Maps:
    found = [compute(images_BCHW[i : i + 1]) for i in range(len(images_BCHW))]
    return {layer: torch.cat([maps[layer] for maps in found]) for layer in found[0]}


def _is_plain(network: nn.Module, images: Tensor) -> bool:
    """Whether this is a pass on one CPU thread of a network that nothing trains or traces."""
    if torch._C._get_tracing_state() is not None or torch.compiler.is_compiling():
        return False
    on_cpu = images.device.type == "cpu" and images.dtype == torch.float32 and images.ndim == 4
    trained = images.requires_grad or any(p.requires_grad for p in network.parameters())
    plain = on_cpu and not trained and not network.training and _layout(images) is not None
    return plain and torch.get_num_threads() == 1


def forget(network: Network) -> None:
    """Let the backbones in a network compute every map: their weights may be other ones."""
    for module in network.modules():
        if isinstance(module, Remembering):
            module.memory = None


@cache
def _runtime() -> str:
    """Return a digest of the code, libraries and kind of processor that compute maps."""
    return digest_of(
        [
            environment_versions(),
            [file_sha256(_HERE / source) for source in _SOURCES],
            torch.backends.cpu.get_cpu_capability(),
            torch.get_float32_matmul_precision(),
        ]
    )


def _layout(maps_BCHW: Tensor) -> Any:
    """Return the memory format, or None where it is neither of the two."""
    formats = (torch.channels_last, torch.contiguous_format)
    return next((one for one in formats if maps_BCHW.is_contiguous(memory_format=one)), None)


def _pixel_digest(image_CHW: Tensor) -> str:
    last = not image_CHW.is_contiguous()
    pixels = (image_CHW.permute(1, 2, 0) if last else image_CHW).numpy()
    digest = hashlib.sha256(np.ascontiguousarray(pixels).data)
    digest.update(f"{last} {image_CHW.shape}".encode())
    return digest.hexdigest()


def _to_store(map_1CHW: Tensor, seconds: float) -> StoredMap | None:
    layout = _layout(map_1CHW)
    if layout is None or map_1CHW.dtype != torch.float32:
        return None
    last = layout is torch.channels_last
    values = (map_1CHW.permute(0, 2, 3, 1) if last else map_1CHW)[0]
    return StoredMap(values.detach().numpy(), last, seconds)


def _stacked(maps: Sequence[StoredMap | None]) -> Tensor:
    """Return maps of one layer as B × C × H × W, in the memory format in which they were made."""
    whole = [one for one in maps if one is not None]
    assert len(whole) == len(maps)
    stacked = torch.from_numpy(np.stack([one.values for one in whole]))
    return stacked.permute(0, 3, 1, 2) if whole[0].channels_last else stacked
