"""MMR: where a transformer trained on part of an image fails to give a CNN's features of it.

Zhang et al., "Industrial Anomaly Detection with Domain Shift", Computers in Industry 2023,
section 4. Shapes: B images, C channels, H×W pixels, K tokens seen.
"""

import math

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import BACKBONES, WeightStore, load_backbone, load_network
from components.models.detector import Batches
from components.models.mmr import TOKEN_PX, Mmr
from components.models.networks.features import Normalise
from components.models.networks.masked_transformer import MaskedTransformer, draw_seen
from components.models.networks.smoothing import gaussian_blur

_CROP_ASPECT = (3 / 4, 4 / 3)


class MmrNetwork(nn.Module):
    """Three maps of a frozen CNN against those that the transformer gives in their place."""

    def __init__(
        self, params: Mmr, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        self.params = params
        self.num_epochs = params.num_epochs
        self.seed = seed
        layers = params.teacher_layers
        widths = [BACKBONES[params.teacher].channels[layer] for layer in layers]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            teacher = load_backbone(store, params.teacher, params.weights, layers)
            self.teacher = teacher.to(memory_format=torch.channels_last)
            self.student = MaskedTransformer(
                _transformer(params, store), image_size_px // TOKEN_PX, widths
            )
        self.normalise = Normalise(params)
        self.blur = gaussian_blur(params.smoothing_sigma, image_size_px)
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train the transformer on crops of which it sees a part; the last epoch is kept."""
        params = self.params
        optimizer = torch.optim.AdamW(
            self.student.parameters(),
            lr=params.learning_rate,
            betas=(params.beta1, params.beta2),
            weight_decay=params.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, params.rate_at)
        rng = torch.Generator().manual_seed(self.seed)
        self.student.train()
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                crops = random_crops(images, params.crop_scale, rng)
                seen_BK = draw_seen(len(crops), self.student.side**2, params.mask_ratio, rng)
                loss = self.loss(crops, seen_BK.to(crops.device))
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                optimizer.step()
            schedule.step()
        self.student.eval()

    def loss(self, images_B3HW: Tensor, seen_BK: Tensor | None) -> Tensor:
        """Return the mean distance of all places, summed over the layers."""
        distances = self.distances(images_B3HW, seen_BK)
        return torch.stack([distance.mean() for distance in distances]).sum()

    def distances(self, images_B3HW: Tensor, seen_BK: Tensor | None = None) -> list[Tensor]:
        """Return 1 − cosine of the CNN's and the given features at each place, B1HW a layer."""
        normalised = self.normalise(images_B3HW)
        with torch.no_grad():
            taught = list(self.teacher(normalised).values())
        given = self.student(normalised, seen_BK)
        return [
            1 - F.cosine_similarity(one, other, dim=1).unsqueeze(1)
            for one, other in zip(taught, given, strict=True)
        ]

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and the smoothed sum of the maps (B, 1, H, W); nothing masked."""
        enlarged = [
            F.interpolate(
                distance, size=images_B3HW.shape[-2:], mode="bilinear", align_corners=True
            )
            for distance in self.distances(images_B3HW)
        ]
        anomaly_map: Tensor = self.blur(torch.stack(enlarged).sum(dim=0))
        return anomaly_map.amax(dim=(1, 2, 3)), anomaly_map


def random_crops(images_BCHW: Tensor, scale: tuple[float, float], rng: torch.Generator) -> Tensor:
    """Cut a random box out of each image and enlarge it to the image's size.

    Its area is drawn evenly from ``scale`` (shares of the image), its aspect from 3/4 to 4/3.
    """
    area_B, aspect_B, down_B, right_B = torch.rand(4, len(images_BCHW), generator=rng)
    area_B = scale[0] + (scale[1] - scale[0]) * area_B
    low, high = (math.log(end) for end in _CROP_ASPECT)
    aspect_B = torch.exp(low + (high - low) * aspect_B)
    height_B, width_B = (
        (area_B / aspect_B).sqrt().clamp_max(1),
        (area_B * aspect_B).sqrt().clamp_max(1),
    )
    nothing_B = torch.zeros_like(area_B)
    boxes_B23 = torch.stack(
        [
            torch.stack([width_B, nothing_B, (1 - width_B) * (2 * right_B - 1)], dim=1),
            torch.stack([nothing_B, height_B, (1 - height_B) * (2 * down_B - 1)], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(boxes_B23.to(images_BCHW), list(images_BCHW.shape), align_corners=False)
    return F.grid_sample(images_BCHW, grid, padding_mode="reflection", align_corners=False)


def _transformer(params: Mmr, store: WeightStore | None) -> nn.Module:
    """Return timm's transformer: a masked autoencoder's, or one that starts from scratch."""
    if params.transformer is not None:
        return load_network(store, params.transformer, params.weights)
    transformer: nn.Module = timm.create_model(
        "vit_base_patch16_224",
        pretrained=False,
        num_classes=0,
        depth=params.vit_depth,
        embed_dim=params.vit_width,
        num_heads=params.vit_heads,
    )
    return transformer
