"""Anomaly maps on disk: which there are, and one honest reader for PNG, TIFF and NumPy files."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.data.formats.listing import note, relative, subfolders
from components.data.headers import PILLOW_ERRORS, ImageLimits
from components.data.images import opencv
from components.errors import DataError

AnomalyMap = NDArray[Any]  # HxW integers or floats, finite

KINDS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".npy": "NPY"}
_ONE_CHANNEL = {"1", "L", "I", "F", "I;16", "I;16B", "I;16L"}
_NUMPY_ERRORS = (ValueError, OSError, EOFError, OverflowError, TypeError, SyntaxError)
_MAX_PIXELS = ImageLimits().max_pixels

MapsOf = dict[tuple[str, str], list[Path]]  # (defect, image id) → files


def list_maps(folder: Path) -> tuple[MapsOf, tuple[str, ...]]:
    """Return the map files of each image, and notes on files that are no maps.

    Maps that lie in no folder of a type are listed under the type ``""``.

    Raises:
        DataError: E211 the folder does not exist.
    """
    if not folder.is_dir():
        raise DataError("E211", f"{folder} is not a folder.", "Give the folder of the maps.")
    found: MapsOf = {}
    others: list[Path] = []
    for kind in ("", *(f.name for f in subfolders(folder))):
        for path in sorted((folder / kind).iterdir()):
            if path.name.startswith(".") or (path.is_dir() and not kind):
                continue
            if path.is_file() and path.suffix.lower() in KINDS:
                found.setdefault((kind, path.stem), []).append(path)
            else:
                others.append(path)
    return found, note("files that are no maps, ignored", relative(others, folder))


def read_map(path: Path) -> AnomalyMap:
    """Read one map, HxW, in its own numbers: integers are neither scaled nor shifted.

    Raises:
        DataError: E214 names the file: truncated, not what its name says, several channels or
            frames, more than 50 million pixels, a NaN or an infinity.
    """
    found = _read_npy(path) if path.suffix.lower() == ".npy" else _read_picture(path)
    if found.ndim == 3 and 1 in (found.shape[0], found.shape[2]):
        found = found[0] if found.shape[0] == 1 else found[..., 0]
    if found.ndim != 2 or found.dtype.kind not in "buif" or found.size == 0:
        shape = f"{found.dtype} of shape {found.shape}"
        raise DataError("E214", f"{path}: holds {shape}, not numbers of height and width.")
    _check_finite(found, path)
    return np.ascontiguousarray(found, found.dtype.newbyteorder("="))


def resized(anomaly_map: AnomalyMap, size: tuple[int, int]) -> AnomalyMap:
    """Return the map at ``size`` (height, width) by bilinear interpolation (pixel centres)."""
    if anomaly_map.shape == size:
        return anomaly_map
    exact = anomaly_map.dtype.itemsize <= 2 or anomaly_map.dtype == np.float32
    values = anomaly_map.astype(np.float32 if exact else np.float64)
    cv2 = opencv()
    found: AnomalyMap = cv2.resize(values, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return found


def _read_npy(path: Path) -> AnomalyMap:
    try:
        # mapped, so that a header that promises more than the file holds allocates nothing
        mapped = np.lib.format.open_memmap(path, mode="r")
    except _NUMPY_ERRORS as error:
        raise DataError("E214", f"{path}: no whole NumPy array ({error}).") from None
    _check_size(mapped.size, path)
    return np.array(mapped)


def _read_picture(path: Path) -> AnomalyMap:
    from PIL import Image

    kind = KINDS[path.suffix.lower()]
    try:
        opened = Image.open(io.BytesIO(path.read_bytes()), formats=[kind])
        _check_picture(opened, path)
        opened.load()
    except DataError:
        raise
    except (*PILLOW_ERRORS, Image.DecompressionBombError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError("E214", f"{path}: no whole {kind} ({reason}).") from None
    return np.array(opened)


def _check_picture(opened: Any, path: Path) -> None:
    _check_size(opened.width * opened.height, path)
    if opened.mode not in _ONE_CHANNEL:
        remedy = "Save one channel: 8 or 16 bits, or 32-bit floats."
        raise DataError("E214", f"{path}: has pixels of kind {opened.mode!r}.", remedy)
    if getattr(opened, "n_frames", 1) > 1:
        raise DataError("E214", f"{path}: has {opened.n_frames} frames.", "Save one map a file.")


def _check_size(num_pixels: int, path: Path) -> None:
    if num_pixels > _MAX_PIXELS:
        raise DataError("E214", f"{path}: {num_pixels} pixels, more than {_MAX_PIXELS}.")


def _check_finite(found: AnomalyMap, path: Path) -> None:
    if found.dtype.kind != "f":
        return
    good = np.isfinite(found)
    if not good.all():
        row, column = np.unravel_index(int(np.argmin(good)), good.shape)
        what = "a NaN" if np.isnan(found[row, column]) else "an infinity"
        raise DataError("E214", f"{path}: holds {what} at row {row}, column {column}.")
