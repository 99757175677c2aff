"""The generative encoder-decoder as torch runs it: noise, training, the map of differences.

Shapes: B images, H×W pixels of the model's square, values in 0..1.

In use every image gets the same noise, drawn once from the seed and saved with the model: a score
then depends on its image alone, whatever else is in the batch, and an exported model can repeat it.
Noise seeded by each image's content, which the paper leaves open, cannot be exported.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.errors import DataError, PipelineError
from components.models.backbones import WeightStore
from components.models.detector import Batches
from components.models.generative import Generative
from components.models.networks.features import Normalise
from components.models.networks.generative_parts import STRIDE, Decoder, Encoder, TokenMixer
from components.models.networks.similarity import msgms, ssim


class GenerativeNetwork(nn.Module):
    """Paints images anew through noise; scores them by where the painting differs.

    ``losses`` holds the training and the validation loss of each epoch, NaN where training had
    stopped before; ``sigma`` is the noise that it was trained with.
    """

    field: Tensor
    sigma: Tensor
    losses: Tensor

    def __init__(
        self, params: Generative, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        assert image_size_px % (4 * STRIDE) == 0, "skips are reduced to whole cells"
        self.params = params
        self.num_epochs = params.num_epochs
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = Encoder(params, store)
            self.mixer = TokenMixer(params, image_size_px)
            self.decoder = Decoder(params)
            self.register_buffer("field", torch.randn(1, 3, image_size_px, image_size_px))
        self.register_buffer("sigma", torch.zeros(()))
        self.register_buffer("losses", torch.full((self.num_epochs, 2), torch.nan))
        self.normalise = Normalise(params)
        self.to(memory_format=torch.channels_last)
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Learn to paint normal images; keep the epoch of the lowest validation loss.

        Raises:
            DataError: E325, no normal image can be held out to validate on.
            PipelineError: E326, the loss is no longer a number.
        """
        self.sigma.fill_(batches.input_noise)
        learned, held = batches.divided(self.params.validation_share)
        if next(held(0), None) is None:
            raise DataError(
                "E325",
                "One normal image alone cannot be learned from and validated on.",
                "Add normal images.",
            )
        best = Best(self.params.patient_from, self.params.patience)
        optimizer = torch.optim.Adam(self.parameters(), lr=self.params.learning_rate)
        for epoch in range(self.num_epochs):
            loss, validation = self._learn(learned, epoch, optimizer), self._validate(held)
            self.losses[epoch] = torch.tensor([loss, validation])
            if best.admits(epoch, _finite(validation, epoch)):
                kept = {name: value.detach().clone() for name, value in self.named_parameters()}
            if best.is_over(epoch):
                break
        self.load_state_dict(kept, strict=False)  # buffers stay: noise, and the curves to the end

    def paint(self, images_B3HW: Tensor, noise_B3HW: Tensor) -> Tensor:
        """Return the images as the decoder paints them from their noisy selves (eq. 4)."""
        encoded = self.encoder(self.normalise(images_B3HW + noise_B3HW))
        painted: Tensor = self.decoder(self.mixer(encoded[-1]), encoded)
        return painted

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,), the map's maximum, and anomaly_map (B, 1, H, W) (eq. 7)."""
        painted = self.paint(images_B3HW, self._noise_in_use())
        squared = (images_B3HW - painted).square().mean(dim=1, keepdim=True)
        difference = 1 - msgms(images_B3HW, painted) + squared
        side_px = self.params.mean_filter_px
        # one mean filter over the sum is the sum of the two that the paper writes
        anomaly_map = F.avg_pool2d(
            difference, side_px, stride=1, padding=side_px // 2, count_include_pad=False
        )
        return anomaly_map.amax(dim=(1, 2, 3)), anomaly_map

    def loss(self, images_B3HW: Tensor, painted_B3HW: Tensor) -> Tensor:
        """Return the mean squared error plus the weighted mean of 1 − SSIM.

        The paper's eq. 6 prints "+ SSIM", which would reward dissimilar paintings.
        """
        loss = F.mse_loss(painted_B3HW, images_B3HW)
        if self.params.ssim_weight > 0:
            loss = loss + self.params.ssim_weight * (1 - ssim(images_B3HW, painted_B3HW).mean())
        return loss

    def _learn(self, learned: Batches, epoch: int, optimizer: torch.optim.Optimizer) -> float:
        """Run one epoch and return its mean loss an image."""
        self.train()
        mean = Mean()
        for images in learned(epoch):
            loss = self.loss(images, self.paint(images, self._drawn_noise(images)))
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            mean.add(loss.item(), len(images))
        self.eval()
        return mean.value

    @torch.no_grad()
    def _validate(self, held: Batches) -> float:
        """Return the mean loss of the images held out, with the noise that is there in use."""
        mean = Mean()
        for images in held(0):
            mean.add(
                self.loss(images, self.paint(images, self._noise_in_use())).item(), len(images)
            )
        return mean.value

    def _drawn_noise(self, images_B3HW: Tensor) -> Tensor:
        if self.params.noise_mode == "fixed":
            return self.sigma * torch.randn_like(images_B3HW)
        level_B111 = self.sigma * torch.rand(len(images_B3HW), 1, 1, 1, device=self.sigma.device)
        return level_B111 * torch.randn_like(images_B3HW)

    def _noise_in_use(self) -> Tensor:
        """Return the saved noise; of levels drawn uniformly below σ, the mean one."""
        return self.sigma * self.field * (1.0 if self.params.noise_mode == "fixed" else 0.5)


@dataclass
class Mean:
    """A mean over images that come in batches of several sizes."""

    total: float = 0.0
    num: int = 0

    @property
    def value(self) -> float:
        """The mean of what was added."""
        return self.total / self.num

    def add(self, mean: float, num: int) -> None:
        """Add a batch by its mean."""
        self.total, self.num = self.total + mean * num, self.num + num


@dataclass
class Best:
    """The lowest validation loss so far, and when waiting for a lower one is over."""

    patient_from: int
    patience: int
    lowest: float = math.inf
    epoch: int = -1

    def admits(self, epoch: int, loss: float) -> bool:
        """Return whether this epoch is the best so far, and remember it if so."""
        if loss >= self.lowest:
            return False
        self.lowest, self.epoch = loss, epoch
        return True

    def is_over(self, epoch: int) -> bool:
        """Return whether ``patience`` epochs, none before ``patient_from``, brought nothing."""
        return epoch - max(self.epoch, self.patient_from - 1) >= self.patience


def _finite(loss: float, epoch: int) -> float:
    if not math.isfinite(loss):
        raise PipelineError(
            "E326",
            f"The validation loss of epoch {epoch} is {loss}: training has diverged.",
            "Lower detector.learning_rate.",
        )
    return loss
