"""DFM: one layer's features, pooled, against their principal components.

anomalib's own model keeps one component fewer than the asked share needs, and its likelihood does
not run. Shapes: B images, C channels of the layer, D = C × cells, H×W pixels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.errors import ParamsError
from components.models.backbones import BACKBONES, WeightStore
from components.models.detector import Batches
from components.models.dfm import Dfm
from components.models.networks.features import Normalise, extractor, stack_rows
from components.models.networks.subspace import Subspace


class DfmNetwork(nn.Module):
    """The squared error of features that are rebuilt from the subspace of normal ones."""

    num_epochs = 1

    def __init__(
        self, params: Dfm, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        side = image_size_px // BACKBONES[params.backbone].strides[params.layers[0]]
        if side < params.pooling_px:
            raise ParamsError(
                "E317",
                f"DFM averages cells of {params.pooling_px}², but {params.layers[0]} has a map of "
                f"{side}² at {image_size_px} px.",
                "Lower pooling_px, or raise image_size_px.",
            )
        self.params = params
        self.encoder = extractor(params, store, seed)
        self.normalise = Normalise(params)
        self.subspace = Subspace("DFM")
        self.eval()

    def features(self, images_B3HW: Tensor) -> Tensor:
        """Return the layer, averaged over cells: B × C × h × w."""
        found = self.encoder(self.normalise(images_B3HW))[self.params.layers[0]]
        return F.avg_pool2d(found, self.params.pooling_px)

    @torch.no_grad()
    def fit(self, batches: Batches) -> None:
        """Keep the principal components of the images' features.

        Raises:
            DataError: E315, fewer than two images; E316, all of them give the same features.
        """
        features_ND = stack_rows([self.features(images).flatten(1) for images in batches(0)])
        self.subspace.fit(features_ND, share=self.params.pca_level)

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W), the error summed over channels."""
        features = self.features(images_B3HW)
        flat_BD = features.flatten(1)
        within_BK = self.subspace(flat_BD)
        rest_BD = flat_BD - self.subspace.mean - within_BK @ self.subspace.axes.T
        error_BCHW = rest_BD.square().reshape(features.shape)
        anomaly_map = F.interpolate(
            error_BCHW.sum(dim=1, keepdim=True),
            size=images_B3HW.shape[-2:],
            mode="bilinear",
            align_corners=False,
        )
        if self.params.score == "reconstruction":
            return error_BCHW.sum(dim=(1, 2, 3)), anomaly_map
        # Half of what anomalib means by its likelihood: constants of the fit are left out.
        return (within_BK / self.subspace.deviations).square().sum(dim=1) / 2, anomaly_map
