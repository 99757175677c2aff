"""DRAEM through anomalib's networks and loss; its defects and the training loop are ours.

Shapes: B images in 0..1, H×W pixels.
"""

from typing import Any

import torch
from anomalib.models.image.draem.loss import DraemLoss
from anomalib.models.image.draem.torch_model import (
    DiscriminativeSubNetwork,
    DraemModel,
    ReconstructiveSubNetwork,
)
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.detector import Batches
from components.models.draem import Draem
from components.models.networks.islands import disturbed
from components.models.networks.textures import Textures


class DraemNetwork(nn.Module):
    """The probability that a pixel was repaired because it was foreign (section 3)."""

    def __init__(self, params: Draem, image_size_px: int, seed: int) -> None:
        super().__init__()
        assert image_size_px % 32 == 0, "five halvings need whole cells"
        self.params = params
        self.num_epochs = params.num_epochs
        self.seed = seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = _Model(params)
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train repair and detection together on images with simulated defects (eq. 5).

        Raises:
            DataError: E318, a folder of textures without any.
        """
        textures = Textures(self.params.texture_folder)
        rng = torch.Generator().manual_seed(self.seed)
        optimizer = torch.optim.Adam(self.model.parameters(), lr=self.params.learning_rate)
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(self.params.drop_epochs))
        self.model.train()
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                changed, masks = disturbed(images, textures, self.params.opacity, rng)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(self.loss(images, changed, masks))
                optimizer.step()
            schedule.step()
        self.eval()

    def loss(self, images_B3HW: Tensor, changed_B3HW: Tensor, masks_B1HW: Tensor) -> Tensor:
        """Return the loss of repair (L2, SSIM) and detection (focal), in training mode."""
        predicted: list[Any] = []
        block = self.model.reconstructive_subnetwork.encoder.block5
        handle = block.register_forward_hook(
            lambda _, given, found: predicted.append((given[0], found))
        )
        repaired, logits = self.model(changed_B3HW)
        handle.remove()
        loss: Tensor = DraemLoss()(images_B3HW, repaired, masks_B1HW, logits)
        if self.params.sspcab:
            given, found = predicted[0]
            loss = loss + self.params.sspcab_weight * F.mse_loss(found, given)
        return loss

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W), both in 0..1 (section 3.4)."""
        anomaly_map = self.model(images_B3HW).anomaly_map.unsqueeze(1)
        side = self.params.mean_filter_px
        means = F.avg_pool2d(anomaly_map, side, stride=1, padding=side // 2)
        return means.amax(dim=(1, 2, 3)), anomaly_map


class _Model(DraemModel):
    """anomalib's model of any width."""

    def __init__(self, params: Draem) -> None:
        nn.Module.__init__(self)
        self.reconstructive_subnetwork = ReconstructiveSubNetwork(
            base_width=params.repair_width, sspcab=params.sspcab
        )
        self.discriminative_subnetwork = DiscriminativeSubNetwork(
            in_channels=6, out_channels=2, base_width=params.detection_width
        )
