"""Reading refuses what is no image before decoding it; what it reads, it reads unchanged."""

import pickle
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.data.images import (
    ImageLimits,
    ImageRejected,
    measure,
    read_header,
    read_image,
    read_mask,
    to_model_input,
    write_png,
)
from components.errors import DataError

LIMITS = ImageLimits()
RAMP = np.arange(24 * 32, dtype=np.uint8).reshape(24, 32)


def rejected(path: Path, limits: ImageLimits = LIMITS) -> ImageRejected:
    with pytest.raises(ImageRejected) as caught:
        read_image(path, limits)
    assert str(path) in str(caught.value)
    return caught.value


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    data = b"IDAT" + zlib.compress(b"\0")
    end = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    return b"\x89PNG\r\n\x1a\n" + chunk + end


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff"])
@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 3)])
def test_lossless_formats_give_back_every_pixel(
    tmp_path: Path, suffix: str, shape: tuple[int, ...]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(image).save(path)
    assert np.array_equal(read_image(path), image)
    header = read_header(path, LIMITS)
    assert (header.height_px, header.width_px, header.bit_depth) == (24, 32, 8)
    assert header.channels == (1 if len(shape) == 2 else 3)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 3)])
def test_sixteen_bits_stay_sixteen_bits(
    tmp_path: Path, suffix: str, shape: tuple[int, ...]
) -> None:
    image = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    assert read_header(path, LIMITS).bit_depth == 16
    assert read_image(path).dtype == np.uint16
    assert np.array_equal(read_image(path), image)


def test_a_jpeg_is_read_within_its_loss(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    smooth = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8)
    Image.fromarray(smooth).save(path, quality=95)
    assert np.abs(read_image(path).astype(int) - smooth).max() <= 3


def test_orientation_tags_are_ignored_alike_by_header_and_pixels(tmp_path: Path) -> None:
    path, exif = tmp_path / "a.jpg", Image.Exif()
    exif[0x0112] = 6  # a viewer would turn it by 90 degrees
    Image.fromarray(RAMP).save(path, exif=exif)
    assert read_image(path).shape == (24, 32)
    assert read_header(path, LIMITS).height_px == 24


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 3), (200, 10, 30)).quantize(4).save(path)
    assert read_image(path).shape == (3, 4, 3)
    assert tuple(read_image(path)[0, 0]) == (200, 10, 30)


def test_opaque_alpha_is_dropped_and_transparency_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGBA", (4, 3), (1, 2, 3, 255)).save(path)
    assert tuple(read_image(path)[0, 0]) == (1, 2, 3)
    Image.new("RGBA", (4, 3), (1, 2, 3, 254)).save(path)
    assert rejected(path).reject_code == "unsupported"


def test_a_truncated_png_and_jpeg_are_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    for name in ("a.png", "a.jpg"):
        path = tmp_path / name
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert read_header(path, LIMITS).width_px == 64
        assert rejected(path).reject_code == "truncated"


def test_a_text_file_named_png_is_disguised(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("not an image at all")
    assert rejected(path).reject_code == "disguised"


def test_a_jpeg_named_png_is_disguised_and_named_for_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(RAMP).save(path, format="JPEG")
    assert rejected(path).reject_code == "disguised"
    assert "JPEG" in rejected(path).reason


def test_an_empty_file_is_empty_and_a_missing_one_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert rejected(tmp_path / "a.png").reject_code == "empty"
    assert rejected(tmp_path / "b.png").reject_code == "unreadable"


@pytest.mark.parametrize("side", [8_000, 12_000, 40_000])
def test_a_header_bomb_is_refused_from_its_header(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(side, side))
    with pytest.raises(ImageRejected) as caught:
        read_header(path, LIMITS)
    assert caught.value.reject_code == "oversized"


def test_limits_on_bytes_and_frames_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    frame = Image.fromarray(RAMP)
    frame.save(path, save_all=True, append_images=[frame, frame])
    assert rejected(path).reject_code == "oversized"
    assert np.array_equal(read_image(path, ImageLimits(max_frames=3)), RAMP)
    few = ImageLimits(max_frames=3, max_bytes=path.stat().st_size - 1)
    assert rejected(path, few).reject_code == "oversized"


def test_float_pixels_are_unsupported(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(RAMP.astype(np.float32)).save(path)
    assert rejected(path).reject_code == "unsupported"


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"II*\0"]))
def test_any_bytes_are_rejected_or_read_and_nothing_else_escapes(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / ("a.tif" if start == b"II*\0" else "a.png")
    path.write_bytes(start + data)
    try:
        read_image(path)
    except DataError as error:
        assert error.exit_code == 3


def test_a_rejection_crosses_process_borders_whole() -> None:
    error = ImageRejected("empty", Path("a.png"), "no bytes")
    again = pickle.loads(pickle.dumps(error))
    assert (again.reject_code, again.reason, str(again)) == ("empty", "no bytes", str(error))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_write_png_round_trips_and_leaves_no_part_file(
    tmp_path: Path, dtype: type, shape: tuple[int, ...]
) -> None:
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    write_png(tmp_path / "deep/a.png", image)
    assert np.array_equal(read_image(tmp_path / "deep/a.png"), image)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.png"]


def test_a_mask_round_trips_as_booleans(tmp_path: Path) -> None:
    mask = RAMP % 3 == 0
    assert np.array_equal(read_mask(write_png(tmp_path / "m.png", mask)), mask)


def test_measure_of_a_half_black_half_white_picture() -> None:
    image = np.zeros((16, 34), dtype=np.uint8)
    image[:, 17:] = 255
    stats = measure(image)
    assert stats.brightness == pytest.approx(0.5)
    assert stats.contrast == pytest.approx(0.5)
    # 17 columns of two pixels; the ninth is half grey, so it and the next one rise, in 16 rows.
    assert bin(int(stats.thumbprint, 16)).count("1") == 32
    assert len(stats.thumbprint) == 64


def test_measure_does_not_depend_on_bit_depth() -> None:
    deep = RAMP.astype(np.uint16) * 257
    assert measure(deep).thumbprint == measure(RAMP).thumbprint
    assert measure(deep).sharpness == pytest.approx(measure(RAMP).sharpness, rel=1e-4)


def test_model_input_of_known_values() -> None:
    grey = to_model_input(np.array([[0, 255], [255, 0]], dtype=np.uint8), 2)
    assert grey.shape == (3, 2, 2)
    assert np.array_equal(grey[2], [[0, 1], [1, 0]])
    assert to_model_input(np.full((9, 5), 65535, dtype=np.uint16), 4).max() == 1.0
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 0] = 51
    assert to_model_input(red, 4)[:, 0, 0] == pytest.approx([0.2, 0, 0])


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (8, 4))
    assert to_model_input(stripes, 4) == pytest.approx(0.5)
