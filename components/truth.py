"""The ground truth of an image as regions: what a localisation metric weighs alike.

Regions are the annotated instances where a layout has one mask a defect, with their saturation;
else the 8-connected components of the mask, found in full at their own area (as AUPRO does).
The cycle's pixel figures are read here, so that tune and report sets are measured alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from components.data.images import opencv, read_mask
from components.metrics.localisation import localisation_figures
from components.metrics.pixel import pixel_figures
from components.metrics.regions import Mask, Region
from components.records import ImageRecord, Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Truth:
    """Where an image is defective: one H×W mask, and its instances where the layout marks them."""

    mask: Mask  # all False for a normal image
    instances: tuple[Region, ...] = ()

    @property
    def regions(self) -> tuple[Region, ...]:
        """The instances, or the mask's connected components."""
        return self.instances or components_of(self.mask)


Located = tuple["NDArray[np.float32]", Truth | None]  # a map; None: no usable mask


def truth_of(manifest: Manifest, record: ImageRecord) -> Truth | None:
    """Return what is known of an image, or None for a defective one without a usable mask.

    Raises:
        ImageRejected: a mask that cannot be read.
    """
    if not record.has_usable_mask:
        return None
    masks = [read_mask(manifest.root / str(defect.mask_path)) for defect in record.defects]
    union = np.zeros((record.height_px, record.width_px), dtype=bool)
    for mask in masks:
        union |= mask
    areas = [defect.saturation_px for defect in record.defects]
    instances = [Region(mask, area) for mask, area in zip(masks, areas) if area is not None]
    return Truth(union, tuple(instances) if len(instances) == len(masks) else ())


def located_figures(located: Sequence[Located]) -> dict[str, float]:
    """Return the pixel figures of maps with their truth, {} where no defect has a usable mask.

    Where instances are marked, ``auspro_<limit>`` stands beside the others.
    """
    usable = [(each, truth) for each, truth in located if truth is not None]
    maps, truths = [each for each, _ in usable], [truth for _, truth in usable]
    if not any(truth.mask.any() for truth in truths):
        return {}
    if not any(truth.instances for truth in truths):
        return pixel_figures(maps, [truth.mask for truth in truths])
    found = localisation_figures(maps, [truth.regions for truth in truths])
    return {
        "pixel_auroc": found.pixel_auroc,
        "pixel_ap": found.pixel_ap,
        "pixel_f1_max": found.pixel_f1_max,
        "aupro": found.aupro["0.3"],
        **{f"auspro_{limit}": value for limit, value in found.auspro.items()},
    }


def regions_of(manifest: Manifest, record: ImageRecord) -> tuple[Region, ...] | None:
    """Return an image's regions, each with an H×W bool mask and a saturation in pixels.

    Returns:
        () for a normal image; None for a defective one without a usable mask, which pixel
        metrics leave out.

    Raises:
        ImageRejected: a mask that cannot be read.

    Source: Bergmann et al. 2022 (MVTec LOCO), section 4.
    """
    truth = truth_of(manifest, record)
    return None if truth is None else truth.regions


def components_of(mask: Mask) -> tuple[Region, ...]:
    """Return the 8-connected components of an H×W bool mask, saturated at their area."""
    num, labels, stats, _ = opencv().connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    area = opencv().CC_STAT_AREA
    return tuple(Region(labels == i, int(stats[i, area])) for i in range(1, num))
