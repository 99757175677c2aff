"""The part under the glue: brushed sheet metal with stampings, its lighting, and the camera.

The part and the camera stand still; the metal's grain, scratches and oil, the light and the
exposure differ from picture to picture, as paper 003 (3.1) says of real plants. Values are
reflectances or light in 0..1 or a little above; coordinates x, y run 0..1 over the picture.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Plane = NDArray[np.floating[Any]]  # H×W

# Stampings: centre x, y, then the radius (and half the length of the slot) in picture heights.
HOLES = ((0.27, 0.27, 0.062), (0.635, 0.33, 0.036), (0.14, 0.9, 0.03))
SLOT = (0.76, 0.885, 0.08, 0.028)


@dataclass(frozen=True)
class Lighting:
    """The light on one picture: a direction in the image plane and its strength per pixel."""

    toward: tuple[float, float]  # unit vector to the lamp, x right, y down
    strength: Plane
    glare: Plane  # light mirrored by the bare metal, added to it


def grid(height_px: int, width_px: int) -> tuple[Plane, Plane]:
    """Return x and y of each pixel's centre, 0..1."""
    x = (np.arange(width_px, dtype=np.float32) + 0.5) / width_px
    y = (np.arange(height_px, dtype=np.float32) + 0.5) / height_px
    shape = (height_px, width_px)
    return np.broadcast_to(x, shape), np.broadcast_to(y[:, None], shape)


def step(distance: Plane, softness: float) -> Plane:
    """Return a smooth step from 0 to 1 around distance 0."""
    t = np.clip(distance / (2 * softness) + 0.5, 0, 1)
    smooth: Plane = t * t * (3 - 2 * t)
    return smooth


