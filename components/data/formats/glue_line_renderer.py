"""Draws the glue line itself, good or defective, and writes the data set's files.

The bead follows a smooth path; half its width and its sideways offset vary along it. A defect is
a change of these two curves alone, so the same part can be drawn without it: the mask is exactly
where the two noise-free pictures differ visibly.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from components.data.formats.glue_line import DEFECT_TYPES, GlueLine
from components.data.formats.glue_line_scene import Lighting, Plane, clouds, expose, light, sheet
from components.data.formats.glue_line_scene import step as smooth_step
from components.data.images import Mask, write_png

Curve = NDArray[np.float64]

# Where the robot goes, x and y in 0..1: along the sheet, then up and out at the right.
PATH: tuple[tuple[float, float], ...] = (
    (-0.04, 0.605),
    (0.18, 0.585),
    (0.38, 0.555),
    (0.58, 0.55),
    (0.735, 0.535),
    (0.845, 0.455),
    (0.905, 0.31),
    (0.93, 0.14),
    (0.935, -0.05),
)
_NUM_POINTS = 1600
_VISIBLE = 3 / 255  # a smaller difference is no defect
_SHARE_TRAIN = 2 / 3
_TRIES = 20


@dataclass(frozen=True)
class Bead:
    """A bead along its path: sideways offset and half-width, in pixels of a 640 px picture."""

    offset: Curve
    half_width: Curve


# --- curves along the bead ----------------------------------------------------------------------


def _path(width_px: int, height_px: int) -> tuple[Curve, Curve, Curve]:
    """Return points, unit normals (both N×2, pixels) and arc length (N, pixels of 640)."""
    knots = np.array(PATH) * (width_px, height_px)
    along = np.r_[0, np.cumsum(np.hypot(*np.diff(knots, axis=0).T))]
    spline = CubicSpline(along, knots)
    at = np.linspace(0, along[-1], _NUM_POINTS)
    tangent = spline(at, 1)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    return spline(at), np.stack([-tangent[:, 1], tangent[:, 0]], axis=1), at * 640 / width_px


def _wander(rng: Generator, length: float, spread: float) -> Curve:
    """Return a smooth random curve; ``length`` is its correlation length as a share of the bead."""
    noise = clouds(rng, 1, _NUM_POINTS, length * _NUM_POINTS, 1)[0]
    return spread * noise.astype(np.float64)


def good_bead(rng: Generator) -> Bead:
    """Draw a bead as a healthy nozzle lays it."""
    offset = rng.normal(0, 1.2) + _wander(rng, 0.16, 1.5) + _wander(rng, 0.03, 0.25)
    half_width = rng.normal(10.8, 0.5) + _wander(rng, 0.10, 0.55) + _wander(rng, 0.018, 0.22)
    return Bead(offset, np.clip(half_width, 7, 15))


def spoil(bead: Bead, defect_type: str, arc: Curve, rng: Generator) -> Bead:
    """Return the bead with one defect somewhere along its visible part."""
    centre = rng.uniform(arc[-1] * 0.08, arc[-1] * 0.92)
    away = np.abs(arc - centre)
    if defect_type == "gap":
        half = rng.uniform(7, 20)
        ends = np.sqrt(np.clip((away - half) / 8, 0, 1))  # glue draws back into round ends
        return replace(bead, half_width=bead.half_width * ends)
    if defect_type == "blob":
        bump = np.exp(-((away / rng.uniform(9, 20)) ** 2))
        push = rng.uniform(-4, 4) * bump
        swell = 1 + rng.uniform(0.5, 1.1) * bump
        return Bead(bead.offset + push, bead.half_width * swell)
    if defect_type == "thin":
        window = np.exp(-((away / rng.uniform(30, 75)) ** 4))
        return replace(bead, half_width=bead.half_width * (1 - rng.uniform(0.38, 0.62) * window))
    assert defect_type == "wavy", defect_type
    window = np.exp(-((away / rng.uniform(45, 95)) ** 4))
    wave = np.sin((arc - centre) / rng.uniform(30, 60) * 2 * np.pi + rng.uniform(0, 2 * np.pi))
    return replace(bead, offset=bead.offset + rng.uniform(3.5, 7.0) * wave * window)


# --- drawing ------------------------------------------------------------------------------------


def _nearest(points: Curve, shape: tuple[int, ...]) -> tuple[NDArray[np.intp], Plane]:
    """Return for each pixel the index of the nearest path point, and about how far it is."""
    rounded = np.rint(points).astype(int)
    inside = ((rounded >= 0) & (rounded < (shape[1], shape[0]))).all(axis=1)
    columns, rows = rounded[inside].T
    blank = np.ones(shape, dtype=np.uint8)
    blank[rows, columns] = 0
    distance, labels = cv2.distanceTransformWithLabels(
        blank, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    index_of = np.zeros(labels.max() + 1, dtype=np.intp)
    index_of[labels[rows, columns]] = np.flatnonzero(inside)
    return index_of[labels], distance


def draw_scene(metal: Plane, bead: Bead, lamp: Lighting, skin: Plane) -> Plane:
    """Return the light that reaches the camera, H×W; ``skin`` is the glue's surface noise."""
    scale = metal.shape[1] / 640
    points, normals, _ = _path(metal.shape[1], metal.shape[0])
    points = points + normals * (bead.offset * scale)[:, None]
    nearest, distance = _nearest(points, metal.shape)
    near = distance < (bead.half_width.max() + 4) * scale  # the rest is bare metal
    index = nearest[near]
    rows, columns = np.nonzero(near)
    away = np.stack([columns, rows], axis=1) - points[index]
    half = np.maximum(bead.half_width[index] * scale, 1e-3)
    covered = smooth_step(half - np.hypot(*away.T), 0.8) * smooth_step(half - 1.5 * scale, 1.0)
    across = np.clip((away * normals[index]).sum(axis=1) / half, -1, 1)
    cover, glue = np.zeros_like(metal), np.zeros_like(metal)
    cover[near] = covered
    glue[near] = _glue(across, normals[index], lamp, skin[near])
    bare = (metal + lamp.glare) * (1 - 0.42 * _cast(cover, lamp, scale))
    lit: Plane = (bare * (1 - cover) + glue * cover) * lamp.strength
    return lit


