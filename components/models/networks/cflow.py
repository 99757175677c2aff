"""CFLOW-AD through anomalib's flows and place codes; the training loop and the map are ours.

anomalib scales a map by the highest likelihood of the batch that it comes in, so that a score
depends on its neighbours. Here the highest likelihood of the training images takes that place.

Shapes: B images, N patches of a layer, C channels, P length of a place's code.
"""

from collections.abc import Iterator
from typing import Any

import torch
from anomalib.models.image.cflow.utils import cflow_head, get_logp, positional_encoding_2d
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import BACKBONES, WeightStore
from components.models.cflow import Cflow
from components.models.detector import Batches
from components.models.networks.features import Normalise, extractor, rows


class CflowNetwork(nn.Module):
    """How unlikely each patch is for its place, summed over layers (section 4 of the paper)."""

    likeliest: Tensor

    def __init__(
        self, params: Cflow, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        self.params = params
        self.num_epochs = params.num_epochs
        self.encoder = extractor(params, store, seed)
        backbone = BACKBONES[params.backbone]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # decides the flows' permutations, which are saved
            self.flows = nn.ModuleList(_flow(params, backbone.channels[n]) for n in params.layers)
        self.sides = [image_size_px // backbone.strides[name] for name in params.layers]
        for number, side in enumerate(self.sides):
            code = positional_encoding_2d(params.condition_vector, side, side).unsqueeze(0)
            self.register_buffer(f"places_{number}", rows(code), persistent=False)
        self.register_buffer("likeliest", torch.zeros(len(params.layers)))
        self.normalise = Normalise(params)
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train the flows on patches in random order, then keep their highest likelihoods.

        The loss is that of the reference code, −log σ(log p / C), for a few patches at a time.
        """
        optimizer = torch.optim.Adam(self.flows.parameters(), lr=self.params.learning_rate)
        self.flows.train()
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                for number, patches_NC, places_NP in self._fibers(images):
                    loss: Any = -F.logsigmoid(
                        self._likelihood(number, patches_NC, places_NP)
                    ).mean()
                    optimizer.zero_grad(set_to_none=True)
                    loss.backward()
                    optimizer.step()
        self.flows.eval()
        highest = [
            torch.stack([layer.amax() for layer in self.likelihoods(images)])
            for images in batches(self.num_epochs)
        ]
        self.likeliest.copy_(torch.stack(highest).amax(dim=0))

    @torch.no_grad()
    def likelihoods(self, images_B3HW: Tensor) -> list[Tensor]:
        """Return each layer's log-likelihoods per channel: B × 1 × side × side."""
        found = []
        for number, feature in enumerate(self._features(images_B3HW)):
            likelihood_N = self._likelihood(number, *self._patches(number, feature))
            found.append(likelihood_N.reshape(-1, 1, self.sides[number], self.sides[number]))
        return found

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W): 0 where all is as likely as can be.

        A patch likelier than any in training counts as the likeliest of those.
        """
        probabilities = [
            F.interpolate(
                torch.exp((likelihood - highest).clamp_max(0)),
                size=images_B3HW.shape[-2:],
                mode="bilinear",
                align_corners=True,
            )
            for likelihood, highest in zip(self.likelihoods(images_B3HW), self.likeliest)
        ]
        anomaly_map = torch.stack([1 - probability for probability in probabilities]).sum(dim=0)
        return anomaly_map.amax(dim=(1, 2, 3)), anomaly_map

    @torch.no_grad()
    def _features(self, images_B3HW: Tensor) -> list[Tensor]:
        return list(self.encoder(self.normalise(images_B3HW)).values())

    def _patches(self, number: int, feature_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return a layer's patches N × C and the codes of their places N × P."""
        places: Tensor = getattr(self, f"places_{number}")
        return rows(feature_BCHW), places.repeat(feature_BCHW.shape[0], 1)

    def _fibers(self, images_B3HW: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Yield layer, patches N × C and codes N × P in random order; the last take the rest."""
        size = self.params.fiber_batch_size
        for number, feature in enumerate(self._features(images_B3HW)):
            patches, places = self._patches(number, feature)
            order = torch.randperm(len(patches), device=patches.device)
            ends = list(range(size, len(order) - size + 1, size))
            for drawn in order.tensor_split(ends):
                yield number, patches[drawn], places[drawn]

    def _likelihood(self, number: int, patches_NC: Tensor, places_NP: Tensor) -> Tensor:
        latent_NC, log_volume_N = self.flows[number](patches_NC, [places_NP])
        num_channels = patches_NC.shape[1]
        likelihood: Tensor = get_logp(num_channels, latent_NC, log_volume_N) / num_channels
        return likelihood


def _flow(params: Cflow, num_channels: int) -> nn.Module:
    flow: nn.Module = cflow_head(
        condition_vector=params.condition_vector,
        coupling_blocks=params.coupling_blocks,
        clamp_alpha=params.clamp_alpha,
        n_features=num_channels,
    )
    return flow
