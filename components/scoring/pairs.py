"""Each image with its one map; whatever is missing, double or left over is a problem."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.scoring.layouts import GOOD
from components.scoring.maps import MapsOf
from components.scoring.problems import Problems
from components.scoring.truth import Truth, TruthImage


@dataclass(frozen=True)
class Pair:
    """An image's ground truth and the file of its map."""

    image: TruthImage
    map_path: Path


def pair_up(truth: Truth, folder: Path, maps: MapsOf, problems: Problems) -> tuple[Pair, ...]:
    """Return the pairs in order of their names.

    Where the ground truth does not list its normal images, every map of ``good`` is one.
    """
    left = dict(maps)
    images = sorted((*truth.images, *_unlisted_normals(truth, left)), key=lambda i: i.name)
    pairs = list(_matched(images, folder, left, problems))
    for key in sorted(left):
        for path in left[key]:
            problems.add(f"{path}: a map for no image{_hint(path, folder)}.")
    return tuple(pairs)


def _unlisted_normals(truth: Truth, maps: MapsOf) -> list[TruthImage]:
    if truth.is_complete:
        return []
    return [TruthImage(GOOD, image_id) for defect, image_id in maps if defect == GOOD]


def _matched(
    images: list[TruthImage], folder: Path, left: MapsOf, problems: Problems
) -> Iterator[Pair]:
    for image in images:
        files = left.pop((image.defect, image.image_id), [])
        if not files:
            problems.add(f"{folder / image.name}: the map is missing (.png, .tiff, .tif or .npy).")
            continue
        for extra in files[1:]:
            problems.add(f"{extra}: a second map beside {files[0].name}.")
        yield Pair(image, files[0])


def _hint(path: Path, folder: Path) -> str:
    if path.parent == folder:
        return " (maps lie in a folder of their type, normal ones in 'good')"
    return ""
