"""What an image file says about itself, held against limits before any pixel is decoded."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import Field

from components.errors import DataError
from components.params import Params

RejectCode = Literal["truncated", "disguised", "oversized", "unreadable", "unsupported", "empty"]

EXTENSIONS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
GREY_MODES = {"1", "L", "LA", "I;16", "I;16B", "I;16L"}
_COLOUR_MODES = {"RGB", "RGBA", "P", "PA", "YCbCr", "RGBX"}
PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError)


class ImageLimits(Params):
    """How large an image may be, read from its header before anything is decoded."""

    max_pixels: int = Field(default=50_000_000, ge=1, le=178_000_000)  # Pillow's own last word
    max_bytes: int = Field(default=200_000_000, ge=1)
    max_frames: int = Field(default=1, ge=1)  # of a file with more, the first is the image
    on_reject: Literal["continue", "stop"] = "continue"


class ImageRejected(DataError):  # noqa: N818 - a verdict on a file, as in records.Reject
    """A file that is not a usable image; ``reject_code`` is the quarantine's word for it."""

    def __init__(self, reject_code: RejectCode, path: Path, reason: str) -> None:
        self.reject_code: RejectCode = reject_code
        self.path = path
        self.reason = reason
        super().__init__("E115", f"{path}: {reason} ({reject_code}).", "Replace or remove it.")

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.reject_code, self.path, self.reason)


@dataclass(frozen=True)
class Header:
    """What a file says about itself; ``bit_depth`` is per channel, 8 or 16."""

    height_px: int
    width_px: int
    channels: Literal[1, 3]
    bit_depth: Literal[8, 16]
    frames: int
    format: str


def read_header(path: Path, limits: ImageLimits) -> Header:
    """Read a file's header alone and hold it against the limits; no pixel is decoded.

    Raises:
        ImageRejected: empty, disguised, oversized, unsupported or unreadable.
    """
    num_bytes = size_of(path)
    with path.open("rb") as stream:
        return probe(stream, path, num_bytes, limits)[0]


def size_of(path: Path) -> int:
    """Return a file's size in bytes; a missing file is rejected as unreadable."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise ImageRejected("unreadable", path, error.strerror or str(error)) from None


def probe(stream: BinaryIO, path: Path, num_bytes: int, limits: ImageLimits) -> tuple[Header, Any]:
    """Open an image lazily with Pillow: its header within the limits, and the opened image."""
    from PIL import Image

    if num_bytes == 0:
        raise ImageRejected("empty", path, "the file holds no bytes")
    if num_bytes > limits.max_bytes:
        raise ImageRejected("oversized", path, f"{num_bytes} bytes > {limits.max_bytes}")
    kind = _kind_of(stream.read(32), path)
    stream.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow only warns of is judged here
        try:
            opened = Image.open(stream, formats=[kind])
            return _header(opened, kind, path, limits), opened
        except Image.DecompressionBombError as error:
            raise ImageRejected("oversized", path, str(error)) from None
        except ImageRejected:
            raise
        except PILLOW_ERRORS as error:
            raise undecodable(path, error) from None


def _kind_of(start: bytes, path: Path) -> str:
    found = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    expected = EXTENSIONS.get(path.suffix.lower())
    if expected is None:
        raise ImageRejected("unsupported", path, f"{path.suffix!r} is none of {list(EXTENSIONS)}")
    if found is None:
        raise ImageRejected("disguised", path, f"named {path.suffix} but holds no known image")
    if found != expected:
        raise ImageRejected("disguised", path, f"named {path.suffix} but holds a {found} image")
    return found


def _header(opened: Any, kind: str, path: Path, limits: ImageLimits) -> Header:
    width, height = opened.size
    if width * height > limits.max_pixels:
        reason = f"the header says {width}×{height} px, more than {limits.max_pixels}"
        raise ImageRejected("oversized", path, reason)
    # The further pictures of a JPEG are a camera's previews; those of the others are frames.
    frames = 1 if kind == "JPEG" else int(getattr(opened, "n_frames", 1))
    if frames > limits.max_frames:
        raise ImageRejected("oversized", path, f"{frames} frames > {limits.max_frames}")
    if opened.mode not in GREY_MODES | _COLOUR_MODES:
        raise ImageRejected("unsupported", path, f"pixels of kind {opened.mode!r}")
    return Header(
        height_px=height,
        width_px=width,
        channels=1 if opened.mode in GREY_MODES else 3,
        bit_depth=_bit_depth(opened, kind),
        frames=frames,
        format=kind,
    )


def _bit_depth(opened: Any, kind: str) -> Literal[8, 16]:
    """Pillow opens 48-bit colour as 24-bit and says nothing, so ask the file itself."""
    if opened.mode.startswith("I;16"):
        return 16
    if kind == "TIFF":
        bits = opened.tag_v2.get(258, (8,))
        return 16 if max(bits if isinstance(bits, tuple) else (bits,)) == 16 else 8
    if kind == "PNG":
        position = opened.fp.tell()
        opened.fp.seek(24)  # the byte after width and height in IHDR
        depth = opened.fp.read(1)
        opened.fp.seek(position)
        return 16 if depth == b"\x10" else 8
    return 8


def undecodable(path: Path, error: Exception) -> ImageRejected:
    """Turn an error of Pillow into a rejection, told apart by whether data is missing."""
    reason = str(error) or type(error).__name__
    cut = isinstance(error, EOFError) or any(w in reason.lower() for w in ("truncat", "not enough"))
    return ImageRejected("truncated" if cut else "unreadable", path, reason)
