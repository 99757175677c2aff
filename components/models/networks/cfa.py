"""CFA: a trained 1×1 convolution on a frozen backbone, and a memory of centres.

anomalib's loss; its descriptor without the second convolution that it never runs, and its
distances without the matrix of all of them. Shapes: B images, C channels, N = B × places patches,
M centres, K nearest of them.
"""

from typing import Any

import torch
from anomalib.models.components.cluster.kmeans import KMeans
from anomalib.models.image.cfa.loss import CfaLoss
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import BACKBONES, WeightStore
from components.models.cfa import Cfa
from components.models.detector import Batches
from components.models.networks.features import Normalise, extractor, rows
from components.models.networks.smoothing import gaussian_blur

_BLOCK = 1024  # centres compared at once
_MOST_ROUNDS = 3000  # of k-means


class CfaNetwork(nn.Module):
    """Distance of each adapted patch to its nearest centre, less where several are as near."""

    centres: Tensor

    def __init__(
        self, params: Cfa, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        self.params = params
        self.num_epochs = params.num_epochs
        backbone = BACKBONES[params.backbone]
        self.side = image_size_px // backbone.strides[params.layers[0]]
        num_channels = sum(backbone.channels[layer] for layer in params.layers)
        self.encoder = extractor(params, store, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            dim = max(1, num_channels // params.gamma_d)
            self.descriptor = Descriptor(num_channels, dim, self.side)
        self.register_buffer("centres", torch.zeros(params.num_centres(image_size_px), dim))
        self.normalise = Normalise(params)
        self.blur = gaussian_blur(params.smoothing_sigma, image_size_px)
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Set the centres by the untrained descriptor, then draw normal patches to them (eq. 3)."""
        self.centres.copy_(self._centres(batches))
        optimizer = torch.optim.AdamW(
            self.descriptor.parameters(),
            lr=self.params.learning_rate,
            weight_decay=self.params.weight_decay,
            amsgrad=True,
        )
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                optimizer.zero_grad(set_to_none=True)
                maps = self._maps(images)
                # One image at a time: the loss is a mean over patches, and memory stays small.
                for number in range(len(images)):
                    loss = self.loss([found[number : number + 1] for found in maps])
                    torch.autograd.backward(loss / len(images))
                optimizer.step()

    def loss(self, maps: list[Tensor]) -> Tensor:
        """Return what pulls patches to their nearest centres, and pushes them off the next ones."""
        params = self.params
        loss_of = CfaLoss(params.num_nearest_neighbors, params.num_hard_negatives, params.radius)
        patches_NC = rows(self.descriptor(maps))
        num = params.num_nearest_neighbors + params.num_hard_negatives
        with torch.no_grad():
            _, chosen_NK = self.nearest(patches_NC, num)
        squared_NK = (patches_NC.unsqueeze(1) - self.centres[chosen_NK]).square().sum(dim=2)
        loss: Tensor = loss_of(squared_NK.unsqueeze(0))
        return loss

    @torch.no_grad()
    def _centres(self, batches: Batches) -> Tensor:
        """Return the mean features of each place, or the means of groups of places: M × C."""
        total: Any = 0
        num_images = 0
        for images in batches(0):
            total = total + self.descriptor(self._maps(images)).sum(dim=0, keepdim=True)
            num_images += len(images)
        means = rows(total / num_images)
        if len(self.centres) < len(means):
            _, means = KMeans(len(self.centres), _MOST_ROUNDS).fit(means)
        centres: Tensor = means
        return centres

    @torch.no_grad()
    def _maps(self, images_B3HW: Tensor) -> list[Tensor]:
        return list(self.encoder(self.normalise(images_B3HW)).values())

    def nearest(self, patches_NC: Tensor, num: int) -> tuple[Tensor, Tensor]:
        """Return squared distances to the nearest centres, rising, and which they are: N × num."""
        found, starts = [], range(0, len(self.centres), _BLOCK)
        for start, centres_MC in zip(starts, torch.split(self.centres, _BLOCK), strict=True):
            squared_NM = torch.addmm(
                centres_MC.square().sum(dim=1), patches_NC, centres_MC.T, alpha=-2
            )
            best = squared_NM.topk(min(num, len(centres_MC)), dim=1, largest=False)
            found.append((best.values, best.indices + start))
        values = torch.cat([value for value, _ in found], dim=1)
        places = torch.cat([place for _, place in found], dim=1)
        best = values.topk(num, dim=1, largest=False)
        squared_NK = best.values + patches_NC.square().sum(dim=1, keepdim=True)
        return squared_NK.clamp_min(0), places.gather(1, best.indices)

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and the smoothed anomaly_map (B, 1, H, W) (eq. 7)."""
        patches_NC = rows(self.descriptor(self._maps(images_B3HW)))
        squared_NK, _ = self.nearest(patches_NC, self.params.num_nearest_neighbors)
        distances_NK = squared_NK.sqrt()
        certain_N = F.softmin(distances_NK, dim=1)[:, 0] * distances_NK[:, 0]
        scores_B1HW = certain_N.reshape(-1, 1, self.side, self.side)
        size = images_B3HW.shape[-2:]
        anomaly_map = self.blur(
            F.interpolate(scores_B1HW, size=size, mode="bilinear", align_corners=False)
        )
        return anomaly_map.amax(dim=(1, 2, 3)), anomaly_map


class Descriptor(nn.Module):
    """Layers averaged over 3×3, brought to the finest, joined with each place's row and column."""

    places: Tensor

    def __init__(self, num_channels: int, dim: int, side: int) -> None:
        super().__init__()
        self.adapt = nn.Conv2d(num_channels + 2, dim, kernel_size=1)
        line = torch.linspace(-1, 1, side)
        places = torch.stack(torch.meshgrid(line, line, indexing="ij")).unsqueeze(0)
        self.register_buffer("places", places, persistent=False)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return B × dim × side × side of maps BCHW, the finest first."""
        size = maps[0].shape[-2:]
        pooled = [
            F.interpolate(F.avg_pool2d(found, 3, 1, 1), size=size, mode="bilinear")
            for found in maps
        ]
        places = self.places.expand(maps[0].shape[0], -1, -1, -1)
        adapted: Tensor = self.adapt(torch.cat([*pooled, places], dim=1))
        return adapted
