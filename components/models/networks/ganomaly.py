"""GANomaly through anomalib's networks and losses; the training loop is ours.

anomalib brings inputs to the range of ImageNet, which the painter's tanh cannot reach, and never
runs the initialisation that it defines; here inputs lie in −1..1, as in the paper's code.
Shapes: B images, H×W pixels, Z numbers of a code.
"""

import torch
from anomalib.models.image.ganomaly.loss import DiscriminatorLoss, GeneratorLoss
from anomalib.models.image.ganomaly.torch_model import GanomalyModel
from torch import Tensor, nn

from components.models.detector import Batches
from components.models.ganomaly import Ganomaly

_CHANNELS = 3


class GanomalyNetwork(nn.Module):
    """How the code of an image differs from that of what is painted from it (eq. 6)."""

    def __init__(self, params: Ganomaly, image_size_px: int, seed: int) -> None:
        super().__init__()
        self.params = params
        self.num_epochs = params.num_epochs
        size = (image_size_px, image_size_px)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = GanomalyModel(size, _CHANNELS, params.width, params.code_size)
            self.model.apply(GanomalyModel.weights_init)
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train painter and discriminator in turn, a step of each a batch (section 3.2)."""
        painter = self._optimizer(self.model.generator)
        discriminator = self._optimizer(self.model.discriminator)
        self.train()
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                real = _signed(images)
                painted = self._step_of_painter(painter, real)
                self._step_of_discriminator(discriminator, real, painted)
        self.eval()

    def _optimizer(self, network: nn.Module) -> torch.optim.Adam:
        params = self.params
        betas = (params.beta1, params.beta2)
        return torch.optim.Adam(network.parameters(), lr=params.learning_rate, betas=betas)

    def _step_of_painter(self, optimizer: torch.optim.Adam, real_B3HW: Tensor) -> Tensor:
        params, model = self.params, self.model
        painted, code, code_again = model.generator(real_B3HW)
        with torch.no_grad():
            called_real, _ = model.discriminator(real_B3HW)
        called_painted, _ = model.discriminator(painted)
        loss_of = GeneratorLoss(
            params.adversarial_weight, params.contextual_weight, params.encoder_weight
        )
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(
            loss_of(code, code_again, real_B3HW, painted, called_real, called_painted)
        )
        optimizer.step()
        detached: Tensor = painted.detach()
        return detached

    def _step_of_discriminator(
        self, optimizer: torch.optim.Adam, real_B3HW: Tensor, painted_B3HW: Tensor
    ) -> None:
        called_real, _ = self.model.discriminator(real_B3HW)
        called_painted, _ = self.model.discriminator(painted_B3HW)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(DiscriminatorLoss()(called_real, called_painted))
        optimizer.step()

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W): the mean difference of channels."""
        signed = _signed(images_B3HW)
        painted, code_BZ11, again_BZ11 = self.model.generator(signed)
        difference = (signed - painted).abs().mean(dim=1, keepdim=True)
        return (code_BZ11 - again_BZ11).square().mean(dim=(1, 2, 3)), difference


def _signed(images_B3HW: Tensor) -> Tensor:
    return 2 * images_B3HW - 1
