"""CutPaste: a 3-way classifier, a Gaussian on its features, and that Gaussian's Grad-CAM.

Li et al., "CutPaste", CVPR 2021. Shapes: B images, D channels of the deepest layer, H×W pixels.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.errors import DataError, PipelineError
from components.models.backbones import BACKBONES, WeightStore, load_backbone
from components.models.cutpaste import CutPaste
from components.models.detector import Batches
from components.models.networks.density import shrunk_covariance, whitening
from components.models.networks.features import Normalise
from components.models.networks.pasting import paste_patches, paste_scars

_WAYS = 3  # normal, patch, scar
_SAME = 1e-10  # of the mean's square: what rounding alone makes of equal features


class CutPasteNetwork(nn.Module):
    """How far pooled features lie from those of normal images (section 2.3)."""

    mean: Tensor
    whiten: Tensor

    def __init__(
        self, params: CutPaste, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        assert image_size_px % 32 == 0, "layers of stride 32 need whole cells"
        self.params = params
        self.num_epochs = params.num_epochs
        self.seed = seed
        dim = BACKBONES[params.backbone].channels[params.layers[0]]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = _encoder(params, store)
            self.head = _head(dim, params.head_widths)
        self.normalise = Normalise(params)
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("whiten", torch.zeros(dim, dim))
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train the classifier (eq. 1, 3-way), then fit the Gaussian on the images as they are.

        Raises:
            DataError: E321, fewer than two images; E322, all of them give the same features.
            PipelineError: E323, the training ran away.
        """
        self._train(batches)
        with torch.no_grad():
            pooled = [self.features(images).mean(dim=(2, 3)) for images in batches(self.num_epochs)]
        self._fit_density(torch.cat(pooled).double())

    def _train(self, batches: Batches) -> None:
        optimizer = torch.optim.SGD(
            [*self.encoder.parameters(), *self.head.parameters()],
            lr=self.params.learning_rate,
            momentum=self.params.momentum,
            weight_decay=self.params.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.num_epochs)
        rng = torch.Generator().manual_seed(self.seed)
        update = 0
        self.head.train()
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                self.encoder.train(update >= self.params.frozen_updates)
                loss = self.loss(images, rng)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                optimizer.step()
                update += 1
            schedule.step()
        self.eval()

    def loss(self, images_B3HW: Tensor, rng: torch.Generator) -> Tensor:
        """Return the cross-entropy of telling images, patched and scarred copies apart."""
        three_ways = torch.cat(
            [images_B3HW, self.patched(images_B3HW, rng), self.scarred(images_B3HW, rng)]
        )
        with torch.set_grad_enabled(self.encoder.training):
            pooled = self.features(three_ways).mean(dim=(2, 3))
        labels = torch.arange(_WAYS, device=pooled.device).repeat_interleave(len(images_B3HW))
        return F.cross_entropy(self.head(pooled), labels)

    def patched(self, images_B3HW: Tensor, rng: torch.Generator) -> Tensor:
        """Return the images with a patch each."""
        params = self.params
        return paste_patches(
            images_B3HW, rng, params.patch_area, params.patch_aspect, params.colour_jitter
        )[0]

    def scarred(self, images_B3HW: Tensor, rng: torch.Generator) -> Tensor:
        """Return the images with a scar each."""
        params = self.params
        return paste_scars(
            images_B3HW,
            rng,
            params.scar_width_px,
            params.scar_length_px,
            params.scar_degrees,
            params.colour_jitter,
        )[0]

    def features(self, images_B3HW: Tensor) -> Tensor:
        """Return the deepest layer: B × D × H/32 × W/32."""
        found: Tensor = self.encoder(self.normalise(images_B3HW))[self.params.layers[0]]
        return found

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W).

        The score is −log of the density, but for a constant. The map is its Grad-CAM (Selvaraju et
        al. 2017): for pooled features f the gradient at each of the layer's cells is Σ⁻¹(f − μ)
        over their number, so that no backward pass is needed.
        """
        features = self.features(images_B3HW)
        whitened_BD = F.linear(features.mean(dim=(2, 3)) - self.mean, self.whiten)
        score = whitened_BD.square().sum(dim=1) / 2
        num_cells = features.shape[-2] * features.shape[-1]
        weights_BD11 = (whitened_BD @ self.whiten)[:, :, None, None] / num_cells
        cam = F.relu((weights_BD11 * features).sum(dim=1, keepdim=True))
        size = images_B3HW.shape[-2:]
        return score, F.interpolate(cam, size=size, mode="bilinear", align_corners=False)

    def _fit_density(self, pooled_ND: Tensor) -> None:
        if len(pooled_ND) < 2:
            raise DataError("E321", "CutPaste needs two normal images or more.", "Add some.")
        if not pooled_ND.isfinite().all():
            raise PipelineError(
                "E323",
                "CutPaste's training ran away: its features are no numbers any more.",
                f"Lower learning_rate (now {self.params.learning_rate:g}).",
            )
        covariance = shrunk_covariance(pooled_ND)
        mean = pooled_ND.mean(dim=0)
        if float(covariance.trace()) <= _SAME * float(mean.square().sum()):
            raise DataError(
                "E322",
                "All normal images look the same to CutPaste's network: their features are equal.",
                "Check that the images differ, or choose another backbone.",
            )
        self.mean.copy_(mean)
        self.whiten.copy_(whitening(covariance))


def _encoder(params: CutPaste, store: WeightStore | None) -> nn.Module:
    encoder: Any = load_backbone(
        store, params.backbone, params.weights, params.layers, trainable=True
    )
    encoder.requires_grad = True  # anomalib's switch: keep gradients in forward
    encoder.requires_grad_(True)
    network: nn.Module = encoder.to(memory_format=torch.channels_last)
    return network


def _head(dim: int, widths: tuple[int, ...]) -> nn.Module:
    layers: list[nn.Module] = []
    for num_in, num_out in zip((dim, *widths), widths):
        layers += [nn.Linear(num_in, num_out), nn.BatchNorm1d(num_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], _WAYS))
