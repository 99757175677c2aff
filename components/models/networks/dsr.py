"""DSR through anomalib's networks; its defects, the losses and the training loops are ours.

Shapes: B images in 0..1, H×W pixels, D the length of a code.
"""

import torch
from anomalib.models.image.dsr.torch_model import (
    AnomalyDetectionModule,
    DsrModel,
    UpsamplingModule,
    VectorQuantizer,
)
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from components.models.backbones import WeightStore, read_state
from components.models.detector import Batches
from components.models.dsr import Dsr
from components.models.networks.features import rows
from components.models.networks.islands import disturbed, island_masks
from components.models.networks.textures import Textures

_IMAGE_WEIGHT = 10  # of the repaired image beside the repaired codes
_FOCUS = 2  # exponent of the focal loss
_OPACITY = (0.2, 1.0)  # of the textures from which the map's full size is learnt


class DsrNetwork(nn.Module):
    """The probability that an image model's codes were repaired (section 3 of the paper)."""

    def __init__(
        self, params: Dsr, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        assert image_size_px % 32 == 0, "codes of stride 8 are halved twice"
        self.params = params
        self.num_epochs = params.num_epochs
        self.seed = seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = _Model(params)
            if params.weights == "random":
                _let_signals_pass(self.model.discrete_latent_model)
        if store is not None and params.weights == "pretrained":
            self.model.discrete_latent_model.load_state_dict(read_state(store, params.backbone))
        self.model.discrete_latent_model.requires_grad_(False)
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train repair and detection (section 3.2), then the map's way to full size (3.3).

        Raises:
            DataError: E318, a folder of textures without any.
        """
        textures = Textures(self.params.texture_folder)
        rng = torch.Generator().manual_seed(self.seed)
        if self.params.weights == "random":
            self._draw_codes(next(iter(batches(0))), rng)
        self.model.train()
        self._train_detection(batches, rng)
        self._train_upsampling(batches, textures, rng)
        self.eval()

    @torch.no_grad()
    def _draw_codes(self, images_B3HW: Tensor, rng: torch.Generator) -> None:
        """Fill random codebooks with features of some images: of others only one would be near."""
        latent = self.model.discrete_latent_model
        below = latent._encoder_b(images_B3HW)
        above = latent._pre_vq_conv_top(latent._encoder_t(below))
        latent._vq_vae_top.draw(above, rng)
        coarse = latent.upsample_t(latent._vq_vae_top(above))
        latent._vq_vae_bot.draw(latent._pre_vq_conv_bot(torch.cat([below, coarse], dim=1)), rng)

    def _train_detection(self, batches: Batches, rng: torch.Generator) -> None:
        num_epochs = self.params.first_part
        optimizer = torch.optim.Adam(self.model.first_part(), lr=self.params.learning_rate)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, max(1, int(0.8 * num_epochs)))
        for epoch in range(num_epochs):
            for images in batches(epoch):
                masks = island_masks(len(images), images.shape[-1], rng).to(images.device)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(self.detection_loss(images, masks))
                optimizer.step()
            schedule.step()

    def _train_upsampling(self, batches: Batches, textures: Textures, rng: torch.Generator) -> None:
        upsampling = self.model.upsampling_module.parameters()
        optimizer = torch.optim.Adam(upsampling, lr=self.params.learning_rate)
        for epoch in range(self.params.first_part, self.num_epochs):
            for images in batches(epoch):
                changed, masks = disturbed(images, textures, _OPACITY, rng)
                loss = focal_loss(self.model(changed)["anomaly_map"], masks)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                optimizer.step()

    def detection_loss(self, images_B3HW: Tensor, masks_B1HW: Tensor) -> Tensor:
        """Return the loss of repaired codes, repaired image and detection, in training mode."""
        found = self.model(images_B3HW, masks_B1HW)
        repaired = F.mse_loss(found["recon_feat_hi"], found["embedding_bot"]) + F.mse_loss(
            found["recon_feat_lo"], found["embedding_top"]
        )
        painted = F.mse_loss(found["obj_spec_image"], images_B3HW)
        detected = focal_loss(found["anomaly_map"], found["true_anomaly_map"])
        return repaired + _IMAGE_WEIGHT * painted + detected

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W), both in 0..1."""
        found = self.model(images_B3HW)
        return found.pred_score, found.anomaly_map.unsqueeze(1)


def focal_loss(probabilities_B2HW: Tensor, masks_B1HW: Tensor) -> Tensor:
    """Return the mean of −(1 − p)² log p, p that of each pixel's true class (Lin et al., 2017).

    anomalib gives the same probabilities to a loss that expects logits.
    """
    true = probabilities_B2HW.gather(1, masks_B1HW.long()).clamp_min(1e-6)
    return -((1 - true) ** _FOCUS * true.log()).mean()


def _let_signals_pass(network: nn.Module) -> None:
    """Draw weights through which differences between images survive every layer."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class _Model(DsrModel):
    """anomalib's model of any width."""

    def __init__(self, params: Dsr) -> None:
        width = params.code_width
        super().__init__(
            latent_anomaly_strength=params.latent_anomaly_strength,
            embedding_dim=width,
            num_embeddings=params.num_codes,
            num_hiddens=width,
            num_residual_hiddens=width // 2,
        )
        latent = self.discrete_latent_model
        latent._vq_vae_top = _Quantizer(params.num_codes, width)
        latent._vq_vae_bot = _Quantizer(params.num_codes, width)
        self.anomaly_detection_module = AnomalyDetectionModule(6, 2, params.detection_width)
        self.upsampling_module = UpsamplingModule(8, 2, params.detection_width)

    def first_part(self) -> list[nn.Parameter]:
        """Return what the first epochs train."""
        return [
            *self.image_reconstruction_network.parameters(),
            *self.subspace_restriction_module_hi.parameters(),
            *self.subspace_restriction_module_lo.parameters(),
            *self.anomaly_detection_module.parameters(),
        ]


class _Quantizer(VectorQuantizer):
    """anomalib's codebook, looked up: its own multiplies by a row of zeros and a one."""

    def draw(self, features_BDHW: Tensor, rng: torch.Generator) -> None:
        """Let the codes be features of places drawn at random."""
        flat_ND = rows(features_BDHW)
        drawn = torch.randint(len(flat_ND), (len(self._embedding.weight),), generator=rng)
        self._embedding.weight.copy_(flat_ND[drawn.to(flat_ND.device)])

    def forward(self, inputs_BDHW: Tensor) -> Tensor:
        """Return each place's nearest code, B × D × H × W; gradients pass unchanged."""
        places_BHWD = inputs_BDHW.permute(0, 2, 3, 1)
        codes = self._embedding.weight
        flat_ND = places_BHWD.reshape(-1, codes.shape[1])
        squared_NK = torch.addmm(codes.square().sum(dim=1), flat_ND, codes.T, alpha=-2)
        nearest_BHWD = F.embedding(squared_NK.argmin(dim=1), codes).reshape(places_BHWD.shape)
        nearest_BDHW = nearest_BHWD.permute(0, 3, 1, 2)
        return inputs_BDHW + (nearest_BDHW - inputs_BDHW).detach()
