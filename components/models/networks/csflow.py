"""CS-Flow through anomalib's coupling blocks, loss and map; graph and training loop are ours.

anomalib's graph knows EfficientNet-B5's 304 channels alone, and its log volume is that of the
whole batch, so that the loss would weigh it by the batch's size; here it is divided by that.

Shapes: B images, C channels, H×W pixels; three maps, each half as wide as the one before.
"""

import torch
from anomalib.models.image.csflow.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.csflow.loss import CsFlowLoss
from anomalib.models.image.csflow.torch_model import ParallelGlowCouplingLayer, ParallelPermute
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import BACKBONES, WeightStore
from components.models.csflow import Csflow
from components.models.detector import Batches
from components.models.networks.features import Normalise, extractor

_SIZES = (1, 2, 4)  # the image's side is divided by these
_MAX_GRADIENT_NORM = 1.0


class CsflowNetwork(nn.Module):
    """How far the latents of the image at three sizes are from the origin (section 3)."""

    def __init__(
        self, params: Csflow, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        self.params = params
        self.num_epochs = params.num_epochs
        self.encoder = extractor(params, store, seed)
        (layer,) = params.layers
        backbone = BACKBONES[params.backbone]
        side = image_size_px // backbone.strides[layer]
        shapes = [(backbone.channels[layer], side // size, side // size) for size in _SIZES]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.flow = _Flow(params, shapes)
        self.normalise = Normalise(params)
        self.anomaly_map_generator = AnomalyMapGenerator((3, image_size_px, image_size_px))
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train the flow to the highest likelihood of the features (eq. 6)."""
        optimizer = torch.optim.Adam(
            self.flow.parameters(),
            lr=self.params.learning_rate,
            betas=(0.5, 0.9),
            eps=self.params.epsilon,
            weight_decay=self.params.weight_decay,
        )
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(self.loss(images))
                nn.utils.clip_grad_norm_(self.flow.parameters(), _MAX_GRADIENT_NORM)
                optimizer.step()

    def loss(self, images_B3HW: Tensor) -> Tensor:
        """Return the mean negative log-likelihood per latent (but for a constant)."""
        latents, log_volume = self.flow(self.features(images_B3HW))
        loss: Tensor = CsFlowLoss.forward(latents, log_volume / len(images_B3HW))
        return loss

    @torch.no_grad()
    def features(self, images_B3HW: Tensor) -> list[Tensor]:
        """Return the layer's maps of the image at its size, half and a quarter of it."""
        normalised = self.normalise(images_B3HW)
        side = images_B3HW.shape[-1]
        resized = [
            F.interpolate(normalised, size=(side // size, side // size)) if size > 1 else normalised
            for size in _SIZES
        ]
        return [self.encoder(images)[self.params.layers[0]].contiguous() for images in resized]

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W).

        The score is half the mean square of all latents, the map the product of three.
        """
        latents, _ = self.flow(self.features(images_B3HW))
        together = torch.cat([latent.flatten(1) for latent in latents], dim=1)
        return together.square().mean(dim=1) / 2, self.anomaly_map_generator(latents)


class _Flow(nn.Module):
    """Coupling blocks, each after a fixed permutation of the channels; the last looks wider."""

    def __init__(self, params: Csflow, shapes: list[tuple[int, int, int]]) -> None:
        super().__init__()
        kernels = [3] * (params.coupling_blocks - 1) + [5]
        self.permutations = nn.ModuleList(
            ParallelPermute(shapes, seed=number) for number in range(len(kernels))
        )
        self.couplings = nn.ModuleList(
            ParallelGlowCouplingLayer(
                shapes,
                {"channels_hidden": params.hidden_channels, "kernel_size": kernel},
                params.clamp,
            )
            for kernel in kernels
        )

    def forward(self, features: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Return the latents and the log volume, summed over blocks and over the batch."""
        latents, log_volumes = features, []
        for permute, couple in zip(self.permutations, self.couplings, strict=True):
            latents, log_volume = couple(permute(latents)[0])
            log_volumes.append(log_volume)
        return latents, torch.stack(log_volumes).sum()
