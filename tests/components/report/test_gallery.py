"""Pictures of cases: small, true to the arrays, and written whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.errors import PipelineError
from components.report.gallery import data_uri, overlay, save_case

GREY = np.full((300, 480), 120, dtype=np.uint8)
HEAT = np.zeros((300, 480), dtype=np.float32)


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_pictures_are_at_most_320_px_and_keep_their_shape(tmp_path: Path):
    mask = np.zeros((300, 480), dtype=bool)
    paths = save_case(tmp_path, GREY, HEAT, mask, "miss_0", 1.0)
    assert paths == tuple(f"pictures/miss_0_{part}.png" for part in ("image", "map", "mask"))
    assert [_pixels(tmp_path / p).shape for p in paths] == [(200, 320, 3)] * 3
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == [
        "miss_0_image.png",
        "miss_0_map.png",
        "miss_0_mask.png",
    ]


def test_a_small_image_is_not_enlarged(tmp_path: Path):
    image, _, mask = save_case(tmp_path, GREY[:40, :60], HEAT[:10, :15], None, "a", 1.0)
    assert _pixels(tmp_path / image).shape == (40, 60, 3)
    assert mask == ""


def test_a_defect_of_one_pixel_still_shows_in_the_small_mask(tmp_path: Path):
    mask = np.zeros((3000, 4800), dtype=np.uint8)
    mask[1501, 2402] = 255
    image = np.zeros((3000, 4800), dtype=np.uint8)
    path = save_case(tmp_path, image, HEAT, mask, "speck", 1.0)[2]
    assert _pixels(tmp_path / path).max() == 255


def test_a_dim_16_bit_image_is_stretched_to_be_seen(tmp_path: Path):
    image = np.tile(np.linspace(0, 1000, 64).astype(np.uint16), (64, 1))  # 10 of 16 bits
    path = save_case(tmp_path, image, HEAT, None, "dim", 1.0)[0]
    seen = _pixels(tmp_path / path)
    assert seen.min() < 10
    assert seen.max() > 245


def test_colours_stay_colours(tmp_path: Path):
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    image[..., 0] = 200
    path = save_case(tmp_path, image, HEAT, None, "red", 1.0)[0]
    assert _pixels(tmp_path / path)[5, 5].tolist() == [200, 0, 0]


def test_the_white_contour_runs_where_the_map_crosses_the_threshold():
    heat = np.zeros((60, 60), dtype=np.float32)
    heat[20:40, 20:40] = 5.0
    picture = np.zeros((60, 60, 3), dtype=np.uint8)
    drawn = overlay(picture, heat, threshold=3.0)
    white = (drawn == 255).all(axis=2)
    assert white[20, 20:40].all()
    assert white[20:40, 39].all()
    assert not white[:19].any()
    assert not white[22:38, 22:38].any()


def test_a_map_wholly_below_the_threshold_has_no_contour_and_stays_dark():
    heat = np.zeros((60, 60), dtype=np.float32)
    heat[30, 30] = 1.0
    drawn = overlay(np.zeros((60, 60, 3), dtype=np.uint8), heat, threshold=10.0)
    assert not (drawn == 255).all(axis=2).any()
    assert drawn.max() < 100


def test_a_flat_map_can_be_drawn():
    assert overlay(np.zeros((8, 8, 3), dtype=np.uint8), np.full((8, 8), 2.0), 2.0).shape == (
        8,
        8,
        3,
    )


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "<script>", "a\nb"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str):
    with pytest.raises(PipelineError, match="E181"):
        save_case(tmp_path, GREY, HEAT, None, name, 1.0)
    assert not list(tmp_path.rglob("*.png"))


def test_a_map_with_nan_is_refused(tmp_path: Path):
    with pytest.raises(PipelineError, match=r"E182.*bad_0"):
        save_case(tmp_path, GREY, np.full((4, 4), np.nan), None, "bad_0", 1.0)


def test_only_files_of_the_run_are_embedded(tmp_path: Path):
    run_dir = tmp_path / "run"
    path = save_case(run_dir, GREY[:9, :9], HEAT[:9, :9], None, "in", 1.0)[0]
    (tmp_path / "out.png").write_bytes(b"secret")
    assert data_uri(run_dir, path).startswith("data:image/png;base64,iVBOR")
    assert data_uri(run_dir, "../out.png") == ""
    assert data_uri(run_dir, "pictures/gone.png") == ""
    assert data_uri(run_dir, "") == ""
