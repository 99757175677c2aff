"""Warp: strokes of a brush that pushes the picture along, as GIMP's Warp Transform does.

Legend: a displacement field is float32 HxWx2 (x, y in pixels); the warped image at a pixel is
the image at that pixel minus its displacement.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from components.data.images import opencv
from components.levels import Unit
from components.synthesize.places import Box, random_point
from components.synthesize.visible import Mask, Scene, SyntheticDefect

Field2D = NDArray[np.float32]


class Warp(SyntheticDefect):
    """Material displaced within the region: jitter of the nozzle, a shifted edge, a dent.

    Paper 003, section 3.4: strokes from subtle to large, the mask being what moved. Lengths are
    shares of the image's shorter side.
    """

    kind: Literal["warp"] = "warp"
    strokes: tuple[int, int] = (1, 3)
    radius: tuple[float, float] = (0.04, 0.11)  # of the brush; its push fades out towards it
    push: tuple[float, float] = (0.25, 0.8)  # way of the brush, in radii
    min_displacement_px: float = Field(default=0.5, gt=0)  # less is no part of the defect

    def propose(self, scene: Scene, rng: np.random.Generator) -> tuple[Unit, Mask]:
        """Push a few strokes on structure inside the region."""
        cv2 = opencv()
        height, width = scene.region.shape
        field = np.zeros((height, width, 2), np.float32)
        for _ in range(int(rng.integers(*self.strokes, endpoint=True))):
            radius_px = max(4.0, scene.side_px * rng.uniform(*self.radius) * scene.effort**0.5)
            way_px = radius_px * rng.uniform(*self.push) * scene.effort
            start = _on_structure(scene, round(radius_px), rng)
            stroke(field, start, radius_px, way_px, rng)
        columns, rows = np.meshgrid(
            np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        )
        warped = cv2.remap(
            scene.image,
            columns - field[..., 0],
            rows - field[..., 1],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        moved = np.hypot(field[..., 0], field[..., 1]) >= self.min_displacement_px
        return warped, moved


def _on_structure(scene: Scene, radius_px: int, rng: np.random.Generator) -> tuple[int, int]:
    """Of a few points in the region take the most contrasted: a plain area hides any push."""

    def contrast(point: tuple[int, int]) -> float:
        rows = slice(max(0, point[0] - radius_px), point[0] + radius_px + 1)
        columns = slice(max(0, point[1] - radius_px), point[1] + radius_px + 1)
        return float(scene.image[rows, columns].std())

    return max((random_point(scene.region, rng) for _ in range(4)), key=contrast)


def stroke(
    field: Field2D,
    start: tuple[int, int],
    radius_px: float,
    way_px: float,
    rng: np.random.Generator,
) -> None:
    """Add one stroke to ``field`` in place: short steps on a gently bending way."""
    steps = max(2, math.ceil(way_px / (0.2 * radius_px)))
    heading = rng.uniform(0, 2 * math.pi)
    bend = rng.normal(0, 0.6) / steps
    row, column = float(start[0]), float(start[1])
    for _ in range(steps):
        push = way_px / steps * np.array([math.cos(heading), math.sin(heading)], np.float32)
        dab(field, (row, column), radius_px, push)
        column, row = column + float(push[0]), row + float(push[1])
        heading += bend


def dab(
    field: Field2D, centre: tuple[float, float], radius_px: float, push_xy: NDArray[np.float32]
) -> None:
    """Compose one push with what ``field`` already holds, in place.

    The push fades as (1 - (distance / radius)²)². A step shorter than 0.6 radii cannot fold the
    picture: the steepest slope of that falloff is 1.54 / radius.
    """
    cv2 = opencv()
    box = _around(centre, radius_px, field.shape)
    rows = np.arange(box.top, box.bottom, dtype=np.float32)[:, None]
    columns = np.arange(box.left, box.right, dtype=np.float32)[None, :]
    distance = ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / radius_px**2
    falloff = np.square(np.clip(1 - distance, 0, 1), dtype=np.float32)
    step_x, step_y = falloff * push_xy[0], falloff * push_xy[1]
    carried = cv2.remap(
        field,
        np.broadcast_to(columns, falloff.shape) - step_x,
        np.broadcast_to(rows, falloff.shape) - step_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    field[box.rows_columns] = carried + np.stack([step_x, step_y], axis=2)


def _around(centre: tuple[float, float], radius_px: float, shape: tuple[int, ...]) -> Box:
    top, left = (max(0, math.floor(c - radius_px)) for c in centre)
    bottom = min(shape[0], math.ceil(centre[0] + radius_px) + 1)
    right = min(shape[1], math.ceil(centre[1] + radius_px) + 1)
    return Box(min(top, shape[0] - 1), min(left, shape[1] - 1), max(bottom, 1), max(right, 1))
