"""CutPaste: a piece of the image itself, put down elsewhere with its edges showing."""

import math
from typing import Literal

import numpy as np
from pydantic import Field

from components.data.images import opencv
from components.levels import Unit
from components.synthesize.places import Box, box_within, jittered, random_box, random_point
from components.synthesize.visible import Mask, Scene, SyntheticDefect


class CutPaste(SyntheticDefect):
    """Patch and scar of Li et al., CutPaste (CVPR 2021), sections 2.1 and 2.2.

    A patch covers ``area`` of the image; a scar is thin and turned. Scar sizes are the paper's
    pixels at 256 px and grow with the image's shorter side.
    """

    kind: Literal["cutpaste"] = "cutpaste"
    variants: tuple[Literal["patch", "scar"], ...] = Field(("patch", "scar"), min_length=1)
    area: tuple[float, float] = (0.02, 0.15)
    aspect: tuple[float, float] = (0.3, 3.3)
    scar_width_px: tuple[float, float] = (2.0, 16.0)
    scar_length_px: tuple[float, float] = (10.0, 25.0)
    scar_degrees: tuple[float, float] = (-45.0, 45.0)
    jitter: float = Field(default=0.1, ge=0, lt=1)

    def propose(self, scene: Scene, rng: np.random.Generator) -> tuple[Unit, Mask]:
        """Paste one patch or one scar, centred in the region."""
        variant = self.variants[int(rng.integers(len(self.variants)))]
        is_patch = variant == "patch"
        size = self._patch_size(scene, rng) if is_patch else self._scar_size(scene, rng)
        source = random_box(size, scene.image.shape, rng)
        jitter = min(0.9, self.jitter * scene.effort)
        piece = jittered(scene.image[source.rows_columns], jitter, rng)
        cover = np.ones(piece.shape[:2], np.bool_)
        if not is_patch:
            piece, cover = turned(piece, rng.uniform(*self.scar_degrees))
        return _pasted(scene, piece, cover, rng)

    def _patch_size(self, scene: Scene, rng: np.random.Generator) -> tuple[int, int]:
        area_px = rng.uniform(*self.area) * scene.region.size
        aspect = math.exp(rng.uniform(*np.log(self.aspect)))
        return _whole(math.sqrt(area_px / aspect)), _whole(math.sqrt(area_px * aspect))

    def _scar_size(self, scene: Scene, rng: np.random.Generator) -> tuple[int, int]:
        scale = scene.side_px / 256 * scene.effort
        width_px = rng.uniform(*self.scar_width_px) * scale
        return _whole(rng.uniform(*self.scar_length_px) * scale), _whole(width_px)


def turned(piece: Unit, degrees: float) -> tuple[Unit, Mask]:
    """Rotate a piece onto the smallest canvas that holds it; the mask marks the piece."""
    cv2 = opencv()
    height, width = piece.shape[:2]
    cosine = abs(math.cos(math.radians(degrees)))
    sine = abs(math.sin(math.radians(degrees)))
    size = _whole(width * cosine + height * sine), _whole(width * sine + height * cosine)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    matrix[:, 2] += (np.array(size) - (width, height)) / 2
    canvas = cv2.warpAffine(piece, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(np.ones((height, width), np.uint8), matrix, size)
    return canvas, cover.astype(np.bool_)


def _pasted(scene: Scene, piece: Unit, cover: Mask, rng: np.random.Generator) -> tuple[Unit, Mask]:
    height, width = scene.region.shape
    piece, cover = piece[:height, :width], cover[:height, :width]
    centre = random_point(scene.region, rng)
    target: Box = box_within(centre, cover.shape, scene.region.shape)
    changed, touched = scene.image.copy(), np.zeros_like(scene.region)
    changed[target.rows_columns] = piece
    touched[target.rows_columns] = cover
    return changed, touched


def _whole(length_px: float) -> int:
    return max(1, round(length_px))
