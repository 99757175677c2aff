"""A vision transformer that sees some of an image's tokens and gives maps of all of them.

He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022 (the masking and the fixed
places); Li et al., "Exploring Plain Vision Transformer Backbones for Object Detection", ECCV 2022
(the simple feature pyramid). Shapes: B images, L tokens of one image, K of them seen, D its width.
"""

from typing import Any

import torch
from timm.layers import LayerNorm2d
from torch import Tensor, nn

_MASK_STD = 0.02  # of the initial mask token, as in the masked autoencoder
_LONGEST_WAVE = 10_000


class MaskedTransformer(nn.Module):
    """timm's transformer without its learned places, and a pyramid of strides 4, 8 and 16."""

    places: Tensor

    def __init__(self, transformer: Any, side: int, widths: list[int]) -> None:
        super().__init__()
        dim = transformer.embed_dim
        self.side = side  # of the grid of tokens
        self.embed: nn.Module = transformer.patch_embed.proj
        self.cls_token: nn.Parameter = transformer.cls_token
        self.blocks: nn.Module = transformer.blocks
        self.norm: nn.Module = transformer.norm
        self.mask_token = nn.Parameter(torch.randn(1, 1, dim) * _MASK_STD)
        self.pyramid = nn.ModuleList(
            _stage(dim, halvings, width) for halvings, width in zip((2, 1, 0), widths, strict=True)
        )
        self.register_buffer("places", places_of(side, dim).unsqueeze(0), persistent=False)

    def forward(self, images_B3HW: Tensor, seen_BK: Tensor | None = None) -> list[Tensor]:
        """Return three maps from fine to coarse; None: every token is seen."""
        tokens_BLD = self.tokens(images_B3HW, seen_BK) + self.places
        grid = tokens_BLD.transpose(1, 2).reshape(-1, tokens_BLD.shape[2], self.side, self.side)
        return [stage(grid) for stage in self.pyramid]

    def tokens(self, images_B3HW: Tensor, seen_BK: Tensor | None) -> Tensor:
        """Return the tokens BLD after the last block, a learned one where none was seen."""
        tokens_BLD = self.embed(images_B3HW).flatten(2).transpose(1, 2) + self.places
        if seen_BK is None:
            return self._encoded(tokens_BLD)
        at_BKD = seen_BK[:, :, None].expand(-1, -1, tokens_BLD.shape[2])
        encoded_BKD = self._encoded(tokens_BLD.gather(1, at_BKD))
        return self.mask_token.expand_as(tokens_BLD).scatter(1, at_BKD, encoded_BKD)

    def _encoded(self, tokens_BLD: Tensor) -> Tensor:
        first = self.cls_token.expand(tokens_BLD.shape[0], -1, -1)
        encoded: Tensor = self.norm(self.blocks(torch.cat([first, tokens_BLD], dim=1)))
        return encoded[:, 1:]


def draw_seen(num_images: int, num_tokens: int, mask_ratio: float, rng: torch.Generator) -> Tensor:
    """Draw the tokens that each image shows, B × K in random order; K is one at least."""
    num_seen = max(1, int(num_tokens * (1 - mask_ratio)))
    return torch.rand(num_images, num_tokens, generator=rng).argsort(dim=1)[:, :num_seen]


def places_of(side: int, dim: int) -> Tensor:
    """Return the fixed code of each place of a square grid, row by row: (side²) × D.

    Its first half codes the column, its second half the row: sines, then cosines of wavelengths
    from 2π up to 10,000 · 2π. A masked autoencoder's weights are made for just this order.
    """
    assert dim % 4 == 0, "sines and cosines of rows and columns"
    frequencies = _LONGEST_WAVE ** -(torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies
    codes = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns, rows = codes.repeat(side, 1), codes.repeat_interleave(side, dim=0)
    return torch.cat([columns, rows], dim=1).float()


def _stage(dim: int, doublings: int, width: int) -> nn.Module:
    """Return transposed convolutions that double the grid, then two convolutions to a width."""
    layers: list[nn.Module] = []
    for number in range(doublings):
        layers += [LayerNorm2d(dim), nn.GELU()] if number else []
        layers.append(nn.ConvTranspose2d(dim, dim // 2, kernel_size=2, stride=2))
        dim //= 2
    return nn.Sequential(
        *layers,
        nn.Conv2d(dim, width, kernel_size=1, bias=False),
        LayerNorm2d(width),
        nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
        LayerNorm2d(width),
    )
