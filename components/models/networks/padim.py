"""PaDiM through anomalib's torch model, with its Gaussians fitted in blocks.

Shapes: B images, D features, P places of the grid.
"""

import torch
from anomalib.models.components import MultiVariateGaussian
from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.padim.torch_model import PadimModel
from torch import Tensor, nn

from components.errors import DataError
from components.models.backbones import BACKBONES, WeightStore
from components.models.detector import Batches
from components.models.networks.features import (
    Normalise,
    SeparableBlur,
    embed,
    extractor,
    grid_side,
    stack_rows,
)
from components.models.padim import Padim

# anomalib adds both to the diagonal of every covariance.
_REGULARISATION = 0.01 + 1e-5
_PLACES_PER_BLOCK = 64


class _Model(PadimModel):
    """anomalib's model given its backbone: its own constructor knows timm's names alone."""

    def __init__(self, params: Padim, backbone: nn.Module) -> None:
        nn.Module.__init__(self)
        channels = BACKBONES[params.backbone].channels
        drawn = torch.randperm(sum(channels[layer] for layer in params.layers))
        self.tiler = None
        self.layers = list(params.layers)
        self.feature_extractor = backbone
        self.register_buffer("idx", drawn[: params.n_features])
        self.anomaly_map_generator = AnomalyMapGenerator()
        self.gaussian = MultiVariateGaussian()
        self.memory_bank: list[Tensor] = []


class PadimNetwork(nn.Module):
    """Mahalanobis distance of each place to the normal features there (eq. 2 of the paper)."""

    num_epochs = 1

    def __init__(
        self, params: Padim, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # decides random weights and which features are kept
            self.model = _Model(params, extractor(params, store))
        generator = self.model.anomaly_map_generator
        generator.blur = SeparableBlur(generator.blur.kernel)
        self.normalise = Normalise(params)
        self.side = grid_side(params, image_size_px)
        self.eval()

    def embedding(self, images_B3HW: Tensor) -> Tensor:
        """Return the kept features of each place: B × D × side × side."""
        features = self.model.feature_extractor(self.normalise(images_B3HW))
        whole = embed(tuple(features.values()), self.side, "nearest")
        return torch.index_select(whole, 1, self.model.idx)

    @torch.no_grad()
    def fit(self, batches: Batches) -> None:
        """Fit a Gaussian at every place.

        Raises:
            DataError: E134, fewer than two images (a covariance needs two).
        """
        embedded = stack_rows([self.embedding(images).flatten(2) for images in batches(0)])
        if len(embedded) < 2:
            raise DataError("E134", "PaDiM needs two normal images or more.", "Add some.")
        places_PBD = embedded.permute(2, 0, 1)
        self.model.gaussian.mean = embedded.mean(dim=0)
        self.model.gaussian.inv_covariance = torch.cat(
            [_inverse_covariance(block) for block in torch.split(places_PBD, _PLACES_PER_BLOCK)]
        )

    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and the smoothed anomaly_map (B, 1, H, W)."""
        anomaly_map = self.model.anomaly_map_generator(
            embedding=self.embedding(images_B3HW),
            mean=self.model.gaussian.mean,
            inv_covariance=self.model.gaussian.inv_covariance,
            image_size=images_B3HW.shape[-2:],
        )
        return anomaly_map.amax(dim=(1, 2, 3)), anomaly_map


def _inverse_covariance(places_PBD: Tensor) -> Tensor:
    """Return the inverse of each place's regularised sample covariance: P × D × D.

    In float64: with few images the inverse in float32 moves a score by up to 4e-4 of itself.
    """
    places_PBD = places_PBD.double()
    centred = places_PBD - places_PBD.mean(dim=1, keepdim=True)
    covariance = torch.bmm(centred.transpose(1, 2), centred) / (centred.shape[1] - 1)
    covariance.diagonal(dim1=1, dim2=2).add_(_REGULARISATION)
    return torch.linalg.inv(covariance).float()
