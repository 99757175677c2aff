"""NSA: pieces of another normal image, blended in without a seam."""

from typing import Literal

import numpy as np
from pydantic import Field

from components.data.images import opencv
from components.levels import Unit
from components.synthesize.places import Box, box_within, random_box, random_point
from components.synthesize.poisson import blend
from components.synthesize.visible import Mask, Scene, SyntheticDefect

_MIN_SIDE_PX = 5


class Nsa(SyntheticDefect):
    """Natural synthetic anomalies of Schlüter et al. (ECCV 2022), section 3.

    Half-widths of a patch are Gamma(shape, scale) + offset of each side, cut at
    ``max_half_width``; the patch is resized and blended by Poisson's equation. Towards the
    region's edge the change fades out, so that the region leaves no seam either.
    """

    kind: Literal["nsa"] = "nsa"
    patches: tuple[int, int] = (3, 4)
    gamma: tuple[float, float] = (2.0, 0.05)  # shape, scale
    offset: float = Field(default=0.03, ge=0, lt=0.5)
    max_half_width: float = Field(default=0.2, gt=0, le=0.5)
    resize: tuple[float, float] = (0.7, 1.3)
    fade_px: float = Field(default=4.0, gt=0)

    def propose(self, scene: Scene, rng: np.random.Generator) -> tuple[Unit, Mask]:
        """Blend a few patches of the donor, each centred in the region."""
        changed, touched = scene.image.copy(), np.zeros_like(scene.region)
        weight = fade(scene.region, self.fade_px) * np.float32(scene.effort)
        for _ in range(int(rng.integers(*self.patches, endpoint=True))):
            patch = self._patch(scene, rng)
            centre = random_point(scene.region, rng)
            box: Box = box_within(centre, patch.shape[:2], scene.region.shape)
            inside = box.rows_columns
            fitted = patch[: box.bottom - box.top, : box.right - box.left]
            before = changed[inside]
            share = weight[inside] if before.ndim == 2 else weight[inside][..., None]
            changed[inside] = before + share * (blend(before, fitted) - before)
            touched[inside] = True
        return changed, touched

    def _patch(self, scene: Scene, rng: np.random.Generator) -> Unit:
        cv2 = opencv()
        shares = np.minimum(rng.gamma(*self.gamma, size=2) + self.offset, self.max_half_width)
        sides = 2 * shares * scene.donor.shape[:2]
        height, width = (max(_MIN_SIDE_PX, round(float(side))) for side in sides)
        cut = scene.donor[random_box((height, width), scene.donor.shape, rng).rows_columns]
        factor = rng.uniform(*self.resize)
        size = tuple(max(_MIN_SIDE_PX, round(side * factor)) for side in cut.shape[1::-1])
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        resized: Unit = cv2.resize(cut, size, interpolation=method)
        return resized


def fade(region: Mask, fade_px: float) -> Unit:
    """Return weights HxW: 0 outside the region, rising to 1 at ``fade_px`` from its edge."""
    cv2 = opencv()
    # The frame of the image is no edge: blending keeps its own border there.
    padded = np.pad(region.astype(np.uint8), 1, mode="edge")
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    weight: Unit = np.clip(distance / np.float32(fade_px), 0, 1)
    return weight
