"""From a name and a store to a network: built without any download, filled strictly."""

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import ParamsError, WeightsError
from components.models.backbones.registry import BACKBONES, WeightsKind, weights_digest
from components.models.backbones.store import WeightStore

if TYPE_CHECKING:
    from torch import Tensor, nn


def load_backbone(
    store: WeightStore | None,
    name: str,
    weights: WeightsKind,
    layers: tuple[str, ...],
    *,
    trainable: bool = False,
) -> "nn.Module":
    """Return a frozen feature extractor: images B3HW, normalised → dict of layer: BCHW.

    It runs no further than its deepest layer, and remembers its maps where it is frozen and this
    process has a feature store. Random weights come from torch's global
    generator. ``store`` is None only where a saved state dict is about to fill every weight.
    A ``trainable`` backbone keeps its batch norms; a frozen one has them folded.

    Raises:
        WeightsError: as for :meth:`WeightStore.locate`; E287, tensors that do not fit.
        ParamsError: E133, a layer that this backbone does not have.
    """
    backbone = BACKBONES[name]
    unknown = [layer for layer in layers if layer not in backbone.layers]
    if unknown or not layers:
        raise ParamsError(
            "E133", f"{name} has no layers {unknown}.", f"Valid: {list(backbone.layers)}."
        )
    from components.models.networks.extractors import build_extractor
    from components.models.networks.remembering import memory_of

    empty = weights == "pretrained" and not _draws_count(name)
    extractor = build_extractor(backbone, layers, on_meta=empty)
    if store is not None and weights == "pretrained":
        fill(extractor.network, name, store.locate(name))
    elif empty:
        extractor.to_empty(device="cpu")
    extractor.cut()
    extractor.eval().requires_grad_(False)
    if not trainable:
        extractor.fold()
        extractor.memory = memory_of(backbone, weights_digest(name, weights))
    return extractor


def load_network(store: WeightStore | None, name: str, weights: WeightsKind) -> "nn.Module":
    """Return a backbone's whole network without its classifier, for detectors that go inside.

    timm's model for the residual, EfficientNet-Lite and transformer families, torchvision's
    sequence under the name ``features`` for the others. Trainable, in evaluation mode.

    Raises:
        WeightsError: as for :func:`load_backbone`.
        ParamsError: E289, a backbone whose network is its detector's own.
    """
    from components.models.networks.extractors import build_network

    backbone = BACKBONES[name]
    if backbone.family in {"several", "own", "none"}:
        raise ParamsError(
            "E289", f"{name} is no network of its own.", f"Its parts: {list(backbone.parts)}."
        )
    empty = store is not None and weights == "pretrained"
    network = build_network(backbone, on_meta=empty)
    if store is not None and weights == "pretrained":
        fill(network, name, store.locate(name))
    return network.eval()


def _draws_count(name: str) -> bool:
    """Whether random weights are drawn even where a file will replace them.

    PaDiM picks its features after its backbone was drawn, as anomalib does: for the Lite family,
    which is quick to draw, the picks of a seed stay what they always were.
    """
    weights = BACKBONES[name].weights
    return weights is not None and weights.naming == "lite"


def read_state(store: WeightStore, name: str) -> "dict[str, Tensor]":
    """Return a backbone's tensors as its file names them, for detectors that build it themselves.

    Raises:
        WeightsError: as for :meth:`WeightStore.locate`; E287, the file holds no tensors.
    """
    return read_tensors(store.locate(name))


def read_tensors(path: Path) -> "dict[str, Tensor]":
    """Read a ``.safetensors`` file, or what ``torch.load`` admits as weights alone.

    Raises:
        WeightsError: E287, the file is broken, or holds anything but tensors.
    """
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffixes[-1:] == [".safetensors"] or ".safetensors" in path.name:
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError("E287", f"{path} is not a file of weights: {reason}") from None
    state = state.get("model", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(hasattr(v, "shape") for v in state.values()):
        raise WeightsError("E287", f"{path} holds something else than named tensors.")
    return {key.removeprefix("module."): value for key, value in state.items()}


def fill(network: "nn.Module", name: str, path: Path) -> None:
    """Load a file into a network that may end before the file does, and nowhere else differs.

    Raises:
        WeightsError: E287, a tensor is missing, superfluous or of another shape.
    """
    state = read_tensors(path)
    weights = BACKBONES[name].weights
    if weights is not None and weights.naming == "lite":
        state = lite_state(state, network)
    own = network.state_dict()
    present = {key.partition(".")[0] for key in own}
    state = {key: value for key, value in state.items() if key.partition(".")[0] in present}
    try:
        network.load_state_dict(state, strict=True, assign=any(v.is_meta for v in own.values()))
    except RuntimeError as error:
        first = str(error).splitlines()[1:2]
        raise WeightsError(
            "E287", f"{path} does not fit {name}: {' '.join(first).strip()}", "Fetch it again."
        ) from None


def check_state(name: str, path: Path) -> None:
    """Load a file on trial into the architecture that it is for, at no cost of memory.

    Raises:
        WeightsError: E287, it does not fit.
    """
    from components.models.networks.extractors import build_network

    backbone = BACKBONES[name]
    if backbone.family == "own":  # its detector builds it: tensors are all that can be asked here
        read_tensors(path)
        return
    fill(build_network(backbone, on_meta=True), name, path)


def lite_state(state: "dict[str, Tensor]", network: Any) -> "dict[str, Tensor]":
    """Return a Lite file's tensors under the names that timm knows them by.

    The stages of ``network`` (timm's) say where the file's flat block numbers are cut.
    """
    lengths = tuple(len(stage) for stage in network.blocks)
    return {_timm_key(key, lengths): value for key, value in state.items()}


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
