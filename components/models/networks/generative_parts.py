"""Encoder, transformer, skips and decoder of the generative encoder-decoder (paper: figure 3).

Shapes: B images, C channels of a map, H×W its cells, N tokens, D their length, M reduced tokens;
w is ``base_width``, 64 in the paper.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import WeightStore, load_backbone
from components.models.generative import BLOCKS, Generative

STRIDE = 8  # of the encoder's deepest map against the image
_CONVOLUTIONS = (2, 2, 4)  # of VGG19's first three blocks
_HEADS = 4


class Encoder(nn.Module):
    """VGG19's first three blocks, each joined by the noisy image at its own scale.

    The sum of both goes on to the next block and to the decoder.
    """

    def __init__(self, params: Generative, store: WeightStore | None) -> None:
        super().__init__()
        widths = _widths(params)
        self.blocks = nn.ModuleList(
            _vgg_block(inputs, width, num)
            for inputs, width, num in zip((3, *widths), widths, _CONVOLUTIONS)
        )
        self.pyramid = nn.ModuleList(nn.Conv2d(3, width, 2) for width in widths)
        if store is not None and params.weights == "pretrained":
            self._fill(store)

    def forward(self, images_B3HW: Tensor) -> list[Tensor]:
        """Return w × H/2 × W/2, 2w × H/4 × W/4 and 4w × H/8 × W/8 of normalised noisy images."""
        maps: list[Tensor] = []
        hidden = scaled = images_B3HW
        for block, project in zip(self.blocks, self.pyramid, strict=True):
            scaled = F.avg_pool2d(scaled, 2)
            hidden = block(hidden) + F.relu(project(F.pad(scaled, (0, 1, 0, 1))))
            maps.append(hidden)
        return maps

    def _fill(self, store: WeightStore) -> None:
        vgg = load_backbone(store, "vgg19", "pretrained", BLOCKS, trainable=True)
        theirs = [module for module in vgg.modules() if isinstance(module, nn.Conv2d)]
        ours = [module for module in self.blocks.modules() if isinstance(module, nn.Conv2d)]
        for mine, pretrained in zip(ours, theirs, strict=True):
            mine.load_state_dict(pretrained.state_dict())


class Attention(nn.Module):
    """Scaled dot-product attention in several heads (eq. 1)."""

    def __init__(self, width: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        assert width % num_heads == 0, (width, num_heads)
        self.num_heads, self.dropout = num_heads, dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, asking_BND: Tensor, asked_BMD: Tensor) -> Tensor:
        """Return what each of N tokens takes from M others: B × N × D."""
        key, value = self.key_value(asked_BMD).chunk(2, dim=-1)
        mixed = F.scaled_dot_product_attention(
            self._heads(self.query(asking_BND)),
            self._heads(key),
            self._heads(value),
            dropout_p=self.dropout if self.training else 0.0,
        )
        joined: Tensor = self.out(mixed.transpose(1, 2).reshape(asking_BND.shape))
        return joined

    def _heads(self, tokens_BND: Tensor) -> Tensor:
        _, num, width = tokens_BND.shape
        return tokens_BND.reshape(-1, num, self.num_heads, width // self.num_heads).transpose(1, 2)


class TransformerBlock(nn.Module):
    """Attention and a four times wider perceptron, each normalised before and added after."""

    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, num_heads, dropout)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, tokens_BND: Tensor) -> Tensor:
        normalised = self.norm(tokens_BND)
        tokens_BND = tokens_BND + self.attention(normalised, normalised)
        mixed: Tensor = tokens_BND + self.perceptron(tokens_BND)
        return mixed


class TokenMixer(nn.Module):
    """The deepest map as tokens that all see each other, and back to a map of its size."""

    def __init__(self, params: Generative, image_size_px: int) -> None:
        super().__init__()
        self.patch_size = params.patch_size
        self.side = image_size_px // STRIDE // self.patch_size
        width, channels = 8 * params.base_width, 4 * params.base_width
        self.tokenize = nn.Conv2d(channels, width, self.patch_size, stride=self.patch_size)
        self.places = nn.Parameter(torch.empty(1, self.side**2, width))
        nn.init.trunc_normal_(self.places, std=0.02)
        self.block = TransformerBlock(width, _HEADS, params.dropout)
        self.restore = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, map_BCHW: Tensor) -> Tensor:
        tokens_BND = self.tokenize(map_BCHW).flatten(2).transpose(1, 2) + self.places
        mixed = self.block(tokens_BND).transpose(1, 2)
        grid = mixed.reshape(-1, mixed.shape[1], self.side, self.side)
        if self.patch_size > 1:
            grid = F.interpolate(grid, scale_factor=float(self.patch_size), mode="nearest")
        restored: Tensor = self.restore(grid)
        return restored


class SkipAttention(nn.Module):
    """A skip whose every cell attends to the map reduced R times each way (eq. 2 and 3)."""

    def __init__(self, width: int, num_heads: int, reduction: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, width, reduction, stride=reduction)
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, num_heads)
        self.refine = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, map_BCHW: Tensor) -> Tensor:
        reduced_BMD = self.norm(self.reduce(map_BCHW).flatten(2).transpose(1, 2))
        cells_BND = map_BCHW.flatten(2).transpose(1, 2)
        seen = self.attention(cells_BND, reduced_BMD).transpose(1, 2).reshape(map_BCHW.shape)
        return F.relu(self.refine(map_BCHW + seen))


class Decoder(nn.Module):
    """Three times join the skip of this scale, convolve and double; then paint: B3HW in 0..1."""

    def __init__(self, params: Generative) -> None:
        super().__init__()
        first, second, third = _widths(params)
        self.skips = nn.ModuleList([nn.Identity(), nn.Identity(), nn.Identity()])
        if params.skips == "attention":
            self.skips[1] = SkipAttention(second, num_heads=2, reduction=4)
            self.skips[2] = SkipAttention(first, num_heads=1, reduction=8)
        self.is_skipping = params.skips != "none"
        added = (third, second, first) if self.is_skipping else (0, 0, 0)
        self.joins = nn.ModuleList(
            nn.Conv2d(inputs + skipped, outputs, 3, padding=1)
            for inputs, skipped, outputs in zip(
                (third, third, second), added, (third, second, first), strict=True
            )
        )
        self.paint = nn.Sequential(
            nn.Conv2d(first, first, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, 3, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, hidden: Tensor, encoded: list[Tensor]) -> Tensor:
        """Paint from the deepest map and, where skips are on, the encoder's, fine to coarse."""
        for skip, join, fine in zip(self.skips, self.joins, reversed(encoded), strict=True):
            joined = torch.cat([hidden, skip(fine)], dim=1) if self.is_skipping else hidden
            hidden = F.interpolate(F.relu(join(joined)), scale_factor=2.0, mode="nearest")
        painted: Tensor = self.paint(hidden)
        return painted


def _widths(params: Generative) -> tuple[int, int, int]:
    return params.base_width, 2 * params.base_width, 4 * params.base_width


def _vgg_block(inputs: int, width: int, num_convolutions: int) -> nn.Sequential:
    """Return 3×3 convolutions with ReLUs and a pooling, drawn as torchvision draws its VGGs."""
    layers: list[nn.Module] = []
    for number in range(num_convolutions):
        convolution = nn.Conv2d(inputs if number == 0 else width, width, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        assert convolution.bias is not None
        nn.init.zeros_(convolution.bias)
        layers += [convolution, nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))
