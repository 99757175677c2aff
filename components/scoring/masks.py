"""The defective regions of one image, each with the area that counts as found whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.data.formats.defects_config import CONFIG_NAME, DefectKind
from components.data.headers import ImageLimits, read_header
from components.data.images import Image, Mask, as_mask, opencv, read_image
from components.errors import DataError
from components.metrics.regions import Region
from components.scoring.truth import Truth, TruthImage

Size = tuple[int, int]  # height, width in pixels


@dataclass(frozen=True)
class GroundTruth:
    """What one image's pixels really are; ``size`` is None where nothing but the map says it."""

    regions: tuple[Region, ...]
    size: Size | None


def read_ground_truth(image: TruthImage, truth: Truth) -> GroundTruth:
    """Return the regions of an image: none of a normal one, none of an empty image mask.

    With masks an instance: one region a file, saturated as its pixel value's entry says. With
    one mask an image: its 8-connected components, saturated at their whole area.

    Raises:
        ImageRejected: E115 a mask, or the header of the test image, that cannot be read.
        DataError: E214 a mask of another size, an instance without a pixel, with two values, or
            with one that ``defects_config.json`` does not hold.
    """
    size = _size_in_header(image.image_path) if image.image_path else None
    if image.is_normal:
        return GroundTruth((), size)
    regions: list[Region] = []
    for path in image.mask_paths:
        mask = read_image(path)
        found = (mask.shape[0], mask.shape[1])
        size = size or found
        if found != size:
            other = image.image_path or image.mask_paths[0]
            sizes = f"{_words(found)} px, but {other} {_words(size)}"
            raise DataError("E214", f"{path}: is {sizes} (height×width).")
        if truth.layout == "mvtec_ad":
            regions += components_of(as_mask(mask))
        else:
            regions.append(instance_of(mask, path, truth.kinds))
    return GroundTruth(tuple(regions), size)


def components_of(mask: Mask) -> tuple[Region, ...]:
    """Return the 8-connected components of a mask (HxW), each saturated at its area."""
    num, labels = opencv().connectedComponents(mask.view(np.uint8), connectivity=8)
    found = [labels == label for label in range(1, num)]
    return tuple(Region(one, int(np.count_nonzero(one))) for one in found)


def instance_of(image: Image, path: Path, kinds: Mapping[int, DefectKind]) -> Region:
    """Return the region of one instance's mask; its one value above 0 says which kind it is.

    Raises:
        DataError: E214 as :func:`read_ground_truth`.
    """
    if image.ndim != 2:
        raise DataError("E214", f"{path}: is in colour, not a mask of one value.")
    mask = image > 0
    values = np.unique(image[mask]).tolist()
    if not values:
        raise DataError("E214", f"{path}: no pixel of this instance is marked.")
    if len(values) > 1:
        raise DataError("E214", f"{path}: holds the values {values}, an instance has one.")
    kind = kinds.get(values[0])
    if kind is None:
        known = f"it has {sorted(kinds)}"
        raise DataError("E214", f"{path}: no entry of {CONFIG_NAME} is {values[0]} ({known}).")
    return Region(mask, kind.saturation_px(int(np.count_nonzero(mask))))


def _size_in_header(path: Path) -> Size:
    header = read_header(path, ImageLimits())
    return header.height_px, header.width_px


def _words(size: Size) -> str:
    return f"{size[0]}×{size[1]}"
