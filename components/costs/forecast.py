"""Seconds and peak memory of one fit with its scoring, from its params and the number of images.

The parts are those that the profile of a trial shows: backbone passes, reading, the coreset or the
covariances, the search, maps and their ranking. What a gradient step costs beside its forward
pass is taken to be as much again twice over. Peaks are of one process.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from components.costs.pace import TIMED_BATCH, BackbonePace, Pace
from components.models.backbones import BACKBONES
from components.models.memory_bank.plan import CoresetPlan, plan_coreset
from components.records import Record
from components.train import TrainParams

_GRID_STRIDE = 8  # of the patches that PaDiM and PatchCore look at
_STEP = 3  # a gradient step against a forward pass
_RANKINGS = 4  # sorts of all pixel scores that a trial's figures take
_PIXEL_BYTES = 30  # of a scored pixel: its score, its truth, and both in order
_UNKNOWN_FLOPS = 2e10  # of an image of 256 px, where a backbone cannot be timed alone


class Images(Record):
    """How many images of which size a piece of work looks at."""

    num_fit: int
    num_scored: int
    megapixels: float  # of one image as it is kept


@dataclass(frozen=True)
class Cost:
    """What one fit and its scoring take on one thread of one process."""

    backbone_fit_s: float
    backbone_scored_s: float
    other_s: float
    peak_bytes: float

    @property
    def seconds(self) -> float:
        """All seconds together, with nothing from the feature store."""
        return self.backbone_fit_s + self.backbone_scored_s + self.other_s


def fit_cost(params: TrainParams, images: Images, pace: Pace) -> Cost:
    """Return what fitting a candidate and scoring images with it costs."""
    size, detector = params.image_size_px, params.detector
    backbone = _backbone(pace, detector.backbone)
    one_pass = detector.facts.training == "one pass"
    epochs = 1 if one_pass else _STEP * int(getattr(detector, "num_epochs", 1))
    passes = images.num_fit * (epochs + params.augment_copies * one_pass)
    own = _memory_bank(params, images, pace) or _gaussians(params, images, pace) or (0.0, 0.0)
    num_read = images.num_fit * (1 + params.augment_copies) + images.num_scored
    read_s = num_read * images.megapixels * pace.read_s
    scored_mp = images.num_scored * images.megapixels
    maps_s = images.num_scored * size**2 / 1e6 * pace.map_s
    ranked_s = _RANKINGS * scored_mp * pace.rank_s
    batch = 1.0 if one_pass else _STEP * min(params.batch_size, images.num_fit) / TIMED_BATCH
    activations = backbone.bytes_at(size) * batch
    maps_bytes = _PIXEL_BYTES * 1e6 * scored_mp
    pass_s = detector.relative_cost * backbone.seconds_at(size)
    return Cost(
        backbone_fit_s=passes * pass_s,
        backbone_scored_s=images.num_scored * pass_s,
        other_s=own[0] + read_s + maps_s + ranked_s,
        peak_bytes=pace.imports_bytes + activations + max(own[1], maps_bytes),
    )


def _memory_bank(params: TrainParams, images: Images, pace: Pace) -> tuple[float, float] | None:
    """Return seconds and bytes of a coreset and of the search in it; None where there is none."""
    ratio = getattr(params.detector, "coreset_ratio", None)
    if ratio is None:
        return None
    patches, dims = _patches(params), _dims(params)
    num = images.num_fit * (1 + params.augment_copies) * patches
    picks = max(1, int(num * ratio))
    plan = coreset_plan(params, images)
    assert plan is not None
    greedy_s = num * picks * dims / pace.greedy_rate
    search_s = 2.0 * images.num_scored * patches * picks * dims / pace.product_rate
    return greedy_s + search_s, plan.total_bytes


def coreset_plan(params: TrainParams, images: Images) -> CoresetPlan | None:
    """Return how a candidate's coreset will lie in memory; None for one without a coreset."""
    ratio = getattr(params.detector, "coreset_ratio", None)
    if ratio is None:
        return None
    num = images.num_fit * (1 + params.augment_copies) * _patches(params)
    # The bound here is on memory that is asked for, not on what this machine has.
    return plan_coreset(num, _dims(params), max(1, int(num * ratio)), budget_bytes=1 << 60)


def largest_plan(plans: Iterable[CoresetPlan | None]) -> str:
    """Return the plan of the coreset that takes the most memory, in words; "" without any."""
    found = [plan for plan in plans if plan is not None]
    return f"largest {max(found, key=lambda plan: plan.total_bytes)}" if found else ""


def _gaussians(params: TrainParams, images: Images, pace: Pace) -> tuple[float, float] | None:
    """Return seconds and bytes of a Gaussian at each place; None where there are none."""
    kept = getattr(params.detector, "n_features", None)
    if kept is None:
        return None
    dims, patches = min(kept, _dims(params)), _patches(params)
    num = images.num_fit * (1 + params.augment_copies)
    flops = patches * (2.0 * num * dims**2 + 2.0 * dims**3)
    scored = 2.0 * images.num_scored * patches * dims**2
    held = 4.0 * patches * (2 * num * dims + 2 * dims**2)
    return flops / pace.inverse_rate + scored / pace.product_rate, held


def _patches(params: TrainParams) -> int:
    strides = BACKBONES[params.detector.backbone].strides
    finest = strides[params.detector.layers[0]] if params.detector.layers else _GRID_STRIDE
    return (params.image_size_px // max(_GRID_STRIDE, finest)) ** 2


def _dims(params: TrainParams) -> int:
    channels = BACKBONES[params.detector.backbone].channels
    return sum(channels[layer] for layer in params.detector.layers)


def timed_alone(name: str) -> tuple[str, ...]:
    """Return the backbones whose times make up this one's; none where its detector builds it."""
    backbone = BACKBONES[name]
    if backbone.parts:
        return tuple(part for whole in backbone.parts for part in timed_alone(whole))
    return (name,) if backbone.family in {"timm", "trunk", "tokens"} else ()


def _backbone(pace: Pace, name: str) -> BackbonePace:
    known = [pace.backbones[part] for part in timed_alone(name) if part in pace.backbones]
    if not known:
        seconds = _UNKNOWN_FLOPS / pace.product_rate
        return BackbonePace(image_size_px=256, seconds=seconds, bytes=200_000_000)
    return BackbonePace(
        image_size_px=256,
        seconds=sum(one.seconds_at(256) for one in known),
        bytes=int(sum(one.bytes_at(256) for one in known)),
    )
