"""One pass over all pairs: image scores, sizes, and the pixels themselves while they fit."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from components.metrics.regions import Region
from components.scoring.maps import AnomalyMap, read_map, resized
from components.scoring.masks import GroundTruth, read_ground_truth
from components.scoring.pairs import Pair
from components.scoring.problems import Problems
from components.scoring.truth import Truth


@dataclass
class Reading:
    """What one pass over the pairs found; scores, labels and counts in the pairs' order."""

    budget_px: int
    scores: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    num_regions: list[int] = field(default_factory=list)
    num_resized: int = 0
    num_pixels: int = 0
    located: list[Pair] = field(default_factory=list)  # those that pixel figures count
    unmasked: list[str] = field(default_factory=list)  # anomalous, with an empty mask
    maps: list[AnomalyMap] = field(default_factory=list)  # of the located ones; [] if streamed
    truths: list[Sequence[Region]] = field(default_factory=list)

    @property
    def streamed(self) -> bool:
        """Whether the pixels passed the budget and were let go."""
        return self.num_pixels > self.budget_px

    def take(self, pair: Pair, stored: AnomalyMap, ground_truth: GroundTruth) -> None:
        """Count one image; its score is the maximum of its map as stored."""
        regions = ground_truth.regions
        self.scores.append(float(stored.max()))
        self.labels.append(0 if pair.image.is_normal else 1)
        self.num_regions.append(len(regions))
        if not pair.image.is_normal and not regions:
            self.unmasked.append(pair.image.name)
            return
        fitted = resized(stored, ground_truth.size or stored.shape)
        self.num_resized += fitted.shape != stored.shape
        self.located.append(pair)
        self._keep(fitted, regions)

    def _keep(self, fitted: AnomalyMap, regions: Sequence[Region]) -> None:
        # a region's mask takes a quarter of a map's bytes
        self.num_pixels += fitted.size * (4 + len(regions)) // 4
        if self.streamed:
            self.maps.clear()
            self.truths.clear()
        else:
            self.maps.append(fitted)
            self.truths.append(regions)


def read_all(pairs: Iterable[Pair], truth: Truth, budget_px: int, problems: Problems) -> Reading:
    """Read every map and its ground truth once; whatever cannot be used is a problem."""
    reading = Reading(budget_px)
    for pair in pairs:
        stored = ground_truth = None
        with problems.collected():
            stored = read_map(pair.map_path)
        with problems.collected():
            ground_truth = read_ground_truth(pair.image, truth)
        if stored is not None and ground_truth is not None:
            reading.take(pair, stored, ground_truth)
    return reading


def stream(pairs: Iterable[Pair], truth: Truth) -> Iterator[tuple[AnomalyMap, Sequence[Region]]]:
    """Yield the map, at the size of its ground truth, and the regions of each pair.

    Raises:
        DataError: E115 or E214 a file that has changed since it was read before.
    """
    for pair in pairs:
        stored = read_map(pair.map_path)
        ground_truth = read_ground_truth(pair.image, truth)
        yield resized(stored, ground_truth.size or stored.shape), ground_truth.regions
