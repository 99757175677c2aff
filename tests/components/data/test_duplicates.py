"""Copies of one exposure are found; pictures that only look alike are not."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.data.duplicates import near_duplicates
from components.data.formats.elpv import package_data
from components.data.images import Image, measure, read_image, write_png
from components.records import ImageRecord

MakeRecord = Callable[..., ImageRecord]
BITS = 12


@pytest.fixture
def record_of(tmp_path: Path, make_record: MakeRecord) -> Callable[[str, Image], ImageRecord]:
    def make(name: str, image: Image) -> ImageRecord:
        write_png(tmp_path / f"{name}.png", image)
        height, width = image.shape[:2]
        size = {"height_px": height, "width_px": width}
        return make_record(name, thumbprint=measure(image).thumbprint, **size)

    return make


def cell(number: int) -> Image:
    return read_image(package_data() / f"images/cell{number:04d}.png")


def recompressed(image: Image) -> Image:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], -1)


def resized(image: Image) -> Image:
    return cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)


def brightened(image: Image) -> Image:
    return np.clip(image * 1.1 + 3, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change", [recompressed, resized, brightened])
@pytest.mark.parametrize("number", [57, 955])
def test_a_changed_copy_of_a_real_cell_is_found(
    tmp_path: Path, record_of: Callable, change: Callable[[Image], Image], number: int
) -> None:
    original = cell(number)
    records = [record_of("original", original), record_of("copy", change(original))]
    assert near_duplicates(records, BITS, tmp_path) == [("original.png", "copy.png")]


def test_neighbouring_cells_of_a_module_look_alike_but_are_no_copies(
    tmp_path: Path, record_of: Callable
) -> None:
    records = [record_of(f"cell{n}", cell(n)) for n in range(900, 920)]
    assert near_duplicates(records, BITS, tmp_path) == []


def test_the_pixels_decide_between_candidates(tmp_path: Path, record_of: Callable) -> None:
    rng = np.random.default_rng(0)
    ramp = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (128, 1))
    with_a_dot = ramp.copy()
    with_a_dot[60:66, 60:66] = 0
    noisy = np.clip(ramp + rng.normal(0, 6, ramp.shape), 0, 255).astype(np.uint8)
    brighter = np.minimum(noisy, 254) + 1
    records = [record_of("a", noisy), record_of("b", with_a_dot), record_of("c", brighter)]
    candidates = near_duplicates(records, 64)
    assert ("a.png", "b.png") in candidates
    assert near_duplicates(records, 64, tmp_path) == [("a.png", "c.png")]


def test_another_aspect_is_another_picture(tmp_path: Path, record_of: Callable) -> None:
    image = cell(57)
    squeezed = cv2.resize(image, (200, 300), interpolation=cv2.INTER_AREA)
    records = [record_of("a", image), record_of("b", squeezed)]
    assert near_duplicates(records, 64) == [("a.png", "b.png")]
    assert near_duplicates(records, 64, tmp_path) == []


def test_candidates_agree_with_counting_bits_one_by_one(make_record: MakeRecord) -> None:
    rng = np.random.default_rng(0)
    prints = [rng.integers(0, 2, 256) for _ in range(20)]
    prints += [np.where(rng.random(256) < 0.04, 1 - p, p) for p in prints]
    hexes = [np.packbits(p.astype(np.uint8)).tobytes().hex() for p in prints]
    records = [make_record(f"{i:02d}", thumbprint=text) for i, text in enumerate(hexes)]
    records.append(make_record("unknown"))  # no thumbprint: never a candidate
    expected = [
        (f"{i:02d}.png", f"{j:02d}.png")
        for i in range(40)
        for j in range(i + 1, 40)
        if bin(int(hexes[i], 16) ^ int(hexes[j], 16)).count("1") <= BITS
    ]
    assert near_duplicates(records, BITS) == expected
    assert 0 < len(expected) < 40


def test_five_thousand_thumbprints_take_moments(make_record: MakeRecord) -> None:
    rng = np.random.default_rng(0)
    records = [make_record(str(i), thumbprint=rng.bytes(32).hex()) for i in range(5000)]
    start = time.process_time()
    assert near_duplicates(records, BITS) == []
    assert time.process_time() - start < 5
