"""SimpleNet: noisy features are all the anomalies that its discriminator ever sees.

Liu et al., "SimpleNet", CVPR 2023, section 3. Shapes: B images, C channels, H×W pixels, N patches
of all images, D numbers a patch.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.errors import DataError
from components.models.backbones import BACKBONES, WeightStore
from components.models.detector import Batches
from components.models.networks.features import Normalise, extractor
from components.models.networks.pasting import paste_patches, paste_scars
from components.models.networks.patch_features import PatchFeatures
from components.models.networks.smoothing import gaussian_blur
from components.models.simplenet import SimpleNet


class SimpleNetNetwork(nn.Module):
    """How little each patch looks like a normal one to the discriminator (eq. 8)."""

    chosen_epoch: Tensor

    def __init__(
        self, params: SimpleNet, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        self.params = params
        self.num_epochs = params.num_epochs
        self.seed = seed
        self.encoder = extractor(params, store, seed)
        channels = BACKBONES[params.backbone].channels
        self.patches = PatchFeatures([channels[n] for n in params.layers], params.feature_dim)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.projection = _linear(params.feature_dim, params.feature_dim)
            self.discriminator = _discriminator(params)
        self.normalise = Normalise(params)
        self.blur = gaussian_blur(params.smoothing_sigma, image_size_px)
        self.register_buffer("chosen_epoch", torch.tensor(-1))  # counted from 0
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train projection and discriminator (section 3.4), then keep one epoch's weights.

        Raises:
            DataError: E320, no image is left to choose the epoch by.
        """
        learnt, held = batches, None
        if self.params.epoch_choice == "synthetic":
            learnt, held = _divided(batches, self.params.validation_share)
        optimizers = self._optimizers()
        best = -1.0
        for epoch in range(self.num_epochs):
            for images in learnt(epoch):
                self._step(images, optimizers)
            quality = self._quality(epoch, held)
            if quality > best:
                best, kept = quality, copy.deepcopy(self._learnt_state())
                self.chosen_epoch.fill_(epoch)
        self.load_state_dict(kept, strict=False)

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        params = self.params
        return [
            torch.optim.AdamW(self.projection.parameters(), lr=params.learning_rate),
            torch.optim.Adam(
                self.discriminator.parameters(),
                lr=params.discriminator_learning_rate,
                weight_decay=params.discriminator_weight_decay,
            ),
        ]

    def _step(self, images_B3HW: Tensor, optimizers: list[torch.optim.Optimizer]) -> None:
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.loss(images_B3HW))
        for optimizer in optimizers:
            optimizer.step()

    def _quality(self, epoch: int, held: Batches | None) -> float:
        """Return what an epoch is chosen by; below 0 where it is not one to choose."""
        is_last = epoch + 1 == self.num_epochs
        if held is None:
            return 0.0 if is_last else -1.0
        is_due = is_last or (epoch + 1) % self.params.choose_every == 0
        return self.separation(held) if is_due else -1.0

    def loss(self, images_B3HW: Tensor) -> Tensor:
        """Return the truncated L1 loss of features and their noisy copies (eq. 6 and 7)."""
        real_ND = self.projection(self.patches(self.maps(images_B3HW)))
        noise_ND = torch.randn_like(real_ND) * self.params.noise_std
        self.discriminator.train()
        judged = self.discriminator(torch.cat([real_ND, real_ND + noise_ND]))
        self.discriminator.eval()
        real, noisy = judged.chunk(2)
        margin = self.params.margin
        return F.relu(margin - real).mean() + F.relu(margin + noisy).mean()

    @torch.no_grad()
    def maps(self, images_B3HW: Tensor) -> list[Tensor]:
        """Return the frozen backbone's maps BCHW, the finest first."""
        return list(self.encoder(self.normalise(images_B3HW)).values())

    @torch.no_grad()
    def cells(self, images_B3HW: Tensor) -> Tensor:
        """Return the patches' scores on their grid: B × 1 × side × side."""
        maps = self.maps(images_B3HW)
        judged_N = -self.discriminator(self.projection(self.patches(maps)))
        return judged_N.reshape(-1, 1, *maps[0].shape[-2:])

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and the smoothed anomaly_map (B, 1, H, W) (section 3.5)."""
        cells = self.cells(images_B3HW)
        size = images_B3HW.shape[-2:]
        enlarged = F.interpolate(cells, size=size, mode="bilinear", align_corners=False)
        return cells.amax(dim=(1, 2, 3)), self.blur(enlarged)

    @torch.no_grad()
    def separation(self, held: Batches) -> float:
        """Return how well images held out are told from their pasted copies, 0..2.

        Image AUROC and patch AUROC together: the first alone is soon 1 for many epochs. The
        pieces are the same at every call.
        """
        rng = torch.Generator().manual_seed(self.seed)
        normal, anomalous, covered = [], [], []
        for images in held(0):
            normal.append(self.cells(images))
            for pasted, mask in (paste_patches(images, rng), paste_scars(images, rng)):
                cells = self.cells(pasted)
                anomalous.append(cells)
                touched = F.adaptive_max_pool2d(mask.float(), cells.shape[-2:]) > 0
                covered.append(cells[touched])
        normal_B1HW, anomalous_B1HW = torch.cat(normal), torch.cat(anomalous)
        by_image = auroc(normal_B1HW.amax(dim=(1, 2, 3)), anomalous_B1HW.amax(dim=(1, 2, 3)))
        return by_image + auroc(normal_B1HW.flatten(), torch.cat(covered))

    def _learnt_state(self) -> dict[str, Tensor]:
        learnt = ("projection.", "discriminator.")
        return {name: value for name, value in self.state_dict().items() if name.startswith(learnt)}


def _divided(batches: Batches, share: float) -> tuple[Batches, Batches]:
    learnt, held = batches.divided(share)
    if next(held(0), None) is None:
        raise DataError(
            "E320",
            "One normal image cannot be learned from and choose the epoch too.",
            "Add normal images, or set epoch_choice: last.",
        )
    return learnt, held


def auroc(normal_N: Tensor, anomalous_M: Tensor) -> float:
    """Return the share of pairs whose anomalous score is the higher one; ties count half."""
    ranked = normal_N.sort().values
    below = torch.searchsorted(ranked, anomalous_M.contiguous())
    up_to = torch.searchsorted(ranked, anomalous_M.contiguous(), right=True)
    return float((below + up_to).double().mean()) / (2 * len(ranked))


def _discriminator(params: SimpleNet) -> nn.Module:
    return nn.Sequential(
        _linear(params.feature_dim, params.hidden_dim),
        nn.BatchNorm1d(params.hidden_dim),
        nn.LeakyReLU(0.2),
        _linear(params.hidden_dim, 1, bias=False),
    )


def _linear(num_in: int, num_out: int, *, bias: bool = True) -> nn.Linear:
    layer = nn.Linear(num_in, num_out, bias=bias)
    nn.init.xavier_normal_(layer.weight)
    return layer
