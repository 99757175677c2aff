"""U-Flow through anomalib's flow; the features, the loss and the training loop are ours.

Shapes: B images, C channels; feature maps and latents from fine to coarse.
"""

from typing import Any, NamedTuple

import torch
from anomalib.models.image.uflow.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.uflow.torch_model import UflowModel
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import BACKBONES, WeightStore, load_backbone
from components.models.detector import Batches
from components.models.networks.features import Normalise, extractor
from components.models.uflow import Uflow

_LAST_RATE = 0.4  # of the learning rate
_PARTS = {"mcait": (("cait_m48", "blocks.40"), ("cait_s24", "blocks.20"))}  # paper, table 6


class UflowNetwork(nn.Module):
    """How unlikely the features of each place are, the mean of all scales (section 3)."""

    def __init__(
        self, params: Uflow, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        self.params = params
        self.num_epochs = params.num_epochs
        if params.backbone in _PARTS:
            self.encoder: nn.Module = _Transformers(params, store, seed)
            shapes = self.encoder.shapes(image_size_px)
        else:
            self.encoder = extractor(params, store, seed)
            shapes = _shapes(params, image_size_px)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # decides the flow's permutations, which are saved
            self.learnt = _Learnt(params, shapes, image_size_px)
        self.normalise = Normalise(params)
        self.anomaly_map_generator = AnomalyMapGenerator((image_size_px, image_size_px))
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train the flow, and what norms a CNN's maps, to the highest likelihood (eq. 4)."""
        optimizer = torch.optim.Adam(
            [weight for weight in self.learnt.parameters() if weight.requires_grad],
            lr=self.params.learning_rate,
            weight_decay=self.params.weight_decay,
        )
        slower = torch.optim.lr_scheduler.LinearLR(
            optimizer, 1.0, _LAST_RATE, total_iters=self.params.decay_steps
        )
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(self.loss(images))
                optimizer.step()
                slower.step()

    def loss(self, images_B3HW: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of the images (but for a constant).

        anomalib adds the latents' part up over the batch, but not the volume's, so that the two
        weigh differently in batches of other sizes. For one image at a time the losses agree.
        """
        latents, log_volume_B = self.learnt(self.features(images_B3HW))
        squares_B = torch.stack([latent.square().sum(dim=(1, 2, 3)) for latent in latents]).sum(0)
        return (squares_B / 2 - log_volume_B).mean()

    @torch.no_grad()
    def features(self, images_B3HW: Tensor) -> list[Tensor]:
        """Return the frozen maps of each scale."""
        maps = self.encoder(self.normalise(images_B3HW)).values()
        return [found.contiguous() for found in maps]

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W), both in 0..1."""
        latents, _ = self.learnt(self.features(images_B3HW))
        anomaly_map: Tensor = self.anomaly_map_generator(latents)
        return anomaly_map.amax(dim=(1, 2, 3)), anomaly_map


class Shape(NamedTuple):
    """One scale's feature map."""

    channels: int
    stride: int
    is_normed: bool  # a transformer's tokens come normed


def _shapes(params: Uflow, _image_size_px: int) -> list[Shape]:
    backbone = BACKBONES[params.backbone]
    return [Shape(backbone.channels[n], backbone.strides[n], False) for n in params.layers]


class _Learnt(UflowModel):
    """anomalib's flow given the maps' shapes: its own constructor would fetch a backbone."""

    def __init__(self, params: Uflow, shapes: list[Shape], image_size_px: int) -> None:
        nn.Module.__init__(self)
        self.input_size = (image_size_px, image_size_px)
        self.affine_clamp = params.affine_clamp
        self.affine_subnet_channels_ratio = params.subnet_channels_ratio
        self.permute_soft = False
        self.feature_extractor = _Described(
            [shape.channels for shape in shapes], [shape.stride for shape in shapes]
        )
        self.norms = nn.ModuleList(_norm(shape, image_size_px) for shape in shapes)
        self.flow = self.build_flow(params.flow_steps)

    def forward(self, features: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Return the latents of each scale and the log volumes (B,)."""
        normed = [norm(feature) for norm, feature in zip(self.norms, features, strict=True)]
        latents, log_volume = self.flow(normed, rev=False)
        return [latents] if len(normed) == 1 else list(latents), log_volume


class _Described(NamedTuple):
    """What anomalib's flow asks its feature extractor for."""

    channels: list[int]
    scale_factors: list[int]


def _norm(shape: Shape, image_size_px: int) -> nn.Module:
    if shape.is_normed:
        return nn.Identity()
    side = image_size_px // shape.stride
    return nn.LayerNorm([shape.channels, side, side])


class _Transformers(nn.Module):
    """Two frozen transformers: one of the image, one of the image at half its size."""

    def __init__(self, params: Uflow, store: WeightStore | None, seed: int) -> None:
        super().__init__()
        self.parts = _PARTS[params.backbone]
        self.networks = nn.ModuleList()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for name, layer in self.parts:
                self.networks.append(load_backbone(store, name, params.weights, (layer,)))

    def shapes(self, image_size_px: int) -> list[Shape]:
        """Return what each gives of an image of this size."""
        return [
            Shape(
                BACKBONES[name].channels[layer],
                BACKBONES[name].strides[layer] * image_size_px // _own_size(name),
                True,
            )
            for name, layer in self.parts
        ]

    def forward(self, images_B3HW: Tensor) -> dict[str, Tensor]:
        """Return each transformer's map by its name."""
        maps: dict[str, Any] = {}
        for (name, layer), network in zip(self.parts, self.networks, strict=True):
            side = _own_size(name)
            seen = images_B3HW
            if images_B3HW.shape[-1] != side:
                seen = F.interpolate(seen, (side, side), mode="bicubic", align_corners=True)
            maps[name] = network(seen)[layer]
        return maps


def _own_size(name: str) -> int:
    size = BACKBONES[name].image_size_px
    assert size is not None, f"{name} looks at any size"
    return size
