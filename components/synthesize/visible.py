"""What every synthesizer shares: what a defect is allowed to change, and what its mask says.

Images are uint8 or uint16, HxW or HxWx3 (RGB); regions and masks are bool HxW. A kind proposes
a changed image; only what lies in the region and is visible is kept. Outside the mask the result
is the parent, bit for bit.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from components.data.images import opencv
from components.errors import PipelineError
from components.levels import Unit, from_unit, to_unit
from components.params import Params

Image = NDArray[Any]
Mask = NDArray[np.bool_]

_TRIES = 24
_GAP_PX = 5  # visible pixels closer than this belong to one defect


class NothingVisibleError(PipelineError):
    """No visible defect came of many tries, as on an image of one grey level."""


@dataclass(frozen=True)
class Scene:
    """What a kind sees: the parent and the donor in 0..1, the region, and how often it failed."""

    image: Unit
    donor: Unit
    region: Mask
    tries: int = 0

    @property
    def side_px(self) -> int:
        """The shorter side of the image."""
        return min(self.image.shape[:2])

    @property
    def effort(self) -> float:
        """Grows from 1 with every failed try; kinds multiply their strength by it."""
        return 1.0 + self.tries / 4


class SyntheticDefect(Params):
    """A kind of defect drawn on a normal image."""

    visible: float = Field(default=0.012, gt=0, lt=1)  # change that counts, share of full scale
    strong: float = Field(default=0.05, gt=0, lt=1)  # change that makes a defect of it
    min_area_px: int = Field(default=16, ge=1)  # strongly changed pixels that a defect needs

    def apply(
        self, image: Image, region: Mask, rng: np.random.Generator, donor: Image
    ) -> tuple[Image, Mask]:
        """Return the image with a defect inside ``region``, and the defect's mask.

        ``donor`` is another normal image of the same depth and channels, of any size. The mask
        holds the pixels that changed by ``visible`` or more in some channel, in groups with
        enough strongly changed ones, with gaps of up to four pixels closed; it is never empty.

        Raises:
            PipelineError: E140, arrays that do not belong together; E141, a region smaller than
                a defect.
            NothingVisibleError: E142, nothing visible came of 24 tries.
        """
        _check(image, region, donor, self.min_area_px)
        scene = Scene(to_unit(image), to_unit(donor), region)
        for tries in range(_TRIES):
            trial = Scene(scene.image, scene.donor, region, tries)
            changed, touched = self.propose(trial, rng)
            proposed = from_unit(changed, image)
            mask = self.mask_of(image, proposed, touched & region)
            if mask.any():
                return np.where(mask if image.ndim == 2 else mask[..., None], proposed, image), mask
        raise NothingVisibleError(
            "E142",
            f"{_TRIES} tries at a {type(self).__name__} defect left nothing to see.",
            "Look at the image and at the station's regions: is there any structure?",
        )

    def mask_of(self, image: Image, proposed: Image, allowed: Mask) -> Mask:
        """Return where ``proposed`` visibly differs from ``image``, within ``allowed``.

        Two thresholds, as Canny's edges have: a group of visibly changed pixels stands when
        ``min_area_px`` of them changed strongly. With one high threshold, undoing what lies
        below it would leave a step as high as the threshold around every soft defect.
        """
        full = np.iinfo(image.dtype).max
        cv2 = opencv()
        change = cv2.absdiff(image, proposed)
        change = change if change.ndim == 2 else change.max(axis=2)
        seen = (change >= max(1, round(self.visible * full))) & allowed
        strong = seen & (change >= max(1, round(self.strong * full)))
        ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_GAP_PX, _GAP_PX))
        # Without a margin OpenCV would close the gap to the image's frame as well.
        margin = _GAP_PX // 2
        padded = np.pad(seen.astype(np.uint8), margin)
        closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, ellipse)
        closed = closed[margin:-margin, margin:-margin]
        num_groups, groups = cv2.connectedComponents(closed * allowed)
        sizes = np.bincount(groups[strong], minlength=num_groups)
        kept: Mask = (sizes >= self.min_area_px)[groups] & (groups > 0)
        return kept

    @abstractmethod
    def propose(self, scene: Scene, rng: np.random.Generator) -> tuple[Unit, Mask]:
        """Return a changed image (0..1, may exceed it) and the pixels that it speaks for."""


def _check(image: Image, region: Mask, donor: Image, min_area_px: int) -> None:
    if region.shape != image.shape[:2] or donor.shape[2:] != image.shape[2:]:
        shapes = f"image {image.shape}, region {region.shape}, donor {donor.shape}"
        raise PipelineError("E140", f"Sizes or channels differ: {shapes}.", "Prepare them alike.")
    if donor.dtype != image.dtype:
        depths = f"image {image.dtype}, donor {donor.dtype}"
        raise PipelineError("E140", f"Bit depths differ: {depths}.", "Choose another donor.")
    area_px = int(region.sum())
    if area_px < min_area_px:
        raise PipelineError(
            "E141",
            f"The region has {area_px} px, a defect needs at least {min_area_px}.",
            "Widen synthesize.regions of the station (or lower min_area_px).",
        )