def _cast(cover: Plane, lamp: Lighting, scale: float) -> Plane:
    """Return the bead's soft shadow on the metal, 0..1."""
    height_px, width_px = cover.shape
    move = np.array([[1, 0, -5.5 * scale * lamp.toward[0]], [0, 1, -5.5 * scale * lamp.toward[1]]])
    cast = cv2.warpAffine(cover, move, (width_px, height_px), borderMode=cv2.BORDER_REPLICATE)
    blurred: Plane = cv2.GaussianBlur(cast, (0, 0), 3.2 * scale)
    return blurred


def _glue(tilt: Curve, normals: Curve, lamp: Lighting, skin: Plane) -> Curve:
    """Shade a round bead: ``tilt`` -1..1 across it (Lambert, and a highlight after Blinn)."""
    tilt = np.clip(tilt + 0.10 * skin, -1, 1)
    up = np.sqrt(1 - 0.92 * tilt**2)
    sideways = tilt * (normals[..., 0] * lamp.toward[0] + normals[..., 1] * lamp.toward[1])
    lambert = np.clip(0.62 * up + 0.70 * sideways, 0, None)
    highlight = np.clip(0.90 * up + 0.43 * sideways, 0, 1) ** 26
    return 0.115 + 0.27 * lambert + 0.20 * highlight + 0.008 * skin


def render(params: GlueLine, index: int, defect_type: str | None) -> tuple[NDArray[np.uint8], Mask]:
    """Render part number ``index``: the picture (H×W, uint8) and the exact mask (H×W)."""
    sequences = SeedSequence([params.seed, index]).spawn(4)
    part, lamp_rng, camera, fault = (default_rng(sequence) for sequence in sequences)
    size = (params.height_px, params.width_px)
    lamp = light(lamp_rng, *size)
    metal = sheet(part, *size, lamp.toward)
    skin = clouds(part, *size, 6 * params.width_px / 640, 6 * params.width_px / 640)
    bead = good_bead(part)
    place = _placement(part, *size)
    # The exposure drifts over the shift, and the controller adds its own.
    gain = 1.12 + 0.16 * np.sin(index / 17.0 + params.seed) + camera.normal(0, 0.07)
    good = _placed(draw_scene(metal, bead, lamp, skin), place)
    if defect_type is None:
        return expose(good, gain, camera), np.zeros(size, dtype=np.bool_)
    arc = _path(params.width_px, params.height_px)[2]
    for _ in range(_TRIES):
        spoilt = spoil(bead, defect_type, arc, fault)
        bad = _placed(draw_scene(metal, spoilt, lamp, skin), place)
        mask = _visible_difference(bad, good, gain)
        if np.count_nonzero(mask) >= 100 * (params.width_px / 640) ** 2:
            return expose(bad, gain, camera), mask
    raise AssertionError(f"no visible {defect_type} in {_TRIES} tries")


def _placement(rng: Generator, height_px: int, width_px: int) -> Curve:
    """Return how the clamp holds this part: within a pixel or two, a fraction of a degree."""
    turned = cv2.getRotationMatrix2D((width_px / 2, height_px / 2), rng.normal(0, 0.15), 1.0)
    turned[:, 2] += rng.normal(0, 1.1, 2) * width_px / 640
    return np.asarray(turned)


def _placed(scene: Plane, place: Curve) -> Plane:
    size = scene.shape[::-1]
    moved: Plane = cv2.warpAffine(scene, place, size, borderMode=cv2.BORDER_REPLICATE)
    return moved


def _visible_difference(bad: Plane, good: Plane, gain: float) -> Mask:
    """Return where two noise-free pictures differ visibly, with the thin lines between closed.

    Inside a defect the two pictures cross, and there they happen to agree.
    """
    differs = (np.abs(bad - good) * gain > _VISIBLE).astype(np.uint8)
    side = max(1, round(7 * good.shape[1] / 640))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx(differs, cv2.MORPH_CLOSE, disk)
    mask: Mask = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0
    return mask


def render_all(params: GlueLine, out: Path) -> None:
    """Write the whole data set in MVTec AD's layout; parts come off the line in mixed order."""
    order = default_rng(SeedSequence([params.seed, 2**31])).permutation(
        params.num_normal + params.num_defective
    )
    num_train = max(1, round(params.num_normal * _SHARE_TRAIN))
    for i, index in enumerate(int(number) for number in order):
        name = f"part_{index:04d}"
        if i < params.num_normal:
            folder = "train/good" if i < num_train else "test/good"
            write_png(out / folder / f"{name}.png", render(params, index, None)[0])
            continue
        defect_type = DEFECT_TYPES[(i - params.num_normal) % len(DEFECT_TYPES)]
        image, mask = render(params, index, defect_type)
        write_png(out / "test" / defect_type / f"{name}.png", image)
        write_png(out / "ground_truth" / defect_type / f"{name}_mask.png", mask)
