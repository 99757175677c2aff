"""STFPM through anomalib's torch model, map and loss; the training loop is ours."""

from typing import Any

import torch
from anomalib.models.image.stfpm.anomaly_map import AnomalyMapGenerator
from anomalib.models.image.stfpm.loss import STFPMLoss
from anomalib.models.image.stfpm.torch_model import STFPMModel
from torch import Tensor, nn

from components.models.backbones import WeightStore, load_backbone
from components.models.detector import Batches
from components.models.networks.features import Normalise, extractor
from components.models.stfpm import Stfpm


class _Model(STFPMModel):
    """anomalib's model given its teacher: its own constructor would fetch one from the net."""

    def __init__(self, teacher: nn.Module, student: nn.Module) -> None:
        nn.Module.__init__(self)
        self.tiler = None
        self.teacher_model = teacher
        self.student_model = student
        self.anomaly_map_generator = AnomalyMapGenerator()


class StfpmNetwork(nn.Module):
    """Where a student trained on normal images fails to match its teacher's features."""

    def __init__(
        self, params: Stfpm, store: WeightStore | None, image_size_px: int, seed: int
    ) -> None:
        super().__init__()
        assert image_size_px % 32 == 0, "layers of stride 32 need whole cells"
        self.params = params
        self.num_epochs = params.num_epochs
        self.model = _Model(extractor(params, store, seed), _student(params, seed))
        self.normalise = Normalise(params)
        self.eval()

    def fit(self, batches: Batches) -> None:
        """Train the student to give the teacher's features (loss: eq. 1 and 2)."""
        student, loss_of = self.model.student_model, STFPMLoss()
        optimizer = torch.optim.SGD(
            student.parameters(),
            lr=self.params.learning_rate,
            momentum=self.params.momentum,
            weight_decay=self.params.weight_decay,
        )
        student.train()
        for epoch in range(self.num_epochs):
            for images in batches(epoch):
                normalised = self.normalise(images)
                with torch.no_grad():
                    taught = self.model.teacher_model(normalised)
                loss = loss_of(taught, student(normalised))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
        student.eval()

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Return pred_score (B,) and anomaly_map (B, 1, H, W)."""
        found = self.model(self.normalise(images_B3HW))
        return found.pred_score.flatten(), found.anomaly_map


def _student(params: Stfpm, seed: int) -> nn.Module:
    """Return an untrained backbone whose initial weights differ from a random teacher's."""
    student: Any
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        student = load_backbone(None, params.backbone, "random", params.layers, trainable=True)
    student.requires_grad = True  # anomalib's switch: keep gradients in forward
    for parameter in student.parameters():
        parameter.requires_grad_(True)
    network: nn.Module = student.to(memory_format=torch.channels_last)
    return network
