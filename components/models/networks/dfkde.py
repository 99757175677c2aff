"""DFKDE: pooled features, their principal components, and a Gaussian kernel on each image.

anomalib's classifier adds up the kernels themselves, which are all 0 in single precision a little
way off; here their logarithms are added. Shapes: B images, N images fitted, D features, K kept.
"""

import math

import torch
from anomalib.models.components.base import DynamicBufferMixin
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.errors import DataError
from components.models.backbones import WeightStore
from components.models.detector import Batches
from components.models.dfkde import Dfkde
from components.models.networks.features import Normalise, extractor, stack_rows
from components.models.networks.subspace import Subspace


class DfkdeNetwork(nn.Module):
    """Minus the logarithm of the density of normal images at an image."""

    longest: Tensor
    num_epochs = 1

    def __init__(self, params: Dfkde, store: WeightStore | None, seed: int) -> None:
        super().__init__()
        self.params = params
        self.seed = seed
        self.encoder = extractor(params, store, seed)
        self.normalise = Normalise(params)
        self.subspace = Subspace("DFKDE")
        self.density = KernelDensity()
        self.register_buffer("longest", torch.ones(()))
        self.eval()

    def features(self, images_B3HW: Tensor) -> Tensor:
        """Return the layers' means over the image: B × D."""
        maps = self.encoder(self.normalise(images_B3HW)).values()
        return torch.cat([found.mean(dim=(2, 3)) for found in maps], dim=1)

    @torch.no_grad()
    def fit(self, batches: Batches) -> None:
        """Put a kernel on each image, or on ``max_training_points`` of them, drawn by the seed.

        Raises:
            DataError: E315, fewer images than components need; E316, all of them look the same,
                or differ in fewer directions than there are components.
        """
        features_ND = stack_rows([self.features(images) for images in batches(0)])
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randperm(len(features_ND), generator=generator)
        if len(drawn) > self.params.max_training_points:
            features_ND = features_ND[drawn[: self.params.max_training_points]]
        self.subspace.fit(features_ND, num=self.params.n_pca_components)
        within_NK = self.subspace(features_ND)
        self.longest.copy_(torch.linalg.vector_norm(within_NK, dim=1).amax())
        self.density.fit(self._scaled(within_NK))

    def _scaled(self, within_BK: Tensor) -> Tensor:
        if self.params.feature_scaling == "scale":
            return within_BK / self.longest
        return F.normalize(within_BK, dim=1)

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W), which is 0 everywhere."""
        score = -self.density(self._scaled(self.subspace(self.features(images_B3HW))))
        return score, torch.zeros_like(images_B3HW[:, :1])


class KernelDensity(DynamicBufferMixin):
    """A Gaussian kernel on each point, its width by Scott's rule along the points' covariance.

    Scott, Multivariate Density Estimation, 1992: the covariance times N^(−2 / (K + 4)).
    """

    whiten: Tensor
    points: Tensor
    log_constant: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("whiten", torch.empty(0))
        self.register_buffer("points", torch.empty(0))
        self.register_buffer("log_constant", torch.zeros(()))

    def fit(self, points_NK: Tensor) -> None:
        """Keep the points and the kernel's shape.

        Raises:
            DataError: E316, the points do not vary in every direction.
        """
        num, dim = points_NK.shape
        points = points_NK.double()
        covariance = torch.cov(points.T).reshape(dim, dim) * num ** (-2 / (dim + 4))
        root, failed = torch.linalg.cholesky_ex(torch.linalg.pinv(covariance, hermitian=True))
        if int(failed) or torch.linalg.matrix_rank(covariance, hermitian=True) < dim:
            raise DataError(
                "E316",
                f"The normal images differ in fewer than {dim} directions.",
                "Lower n_pca_components, or add images.",
            )
        self.whiten = root.float()
        self.points = (points @ root).float()
        log_volume = root.diagonal().log().sum() - dim / 2 * math.log(2 * math.pi)
        self.log_constant.copy_(log_volume - math.log(num))

    def forward(self, points_BK: Tensor) -> Tensor:
        """Return the logarithm of the density (B,)."""
        whitened_BK = points_BK @ self.whiten
        squared_BN = torch.addmm(
            self.points.square().sum(dim=1), whitened_BK, self.points.T, alpha=-2
        ) + whitened_BK.square().sum(dim=1, keepdim=True)
        return torch.logsumexp(-squared_BN.clamp_min(0) / 2, dim=1) + self.log_constant