def clouds(rng: Generator, height_px: int, width_px: int, across: float, down: float) -> Plane:
    """Return smooth noise of mean 0 and standard deviation 1; correlation lengths in pixels."""
    shrink_x, shrink_y = max(across / 3, 1), max(down / 3, 1)
    small = (int(height_px / shrink_y) + 4, int(width_px / shrink_x) + 4)
    noise = rng.standard_normal(small, dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), max(across / shrink_x, 0.3), sigmaY=down / shrink_y)
    noise = cv2.resize(noise, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    scaled: Plane = (noise - noise.mean()) / (noise.std() + 1e-6)
    return scaled


# --- the sheet ----------------------------------------------------------------------------------


def sheet(rng: Generator, height_px: int, width_px: int, toward: tuple[float, float]) -> Plane:
    """Return the reflectance of the bare part, H×W."""
    x, y = grid(height_px, width_px)
    metal = 0.45 + _grain(rng, height_px, width_px)
    metal = _rib(metal, x + 0.06 * y, y, toward) * _upper(y)
    metal = _lap(metal, y - 0.735 - 0.045 * x, rng)
    _press_recess(metal, toward)
    for centre_x, centre_y, radius in HOLES:
        _punch(metal, (centre_x, centre_y), 0.0, radius, toward)
    _punch(metal, SLOT[:2], SLOT[2], SLOT[3], toward)
    return np.clip(_wear(metal, rng), 0.02, 1.0)


def _around(
    shape: tuple[int, ...], centre: tuple[float, float], reach: tuple[float, float]
) -> tuple[tuple[slice, slice], Plane, Plane]:
    """Return a window of the picture and its x, y from the centre, in heights of the picture."""
    height_px, width_px = shape
    aspect = width_px / height_px
    x, y = grid(height_px, width_px)
    rows = slice(
        max(int((centre[1] - reach[1]) * height_px), 0), int((centre[1] + reach[1]) * height_px)
    )
    across = reach[0] / aspect
    columns = slice(
        max(int((centre[0] - across) * width_px), 0), int((centre[0] + across) * width_px)
    )
    window = (rows, columns)
    return window, (x[window] - centre[0]) * aspect, y[window] - centre[1]


def _grain(rng: Generator, height_px: int, width_px: int) -> Plane:
    """Brushing leaves long fine streaks; rolling leaves broad faint bands."""
    scale = width_px / 640
    fine = clouds(rng, height_px, width_px, 28 * scale, 0.55)
    long = clouds(rng, height_px, width_px, 160 * scale, 1.1)
    broad = clouds(rng, height_px, width_px, 130 * scale, 70 * scale)
    speckle = clouds(rng, height_px, width_px, 1.2, 0.7)
    return 0.013 * fine + 0.012 * long + 0.016 * broad + 0.009 * speckle


def _upper(y: Plane) -> Plane:
    """The sheet bends away from the camera at the top."""
    return 1 - 0.35 * step(0.085 - y, 0.02) + 0.18 * np.exp(-(((y - 0.10) / 0.012) ** 2))


def _rib(metal: Plane, x: Plane, y: Plane, toward: tuple[float, float]) -> Plane:
    """A pressed rib runs down from the top and fades out above the glue."""
    across = (x - 0.475) / 0.014
    slope = across * np.exp(-0.5 * across**2) * step(0.44 - y, 0.06)
    return metal * (1 + 0.32 * toward[0] * slope)


def _lap(metal: Plane, below: Plane, rng: Generator) -> Plane:
    """A second sheet lies underneath: darker, with a lit cut edge and the upper one's shadow."""
    under = 0.71 + 0.25 * step(below - 0.035, 0.03)
    edge = np.exp(-((below / 0.0035) ** 2)) * (0.30 + 0.05 * rng.standard_normal())
    return metal * (1 - step(below, 0.003) * (1 - under)) + edge.astype(np.float32)


def _press_recess(metal: Plane, toward: tuple[float, float]) -> None:
    """Press a field on the left, with a darker ground under the glue (the paper's area A)."""
    window, dx, dy = _around(metal.shape, (0.125, 0.575), (0.2, 0.17))
    outside = np.hypot(np.maximum(np.abs(dx) - 0.085, 0), np.maximum(np.abs(dy) - 0.055, 0))
    wall = np.exp(-(((outside - 0.045) / 0.014) ** 2))
    metal[window] *= 1 - 0.34 * step(0.045 - outside, 0.016)
    metal[window] *= 1 - 0.30 * _facing(dx, dy, toward) * wall


def _punch(
    metal: Plane,
    centre: tuple[float, float],
    half_length: float,
    radius: float,
    toward: tuple[float, float],
) -> None:
    """Punch a hole or slot: black inside, its rolled edge lit on the side that faces the lamp."""
    reach = radius + 0.03
    window, dx, dy = _around(metal.shape, centre, (reach + half_length, reach))
    dx = dx - np.clip(dx, -half_length, half_length)
    away = np.hypot(dx, dy) - radius
    facing = _facing(dx, dy, toward)
    rolled = metal[window] * (1 + 0.45 * facing * np.exp(-(((away - 0.006) / 0.006) ** 2)))
    wall = np.exp(-((away / 0.012) ** 2)) * np.clip(facing, 0, 1)
    cut = step(-away, 0.0025)
    metal[window] = rolled * (1 - cut) + (0.05 + 0.16 * wall) * cut


def _facing(dx: Plane, dy: Plane, toward: tuple[float, float]) -> Plane:
    """Return -1..1: how far the slope falling to the centre faces the lamp."""
    return -(dx * toward[0] + dy * toward[1]) / (np.hypot(dx, dy) + 1e-6)


def _wear(metal: Plane, rng: Generator) -> Plane:
    """Scratches and traces of drawing oil, other ones on every part."""
    height_px, width_px = metal.shape
    scratches = np.zeros_like(metal)
    for _ in range(int(rng.integers(3, 10))):
        start = rng.uniform(0, 1, 2) * (width_px, height_px)
        reach = rng.normal(0, 0.12, 2) * (width_px, height_px * 0.5)
        ends = [tuple(int(v * 16) for v in point) for point in (start, start + reach)]
        tone = float(rng.normal(0, 0.05))
        cv2.line(scratches, ends[0], ends[1], tone, 1, cv2.LINE_AA, 4)
    oil = clouds(rng, height_px, width_px, width_px / 16, width_px / 22)
    stains = step(oil.astype(np.float32) - 1.7, 0.35) * rng.uniform(0.02, 0.10)
    return metal * (1 - stains) + cv2.GaussianBlur(scratches, (0, 0), 0.6)


# --- light and camera ---------------------------------------------------------------------------


def light(rng: Generator, height_px: int, width_px: int) -> Lighting:
    """Draw one picture's light: a lamp, its fall-off, a reflection, now and then a shadow."""
    x, y = grid(height_px, width_px)
    angle = np.deg2rad(-125 + rng.normal(0, 22))
    toward = (float(np.cos(angle)), float(np.sin(angle)))
    slope = rng.uniform(0.10, 0.55)
    strength = 1 + slope * (toward[0] * (x - 0.5) + toward[1] * (y - 0.5))
    strength = strength * (1 - 0.30 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))  # vignetting
    if rng.random() < 0.3:
        tilt, place = rng.uniform(-0.6, 0.6), rng.uniform(0.1, 0.9)
        band = step(np.float32(rng.uniform(0.06, 0.2)) - np.abs(x + tilt * y - place), 0.07)
        strength = strength * (1 - rng.uniform(0.08, 0.28) * band)
    centre_x, centre_y = rng.uniform(0.1, 0.9), rng.uniform(0.0, 0.5)
    spot = np.exp(-(((x - centre_x) / 0.24) ** 2) - ((y - centre_y) / 0.17) ** 2)
    glare = rng.uniform(0.0, 0.24) * spot
    return Lighting(toward, strength.astype(np.float32), glare.astype(np.float32))


def expose(scene: Plane, gain: float, rng: Generator) -> NDArray[np.uint8]:
    """Take the picture: lens blur, shot and read noise, 8 bits with a soft shoulder."""
    blurred = cv2.GaussianBlur(scene, (0, 0), 0.75)
    signal = np.clip(blurred * gain, 0, None)
    electrons = 2600 * signal
    noisy = electrons + np.sqrt(electrons + 14**2) * rng.standard_normal(scene.shape, np.float32)
    value = noisy / 2600
    shoulder = np.where(value > 0.8, 0.8 + 0.2 * np.tanh((value - 0.8) / 0.2), value)
    return np.clip(np.rint(shoulder * 255), 0, 255).astype(np.uint8)
