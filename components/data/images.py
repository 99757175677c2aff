"""Images on disk and in memory: limits before decoding, one honest reader, one writer.

Everyone else sees arrays: H×W or H×W×3 (RGB), uint8 or uint16. The orientation tag of EXIF is
ignored everywhere, so that an image and its mask always lie on each other as stored.
"""

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.data.headers import (
    EXTENSIONS,
    GREY_MODES,
    PILLOW_ERRORS,
    Header,
    ImageLimits,
    ImageRejected,
    probe,
    read_header,
    size_of,
    undecodable,
)

__all__ = [
    "EXTENSIONS",
    "Header",
    "Image",
    "ImageLimits",
    "ImageRejected",
    "ImageStats",
    "Mask",
    "as_mask",
    "decode_image",
    "grey",
    "measure",
    "opencv",
    "read_bytes",
    "read_header",
    "read_image",
    "read_mask",
    "to_model_input",
    "write_png",
]

Image = NDArray[np.uint8] | NDArray[np.uint16]
Mask = NDArray[np.bool_]

_ALPHA_MODES = {"LA", "RGBA", "PA"}
_THUMB_SIDE = 16


@dataclass(frozen=True)
class ImageStats:
    """Brightness and contrast in 0..1, sharpness (Laplacian variance), 256-bit thumbprint."""

    brightness: float
    contrast: float
    sharpness: float
    thumbprint: str


@cache
def opencv() -> Any:
    """Return cv2, held to one thread (parallel work here is by processes)."""
    import cv2

    cv2.setNumThreads(1)
    return cv2


# --- reading ------------------------------------------------------------------------------------


def read_image(path: Path, limits: ImageLimits | None = None) -> Image:
    """Read an image as uint8 or uint16, H×W or H×W×3 RGB (palettes become RGB).

    Raises:
        ImageRejected: as for :func:`read_header`, or truncated, or with transparent pixels.
    """
    limits = limits or ImageLimits()
    return decode_image(read_bytes(path, limits), path, limits)[1]


def read_bytes(path: Path, limits: ImageLimits) -> bytes:
    """Read a file's bytes within the limits.

    Raises:
        ImageRejected: oversized, or unreadable.
    """
    if size_of(path) > limits.max_bytes:
        raise ImageRejected("oversized", path, f"more than {limits.max_bytes} bytes")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageRejected("unreadable", path, error.strerror or str(error)) from None


def decode_image(data: bytes, path: Path, limits: ImageLimits) -> tuple[Header, Image]:
    """Decode a file's bytes (header first); ``path`` gives the extension and the messages.

    Raises:
        ImageRejected: as for :func:`read_image`.
    """
    header, opened = probe(io.BytesIO(data), path, len(data), limits)
    try:
        opened.load()  # Pillow refuses truncated data, where OpenCV fills it with grey
    except PILLOW_ERRORS as error:
        raise undecodable(path, error) from None
    if header.bit_depth == 16 and not opened.mode.startswith("I;16"):
        deep = _deep_colour(data, path)  # Pillow would cut these to 8 bits
        return header, deep if header.channels == 3 else deep[..., 0].copy()
    return header, _pixels(opened, path)


def read_mask(path: Path) -> Mask:
    """Read a mask: True where any channel is above zero, H×W.

    Raises:
        ImageRejected: as for :func:`read_image`.
    """
    return as_mask(read_image(path))


def as_mask(image: Image) -> Mask:
    """Return True where any channel of ``image`` is above zero, H×W."""
    positive: Mask = image > 0
    return positive if positive.ndim == 2 else np.logical_or.reduce(positive, axis=2)


def _pixels(opened: Any, path: Path) -> Image:
    has_alpha = opened.mode in _ALPHA_MODES or "transparency" in opened.info
    if has_alpha and opened.convert("RGBA").getextrema()[3][0] < 255:
        reason = "has transparent pixels, which no camera takes: flatten it first"
        raise ImageRejected("unsupported", path, reason)
    if opened.mode.startswith("I;16"):
        return np.array(opened).astype(np.uint16)
    wanted = "L" if opened.mode in GREY_MODES else "RGB"
    return np.array(opened if opened.mode == wanted else opened.convert(wanted))


def _deep_colour(data: bytes, path: Path) -> Image:
    cv2 = opencv()
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3:
        raise ImageRejected("unreadable", path, "16-bit colour that OpenCV does not decode")
    if decoded.shape[2] == 4 and (decoded[..., 3] < 65535).any():
        raise ImageRejected("unsupported", path, "has transparent pixels: flatten it first")
    return np.ascontiguousarray(decoded[..., 2::-1])


# --- writing and measuring ----------------------------------------------------------------------


def write_png(path: Path, image: Image | Mask) -> Path:
    """Write a PNG (fast, lossless), atomically; a boolean mask becomes 0 and 255."""
    cv2 = opencv()
    stored = image.astype(np.uint8) * 255 if image.dtype == np.bool_ else image
    if stored.ndim == 3:
        stored = stored[..., ::-1]
    done, encoded = cv2.imencode(
        ".png", np.ascontiguousarray(stored), [cv2.IMWRITE_PNG_COMPRESSION, 1]
    )
    assert done, f"OpenCV could not encode {image.shape} {image.dtype}"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(encoded.tobytes())
    return part.replace(path)


def grey(image: Image) -> NDArray[np.float32]:
    """Return H×W float32 on the 0..255 scale whatever the depth (mean of the channels)."""
    values = image.mean(axis=2, dtype=np.float32) if image.ndim == 3 else image.astype(np.float32)
    return values / np.float32(257) if image.dtype == np.uint16 else values


def measure(image: Image) -> ImageStats:
    """Measure an image; the thumbprint is a 16×16 horizontal difference hash (64 hex digits)."""
    cv2 = opencv()
    values = grey(image)
    thumb = cv2.resize(values, (_THUMB_SIDE + 1, _THUMB_SIDE), interpolation=cv2.INTER_AREA)
    rising = thumb[:, 1:] > thumb[:, :-1]
    return ImageStats(
        brightness=float(values.mean()) / 255,
        contrast=float(values.std()) / 255,
        sharpness=float(cv2.Laplacian(values, cv2.CV_32F).var()),
        thumbprint=np.packbits(rising).tobytes().hex(),
    )


def to_model_input(image: Image, size_px: int) -> NDArray[np.float32]:
    """Return a 3×size×size float32 array in [0, 1]; grey is replicated, aspect is not kept."""
    cv2 = opencv()
    shrinking = image.shape[0] >= size_px and image.shape[1] >= size_px
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    scale = np.float32(1 / 65535 if image.dtype == np.uint16 else 1 / 255)
    resized = cv2.resize(image.astype(np.float32) * scale, (size_px, size_px), interpolation=method)
    resized = np.clip(resized, 0, 1)
    planes = resized.transpose(2, 0, 1) if resized.ndim == 3 else np.stack([resized] * 3)
    return np.ascontiguousarray(planes, dtype=np.float32)
