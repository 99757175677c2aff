"""Features of 3×3 neighbourhoods, brought to one length by means over the channels.

Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, section 3.1, in the
form of its code, which SimpleNet keeps. Shapes: B images, C channels, P patches of one image,
N = B·P, D numbers a patch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

_NEIGHBOURS = 9


class PatchFeatures(nn.Module):
    """Feature maps BCHW, the finest first, to one row of D numbers for each of its cells."""

    def __init__(self, channels: list[int], dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.layers = nn.ModuleList(AdaptiveMean(_NEIGHBOURS * num, dim) for num in channels)
        self.together = AdaptiveMean(len(channels) * dim, dim)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return N × D, image by image, row by row."""
        size = maps[0].shape[-2:]
        # Means over channels and interpolation over places may change places: so it is cheaper.
        grids = [
            F.interpolate(self._reduced(reduce, one), size=size, mode="bilinear")
            for reduce, one in zip(self.layers, maps, strict=True)
        ]
        stacked = torch.cat(grids, dim=1).flatten(2).transpose(1, 2)
        return self.together(stacked.reshape(-1, len(maps) * self.dim))

    def _reduced(self, reduce: nn.Module, map_BCHW: Tensor) -> Tensor:
        height, width = map_BCHW.shape[-2:]
        around = F.unfold(map_BCHW, 3, padding=1).transpose(1, 2)  # B × P × 9·C
        reduced = reduce(around.reshape(-1, _NEIGHBOURS * map_BCHW.shape[1]))
        rows = reduced.reshape(-1, height * width, self.dim)
        return rows.transpose(1, 2).reshape(-1, self.dim, height, width)


class AdaptiveMean(nn.Module):
    """Adaptive average pooling of rows, N × num_in → N × num_out, in a form that can be exported.

    Output i is the mean of the inputs from ⌊i·in/out⌋ up to ⌈(i+1)·in/out⌉.
    """

    places: Tensor
    weights: Tensor

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.num_out = num_out
        self.whole = num_in % num_out == 0
        self.width = num_in // num_out
        if self.whole:
            return
        outputs = torch.arange(num_out)
        starts = outputs * num_in // num_out
        lengths = -(-(outputs + 1) * num_in // num_out) - starts
        self.width = int(lengths.max())
        steps = torch.arange(self.width)
        places = (starts[:, None] + steps).clamp_max(num_in - 1)
        weights = (steps < lengths[:, None]) / lengths[:, None]
        self.register_buffer("places", places.flatten(), persistent=False)
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, rows_NI: Tensor) -> Tensor:
        if self.whole:
            return rows_NI.reshape(-1, self.num_out, self.width).mean(dim=2)
        taken = rows_NI.index_select(1, self.places).reshape(-1, self.num_out, self.width)
        return (taken * self.weights).sum(dim=2)
