"""PatchCore through anomalib's torch model, with our coreset and a search of bounded memory.

Shapes: B images, N patches, D embedding dimensions, M vectors of the memory bank.
"""

import torch
from anomalib.models.image.patchcore.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import WeightStore
from components.models.detector import Batches
from components.models.memory_bank.coreset import k_center_greedy, sparse_projection
from components.models.networks.features import (
    Normalise,
    SeparableBlur,
    embed,
    extractor,
    grid_side,
    rows,
)
from components.models.networks.row_blocks import RowBlocks
from components.models.patchcore import Patchcore

# Vectors of the bank compared at once: 4 MB of distances an image, whatever the bank's size.
_BANK_BLOCK = 1024


class _Model(PatchcoreModel):
    """anomalib's model given its backbone: its own constructor knows timm's names alone."""

    def __init__(self, params: Patchcore, backbone: nn.Module) -> None:
        nn.Module.__init__(self)
        self.tiler = None
        self.layers = list(params.layers)
        self.num_neighbors = 1
        self.feature_extractor = backbone
        self.feature_pooler = nn.AvgPool2d(3, 1, 1)
        self.anomaly_map_generator = AnomalyMapGenerator(sigma=params.smoothing_sigma)
        self.register_buffer("memory_bank", torch.empty(0))


class PatchcoreNetwork(nn.Module):
    """Distance of each patch to the nearest in the memory bank; score = mean of the top k."""

    num_epochs = 1

    def __init__(
        self, params: Patchcore, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        self.params = params
        self.seed = seed
        self.model = _Model(params, extractor(params, store, seed))
        generator = self.model.anomaly_map_generator
        generator.blur = SeparableBlur(generator.blur.kernel)
        self.normalise = Normalise(params)
        self.side = grid_side(params, image_size_px)
        self.eval()

    def embedding(self, images_B3HW: Tensor) -> Tensor:
        """Return each patch as a row: (B·N) × D, features averaged over 3×3 first (eq. 2)."""
        features = self.model.feature_extractor(self.normalise(images_B3HW))
        pooled = [self.model.feature_pooler(feature) for feature in features.values()]
        return rows(embed(pooled, self.side, "bilinear"))

    @torch.no_grad()
    def fit(self, batches: Batches) -> None:
        """Fill the memory bank with a k-center coreset of the normal patches (algorithm 1).

        The bank is in the order of the picks, so its first rows are those of a smaller ratio.

        Raises:
            PipelineError: E300, the patches do not fit the memory.
            DataError: E301, a patch is not finite.
        """
        collected = RowBlocks()
        for images in batches(0):
            collected.append(self.embedding(images))
        patches_ND = collected.stacked()
        num = max(1, int(len(patches_ND) * self.params.coreset_ratio))
        generator = torch.Generator().manual_seed(self.seed)
        first = int(torch.randint(len(patches_ND), (1,), generator=generator))
        seen = patches_ND
        if self.params.projection == "sparse":
            seen = sparse_projection(patches_ND, self.seed)
        picks = k_center_greedy(
            seen,
            num,
            first=first,
            as_anomalib=self.params.projection == "sparse",
            num_threads=torch.get_num_threads(),
        )
        self.model.memory_bank = patches_ND[picks]

    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and the smoothed anomaly_map (B, 1, H, W)."""
        distances_N = self.nearest(self.embedding(images_B3HW))
        distances_B1HW = distances_N.reshape(-1, 1, self.side, self.side)
        top_k = min(self.params.top_k, self.side**2)
        pred_score = distances_B1HW.flatten(1).topk(top_k, dim=1).values.mean(dim=1)
        upsampled = F.interpolate(
            distances_B1HW, size=images_B3HW.shape[-2:], mode="bilinear", align_corners=False
        )
        return pred_score, self.model.anomaly_map_generator(upsampled)

    def nearest(self, patches_ND: Tensor) -> Tensor:
        """Return the Euclidean distance of each patch to its nearest in the bank: (N,).

        It can be exported. float32 cancels here: a patch of the bank itself comes out near zero,
        not at it; ``memory_bank.neighbours`` is exact there, and takes a third longer.
        """
        nearest_N = None
        for bank_MD in self.model.memory_bank.split(_BANK_BLOCK):
            # ‖x − m‖² without ‖x‖², which is the same for every m
            squared_NM = torch.addmm(bank_MD.square().sum(1), patches_ND, bank_MD.T, alpha=-2)
            block_N = squared_NM.amin(dim=1)
            nearest_N = block_N if nearest_N is None else torch.minimum(nearest_N, block_N)
        assert nearest_N is not None, "the memory bank is empty"
        return (nearest_N + patches_ND.square().sum(1)).clamp_min(0).sqrt()
