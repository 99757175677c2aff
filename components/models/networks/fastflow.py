"""FastFlow through anomalib's flows, loss and map; the training loop is ours.

Shapes: B images, C channels, H×W pixels; one feature map a layer.
"""

import torch
from anomalib.models.image.fastflow.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.fastflow.loss import FastflowLoss
from anomalib.models.image.fastflow.torch_model import create_fast_flow_block
from torch import Tensor, nn

from components.models.backbones import BACKBONES, WeightStore
from components.models.detector import Batches
from components.models.fastflow import Fastflow
from components.models.networks.features import Normalise, extractor


class FastflowNetwork(nn.Module):
    """How unlikely each place is under the flow of its layer, averaged over layers."""

    def __init__(
        self, params: Fastflow, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        self.params = params
        self.num_epochs = params.num_epochs
        self.encoder = extractor(params, store, seed)
        backbone = BACKBONES[params.backbone]
        shapes = []
        for name in params.layers:
            side = image_size_px // backbone.strides[name]
            shapes.append([backbone.channels[name], side, side])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # decides the flows' permutations, which are saved
            self.learnt = nn.ModuleList(
                nn.Sequential(_norm(backbone.family, shape), _flow(params, shape))
                for shape in shapes
            )
        self.normalise = Normalise(params)
        self.anomaly_map_generator = AnomalyMapGenerator((image_size_px, image_size_px))
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train the flows, and what norms a CNN's maps, to the highest likelihood (eq. 4)."""
        loss_of = FastflowLoss()
        optimizer = torch.optim.Adam(
            [weight for weight in self.learnt.parameters() if weight.requires_grad],
            lr=self.params.learning_rate,
            weight_decay=self.params.weight_decay,
        )
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                loss = loss_of(*self.latents(images))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()

    def latents(self, images_B3HW: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return each layer's latents B × C × side × side and log volumes (B,)."""
        with torch.no_grad():
            features = list(self.encoder(self.normalise(images_B3HW)).values())
        flowed = [
            learnt(feature.contiguous())
            for learnt, feature in zip(self.learnt, features, strict=True)
        ]
        return [latent for latent, _ in flowed], [log_volume for _, log_volume in flowed]

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W), both in -1..0."""
        latents, _ = self.latents(images_B3HW)
        anomaly_map: Tensor = self.anomaly_map_generator(latents)
        return anomaly_map.amax(dim=(1, 2, 3)), anomaly_map


def _norm(family: str, shape: list[int]) -> nn.Module:
    """Return a trained norm for a CNN's map; a transformer's tokens come normed."""
    return nn.Identity() if family == "tokens" else nn.LayerNorm(shape)


def _flow(params: Fastflow, shape: list[int]) -> nn.Module:
    flow: nn.Module = create_fast_flow_block(
        input_dimensions=shape,
        conv3x3_only=params.conv3x3_only,
        hidden_ratio=params.hidden_ratio,
        flow_steps=params.flow_steps,
    )
    return flow
