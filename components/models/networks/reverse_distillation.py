"""Reverse distillation through anomalib's embedding, decoder and loss; the training loop is ours.

Shapes: B images, C channels, H×W pixels; three feature maps from fine to coarse.
"""

import torch
from anomalib.models.components import GaussianBlur2d
from anomalib.models.components.backbone import get_decoder
from anomalib.models.image.reverse_distillation.components import get_bottleneck_layer
from anomalib.models.image.reverse_distillation.loss import ReverseDistillationLoss
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import BACKBONES, WeightStore
from components.models.detector import Batches
from components.models.networks.features import Normalise, SeparableBlur, extractor
from components.models.reverse_distillation import ReverseDistillation

_RESIDUAL = ("resnet18", "resnet50", "wide_resnet50_2")
_SIGMA = 4
_KERNEL = 2 * 4 * _SIGMA + 1


class ReverseDistillationNetwork(nn.Module):
    """Where a decoder fails to rebuild what the encoder saw (section 3 of the paper)."""

    def __init__(self, params: ReverseDistillation, store: WeightStore | None, seed: int) -> None:
        super().__init__()
        self.params = params
        self.num_epochs = params.num_epochs
        self.encoder = extractor(params, store, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.student = _Student(params)
        self.normalise = Normalise(params)
        blur = GaussianBlur2d(kernel_size=(_KERNEL, _KERNEL), sigma=(_SIGMA, _SIGMA))
        self.blur = SeparableBlur(blur.kernel)
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train embedding and decoder to give the encoder's features.

        The loss is eq. 2 of the paper as its reference code has it: one cosine a map.
        """
        loss_of = ReverseDistillationLoss()
        optimizer = torch.optim.Adam(
            self.student.parameters(),
            lr=self.params.learning_rate,
            betas=(self.params.beta1, self.params.beta2),
        )
        self.student.train()
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                encoded = self.features(images)
                loss = loss_of([e.contiguous() for e in encoded], self.student(encoded))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
        self.student.eval()

    @torch.no_grad()
    def features(self, images_B3HW: Tensor) -> list[Tensor]:
        """Return the frozen encoder's three maps BCHW."""
        return list(self.encoder(self.normalise(images_B3HW)).values())

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and the smoothed anomaly_map (B, 1, H, W) (section 3.4)."""
        encoded = self.features(images_B3HW)
        maps = [
            F.interpolate(
                1 - F.cosine_similarity(seen, rebuilt).unsqueeze(1),
                size=images_B3HW.shape[-2:],
                mode="bilinear",
                align_corners=True,
            )
            for seen, rebuilt in zip(encoded, self.student(encoded), strict=True)
        ]
        joined = torch.stack(maps)
        anomaly_map = self.blur(
            joined.sum(dim=0) if self.params.map_mode == "add" else joined.prod(dim=0)
        )
        return anomaly_map.amax(dim=(1, 2, 3)), anomaly_map


class _Student(nn.Module):
    """The one-class embedding and the decoder, with 1×1 convolutions where widths differ."""

    def __init__(self, params: ReverseDistillation) -> None:
        super().__init__()
        design = params.backbone if params.backbone in _RESIDUAL else "resnet18"
        widths = [BACKBONES[design].channels[f"layer{place}"] for place in (1, 2, 3)]
        given = [BACKBONES[params.backbone].channels[layer] for layer in params.layers]
        self.narrow = nn.ModuleList(_adapter(a, b) for a, b in zip(given, widths, strict=True))
        self.bottleneck = get_bottleneck_layer(design)
        self.decoder = get_decoder(design)
        self.widen = nn.ModuleList(_adapter(b, a) for a, b in zip(given, widths, strict=True))

    def forward(self, encoded: list[Tensor]) -> list[Tensor]:
        embedded = self.bottleneck(
            [adapt(feature) for adapt, feature in zip(self.narrow, encoded, strict=True)]
        )
        rebuilt = self.decoder(embedded)
        return [
            adapt(feature).contiguous() for adapt, feature in zip(self.widen, rebuilt, strict=True)
        ]


def _adapter(num_in: int, num_out: int) -> nn.Module:
    return nn.Identity() if num_in == num_out else nn.Conv2d(num_in, num_out, kernel_size=1)
