"""Perlin: islands of a foreign texture, shaped by thresholded gradient noise."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from components.data.images import opencv
from components.levels import Unit
from components.synthesize.places import jittered, random_box
from components.synthesize.visible import Mask, Scene, SyntheticDefect


class Perlin(SyntheticDefect):
    """The anomaly simulator of Zavrtanik et al., DRAEM (ICCV 2021), section 3.3.

    ``(1 - M) image + (1 - b) M image + b M texture``, b uniform in ``opacity``; M is where
    Perlin noise of 2^k cells a side, k drawn for each side, exceeds ``threshold``. The texture is
    a turned and jittered cut of the donor, so that nothing foreign to the station is needed.
    """

    kind: Literal["perlin"] = "perlin"
    cells_log2: tuple[int, int] = (0, 5)  # both ends are drawn
    threshold: float = Field(default=0.5, gt=0, lt=1)  # of noise that lies in about -1..1
    opacity: tuple[float, float] = (0.1, 1.0)
    cut: tuple[float, float] = (0.4, 1.0)  # side of the texture's cut, share of the donor's
    jitter: float = Field(default=0.3, ge=0, lt=1)
    islands: tuple[int, int] = (1, 4)  # how many are kept; the paper keeps all

    def propose(self, scene: Scene, rng: np.random.Generator) -> tuple[Unit, Mask]:
        """Mix the texture into the islands."""
        low, high = self.opacity
        opacity = np.float32(rng.uniform(min(high, low * scene.effort**2), high))
        cells = 2 ** rng.integers(*self.cells_log2, size=2, endpoint=True)
        noise = turned_noise(scene.region.shape, cells, rng)
        islands = (noise > self.threshold / scene.effort) & scene.region
        islands = some_groups(islands, int(rng.integers(*self.islands, endpoint=True)), rng)
        texture = self._texture(scene, rng)
        return scene.image + opacity * (texture - scene.image), islands

    def _texture(self, scene: Scene, rng: np.random.Generator) -> Unit:
        cv2 = opencv()
        height, width = (max(1, round(s * rng.uniform(*self.cut))) for s in scene.donor.shape[:2])
        cut = scene.donor[random_box((height, width), scene.donor.shape, rng).rows_columns]
        cut = np.ascontiguousarray(np.rot90(cut, int(rng.integers(4))))
        resized = cv2.resize(cut, scene.region.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return jittered(resized, self.jitter, rng)


def some_groups(mask: Mask, number: int, rng: np.random.Generator) -> Mask:
    """Keep ``number`` of the mask's connected groups (all where it has fewer), drawn at random.

    Hundreds of specks all over the part would be found by any detector, and by a mean.
    """
    num_labels, groups = opencv().connectedComponents(mask.astype(np.uint8))
    chosen = 1 + rng.permutation(num_labels - 1)[:number]
    is_kept = np.zeros(num_labels, np.bool_)
    is_kept[chosen] = True
    kept: Mask = is_kept[groups]
    return kept


def turned_noise(
    shape: tuple[int, ...], cells: NDArray[np.int64], rng: np.random.Generator
) -> Unit:
    """Return Perlin noise HxW, about -1..1, turned by a random angle about the centre."""
    cv2 = opencv()
    height, width = shape
    noise = gradient_noise((height, width), (int(cells[0]), int(cells[1])), rng)
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, rng.uniform(-90, 90), 1.0)
    turned: Unit = cv2.warpAffine(noise, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return turned


def gradient_noise(
    shape: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator
) -> Unit:
    """Return gradient noise HxW with ``cells`` rows and columns of lattice cells.

    Perlin, Improving Noise (SIGGRAPH 2002): unit gradients on the lattice, quintic fade, times
    sqrt(2), which puts the extremes of two-dimensional noise at -1 and 1. A pixel's four corners
    are weighted by rows and by columns apart, so the sums over corners are matrix products.
    """
    angle = rng.uniform(0, 2 * math.pi, size=(cells[0] + 1, cells[1] + 1)).astype(np.float32)
    weight_down, ramp_down = _lattice(shape[0], cells[0])
    weight_across, ramp_across = _lattice(shape[1], cells[1])
    downward = ramp_down @ np.sin(angle) @ weight_across.T
    across = weight_down @ np.cos(angle) @ ramp_across.T
    noise: Unit = np.float32(math.sqrt(2)) * (downward + across)
    return noise


def _lattice(length_px: int, cells: int) -> tuple[Unit, Unit]:
    """Return pixels x nodes: each node's weight at a pixel, and that times the way from it."""
    place = (np.arange(length_px) + 0.5) * cells / length_px
    way = place[:, None] - np.arange(cells + 1)[None, :]
    near = np.clip(1 - np.abs(way), 0, 1)
    weight = near**3 * (near * (near * 6 - 15) + 10)
    return weight.astype(np.float32), (weight * way).astype(np.float32)
