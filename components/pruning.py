"""Whether a training is worth going on with: the median rule, judged inside the compute process.

The process that trains gets the medians with its job and needs no access to the study: what is
given up depends on what was told when the job was handed out, and on nothing that happens since.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from components.data.images import Image, read_image
from components.data.subset import stratified_subset
from components.errors import PipelineError
from components.records import Manifest, Record, Split
from components.search import Pruning
from components.watched import as_it_stands

Curve = Mapping[int, float]  # moment of the training -> image AUROC on synthetic defects


class Watch(Record):
    """When to look at a training, on how many images, and what it must not fall below."""

    checks: int
    images: int
    medians: dict[int, float] = {}  # of the moments at which it may be given up


class GivenUpError(PipelineError):
    """A training that was ended because earlier ones had shown more by then."""

    def __init__(self, moment: int, checks: int, floor: float, curve: Curve) -> None:
        self.moment, self.checks, self.floor, self.curve = moment, checks, floor, dict(curve)
        best = max(self.curve.values())
        super().__init__(
            "E345",
            f"given up after {moment}/{checks + 1} of its training: image AUROC {best:.3f} on "
            f"synthetic defects, median of earlier trials {floor:.3f}",
        )

    def __reduce__(self) -> tuple[type, tuple[int, int, float, dict[int, float]]]:  # type: ignore[override]
        return type(self), (self.moment, self.checks, self.floor, self.curve)


def watch_of(pruning: Pruning, curves: Sequence[Curve]) -> Watch:
    """Return the watch over a training, given what finished ones of its kind had shown.

    A median is over the best of each curve up to a moment; there is none before the warm-up is
    over or while fewer than ``startup_trials`` curves reach that far.
    """
    medians: dict[int, float] = {}
    for moment in range(1, pruning.checks + 1):
        reached = [best for curve in curves if (best := _best(curve, moment)) is not None]
        is_warm = moment / (pruning.checks + 1) >= pruning.warmup_share
        if is_warm and len(reached) >= pruning.startup_trials:
            medians[moment] = median(reached)
    return Watch(checks=pruning.checks, images=pruning.images, medians=medians)


def _best(curve: Curve, moment: int) -> float | None:
    """Return the best up to a moment, or None where the curve does not reach it."""
    if not any(known >= moment for known in curve):
        return None
    return max((value for known, value in curve.items() if known <= moment), default=None)


class Lookout:
    """Judges a network under training on held-out normals and synthetic defects of the tune set.

    ``curve`` holds what was seen so far; a moment at which the network cannot be judged (its scores
    are equal or not finite until the training's end sets them) is left out.
    """

    def __init__(
        self, watch: Watch, real: Manifest, synthetic: Manifest, image_size_px: int
    ) -> None:
        self.curve: dict[int, float] = {}
        self._watch, self._image_size_px = watch, image_size_px
        normals = stratified_subset(real.of(Split.TUNE, label=0), watch.images)
        drawn = stratified_subset(synthetic.records, watch.images)
        self._labels = np.array([0] * len(normals) + [1] * len(drawn))
        self._paths = [real.path(r) for r in normals] + [synthetic.path(r) for r in drawn]
        self._images: list[Image] = []

    def look(self, network: Any, moment: int) -> None:
        """Judge the network as it stands.

        Raises:
            GivenUpError: E345, it is below the median of earlier trainings.
        """
        quality = self._quality(network)
        if quality is None:
            return
        self.curve[moment] = quality
        floor = self._watch.medians.get(moment)
        if floor is not None and max(self.curve.values()) < floor:
            raise GivenUpError(moment, self._watch.checks, floor, self.curve)

    def _quality(self, network: Any) -> float | None:
        from components.metrics.auroc import auroc
        from components.predict import TorchModel

        self._images = self._images or [read_image(path) for path in self._paths]
        with as_it_stands(network):
            scores, _ = TorchModel(network, self._image_size_px).predict(self._images)
        if not np.isfinite(scores).all() or len(np.unique(scores)) < 2:
            return None
        return auroc(scores, self._labels)
