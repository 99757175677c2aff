"""From images to patch embeddings: what all networks share.

Shapes: B images, C channels, H×W pixels or patches, N patches, D embedding dimensions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import BACKBONES, WeightStore, load_backbone
from components.models.detector import DetectorParams

# Finer layers are averaged onto this grid: a stride-4 grid costs four times as much and was
# measured no better on magnetic tile.
GRID_STRIDE = 8


class Normalise(nn.Module):
    """Images in 0..1 to the range that the backbone was trained on."""

    mean: Tensor
    std: Tensor

    def __init__(self, params: DetectorParams) -> None:
        super().__init__()
        backbone = BACKBONES[params.backbone]
        for name, values in (("mean", backbone.mean), ("std", backbone.std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return (images_BCHW - self.mean) / self.std


def extractor(
    params: DetectorParams, store: WeightStore | None, seed: int | None = None
) -> nn.Module:
    """Return the frozen backbone of a detector.

    Random weights depend on the seed alone; without one they come from torch's global generator,
    which goes on from there.
    """
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        backbone = load_backbone(store, params.backbone, params.weights, params.layers)
    return backbone.to(memory_format=torch.channels_last)  # a third faster on CPUs


def grid_side(params: DetectorParams, image_size_px: int) -> int:
    """Return the number of patches along one side of the image."""
    return image_size_px // max(GRID_STRIDE, BACKBONES[params.backbone].strides[params.layers[0]])


def embed(features: Sequence[Tensor], side: int, mode: str) -> Tensor:
    """Bring feature maps BCHW onto one grid and stack their channels: B × ΣC × side × side.

    Finer maps are averaged, coarser ones interpolated (``mode``: nearest in PaDiM, bilinear in
    PatchCore).
    """
    return torch.cat([_onto_grid(feature, side, mode) for feature in features], dim=1)


def _onto_grid(feature: Tensor, side: int, mode: str) -> Tensor:
    width = feature.shape[-1]
    if width > side and width % side == 0:
        return F.avg_pool2d(feature, width // side)
    if width > side:  # AlexNet's maps are a cell short of a multiple
        return F.interpolate(feature, size=(side, side), mode="bilinear")
    return feature if width == side else F.interpolate(feature, size=(side, side), mode=mode)


def rows(embedding_BDHW: Tensor) -> Tensor:
    """Return one row per patch: (B·H·W) × D."""
    return embedding_BDHW.permute(0, 2, 3, 1).reshape(-1, embedding_BDHW.shape[1])


def stack_rows(chunks: list[Tensor]) -> Tensor:
    """Concatenate along the first dimension, emptying ``chunks`` on the way.

    The pages of the result are touched as those of the chunks are let go, so that the peak is
    about one copy where ``torch.cat`` needs two.
    """
    total = sum(len(chunk) for chunk in chunks)
    stacked = torch.empty(total, *chunks[0].shape[1:])
    end = total
    while chunks:
        chunk = chunks.pop()
        stacked[end - len(chunk) : end] = chunk
        end -= len(chunk)
    return stacked


class SeparableBlur(nn.Module):
    """anomalib's Gaussian blur (reflected borders) as a row and a column: 2·33 products, not 33².

    ``kernel_2d`` is the normalised kernel that it replaces, the outer product of two equal halves.
    """

    profile: Tensor

    def __init__(self, kernel_2d: Tensor) -> None:
        super().__init__()
        half = kernel_2d.reshape(kernel_2d.shape[-2:]).sum(dim=0)
        self.register_buffer("profile", half / half.sum())
        self.reach = len(half) // 2

    def forward(self, maps_B1HW: Tensor) -> Tensor:
        reach = self.reach
        padded = F.pad(maps_B1HW, (reach, reach, reach, reach), mode="reflect")
        rows_blurred = F.conv2d(padded, self.profile.view(1, 1, 1, -1))
        return F.conv2d(rows_blurred, self.profile.view(1, 1, -1, 1))
