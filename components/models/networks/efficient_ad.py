"""EfficientAd through anomalib's torch model; the training loop is ours, one image a step.

Below 256 px anomalib's autoencoder has no room for its last convolution: here that one is as wide
as what reaches it, so that its code is one cell at any size up to 256 px.

Shapes: B images, C channels, H×W pixels.
"""

import math
from collections.abc import Iterator
from itertools import islice, repeat
from typing import Any

import numpy as np
import torch
from anomalib.models.image.efficient_ad.torch_model import (
    Decoder,
    EfficientAdModel,
    EfficientAdModelSize,
    reduce_tensor_elems,
)
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.errors import DataError
from components.models.backbones import WeightStore, read_state
from components.models.detector import Batches
from components.models.efficient_ad import EfficientAd
from components.models.networks.other_images import other_images

_CHANNELS = 384  # of the teacher
_HARD_QUANTILE = 0.999  # of the student's errors: only those above it are learnt from
_MAP_QUANTILES = (0.9, 0.995)
_CODE_CELLS = 8  # side of what reaches the last convolution of the encoder at 256 px
_SIZES = {"pdn_small": EfficientAdModelSize.S, "pdn_medium": EfficientAdModelSize.M}


class EfficientAdNetwork(nn.Module):
    """Mean of two maps: student against teacher, and student against autoencoder."""

    def __init__(
        self, params: EfficientAd, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        self.params = params
        self.num_epochs = params.num_epochs
        self.side = image_size_px
        self.seed = seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = _Model(params, image_size_px)
        if store is not None and params.weights == "pretrained":
            self.model.teacher.load_state_dict(read_state(store, params.backbone))
        self.model.teacher.requires_grad_(False)
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train student and autoencoder together (algorithm 1 of the paper's appendix).

        Raises:
            DataError: E312, an empty folder of other images; E313, no image is left to set the
                scale of the maps.
        """
        folder = self.params.penalty_folder
        others = other_images(folder, self.side, self.seed) if folder else repeat(None)
        training, scaling = batches, batches
        if self.params.normalise_on == "holdout":
            training, scaling = batches.divided(self.params.holdout_share)
        num_images = self._standardise_teacher(training)
        num_steps = min(self.params.max_steps, self.num_epochs * num_images)
        self._train(islice(zip(self._one_by_one(training), others), num_steps), num_steps)
        self._scale_maps(scaling)

    def _train(self, pairs: Iterator[tuple[Tensor, Tensor | None]], num_steps: int) -> None:
        """Take one step of the optimizer a pair of images: a normal one, and another or None."""
        learnt = [*self.model.student.parameters(), *self.model.ae.parameters()]
        optimizer = torch.optim.Adam(
            learnt, lr=self.params.learning_rate, weight_decay=self.params.weight_decay
        )
        slower = torch.optim.lr_scheduler.StepLR(optimizer, max(1, int(0.95 * num_steps)))
        self.model.train()
        for image, other in pairs:
            seen = None if other is None else other.to(image.device)
            loss: Any = torch.stack(self.model(image, seen)).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            slower.step()
        self.model.eval()

    def _one_by_one(self, batches: Batches) -> Iterator[Tensor]:
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                yield from torch.split(images, 1)

    @torch.no_grad()
    def _standardise_teacher(self, batches: Batches) -> int:
        """Keep mean and deviation of each teacher channel; return the number of images."""
        sums, squares = torch.zeros(2, _CHANNELS, dtype=torch.float64)
        num_images, num_cells = 0, 0
        for images in batches(0):
            taught = self.model.teacher(images).double().cpu()
            sums += taught.sum(dim=(0, 2, 3))
            squares += taught.square().sum(dim=(0, 2, 3))
            num_images += len(images)
            num_cells += taught[:, 0].numel()
        mean = sums / num_cells
        deviation = (squares / num_cells - mean.square()).clamp_min(1e-12).sqrt()
        self.model.mean_std["mean"].copy_(mean.view(1, -1, 1, 1))
        self.model.mean_std["std"].copy_(deviation.view(1, -1, 1, 1))
        return num_images

    @torch.no_grad()
    def _scale_maps(self, batches: Batches) -> None:
        """Keep the quantiles of both maps on normal images, which become 0 and 0.1."""
        pairs = [
            self.model.get_maps(image) for images in batches(self.num_epochs)
            for image in torch.split(images, 1)
        ]  # fmt: skip
        if not pairs:
            raise DataError("E313", "EfficientAd needs two normal images or more.", "Add some.")
        for maps, name in zip(zip(*pairs, strict=True), ("st", "ae"), strict=True):
            values = np.concatenate([found.cpu().numpy().ravel() for found in maps])
            for letter, value in zip("ab", np.quantile(values, _MAP_QUANTILES), strict=True):
                self.model.quantiles[f"q{letter}_{name}"].fill_(float(value))

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W)."""
        found = self.model(images_B3HW)
        return found.pred_score.flatten(), found.anomaly_map


class _Model(EfficientAdModel):
    """anomalib's model for small images too, and with or without other images to learn from."""

    def __init__(self, params: EfficientAd, image_size_px: int) -> None:
        super().__init__(_CHANNELS, _SIZES[params.backbone])
        cells = min(_CODE_CELLS, image_size_px // 32)
        self.ae.encoder.enconv6 = nn.Conv2d(64, 64, kernel_size=cells)
        self.ae.decoder = _Decoder(_CHANNELS, padding=False)

    def compute_losses(
        self, batch: Tensor, batch_imagenet: Tensor | None, distance_st: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the losses of student, autoencoder, and student against autoencoder."""
        errors = reduce_tensor_elems(distance_st)
        loss_st = errors[errors >= torch.quantile(errors, _HARD_QUANTILE)].mean()
        if batch_imagenet is not None:
            answered = self.student(batch_imagenet)[:, :_CHANNELS]
            loss_st = loss_st + answered.square().mean()
        changed = self.choose_random_aug_image(batch)
        with torch.no_grad():
            taught = self._normalize_teacher(self.teacher(changed))
        rebuilt = self.ae(changed, batch.shape[-2:])
        imitated = self.student(changed)[:, _CHANNELS:]
        return loss_st, F.mse_loss(rebuilt, taught), F.mse_loss(imitated, rebuilt)


class _Decoder(Decoder):
    """anomalib's decoder, whose first map keeps one cell where the image is small."""

    def forward(self, codes: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Return B × C × (side / 4 − 8) × (side / 4 − 8), as large as the teacher's map."""
        side = int(image_size[0])
        sides = [max(1, side // 64 - 1), side // 32, side // 16 - 1]
        sides += [side // 8, side // 4 - 1, side // 2 - 1]
        for number, width in enumerate(sides, start=1):
            codes = F.interpolate(codes, size=(width, width), mode="bilinear")
            codes = F.relu(self.get_submodule(f"deconv{number}")(codes))
            codes = self.get_submodule(f"dropout{number}")(codes)
        width = math.ceil(side / 4) - 8
        codes = F.interpolate(codes, size=(width, width), mode="bilinear")
        decoded: Tensor = self.deconv8(F.relu(self.deconv7(codes)))
        return decoded
