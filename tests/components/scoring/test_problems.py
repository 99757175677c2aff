"""Whatever is wrong with maps or masks is said once, naming the file."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.errors import DataError
from components.scoring.layouts import recognise_truth
from components.scoring.score import score_maps
from tests.components.scoring.drawing import (
    KINDS,
    defect_map,
    draw_image_masks,
    draw_maps,
    draw_truth,
    instance,
    write_npy,
    write_picture,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    draw_truth(tmp_path / "truth")
    draw_maps(tmp_path / "maps")
    return tmp_path


def score(root: Path) -> None:
    score_maps(root / "maps", root / "truth")


def set_value(value: float) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        spoilt = defect_map().astype(np.float32)
        spoilt[4, 7] = value
        write_npy(root / "maps/hoop/000.npy", spoilt)
        (root / "maps/hoop/000.png").unlink()

    return spoil


def cut(name: str, share: float) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        path = root / name
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return spoil


def replace_map(pixels: np.ndarray, suffix: str = ".npy") -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        (root / "maps/hoop/000.png").unlink()
        write = write_npy if suffix == ".npy" else write_picture
        write(root / f"maps/hoop/000{suffix}", pixels)

    return spoil


def truncated_npy(root: Path) -> None:
    replace_map(np.zeros((50, 50)))(root)
    cut("maps/hoop/000.npy", 0.5)(root)


def boastful_npy(root: Path) -> None:
    """A header that promises a million times more than the file holds."""
    path = write_npy(root / "maps/hoop/000.npy", np.zeros((10, 10), np.float32))
    (root / "maps/hoop/000.png").unlink()
    head = path.read_bytes().replace(b"(10, 10), }      ", b"(999999, 9999), }")
    assert len(head) == path.stat().st_size
    path.write_bytes(head)


def mask(name: str, pixels: np.ndarray) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        write_picture(root / "truth/ground_truth/hoop/000" / name, pixels)

    return spoil


def remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def add_map(name: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        write_picture(root / "maps" / name, np.zeros((10, 10), np.uint8))

    return spoil


def disguised(root: Path) -> None:
    write_npy(root / "maps/hoop/x.npy", np.zeros(3)).rename(root / "maps/hoop/000.png")


def pickled(root: Path) -> None:
    (root / "maps/hoop/000.png").unlink()
    np.save(root / "maps/hoop/000.npy", np.array([{}], object), allow_pickle=True)


TWO_VALUES = instance(0, 1) + instance(5, 2)
COLOUR = np.zeros((10, 10, 3), np.uint8)


@pytest.mark.parametrize(
    "spoil, said",
    [
        (set_value(np.nan), r"hoop/000\.npy: holds a NaN at row 4, column 7\."),
        (set_value(-np.inf), r"hoop/000\.npy: holds an infinity at row 4, column 7\."),
        (remove("maps/good/000.png"), r"good/000: the map is missing"),
        (remove("maps/hoop/000.png"), r"hoop/000: the map is missing"),
        (add_map("good/001.png"), r"good/001\.png: a map for no image\."),
        (add_map("scratch/000.png"), r"scratch/000\.png: a map for no image\."),
        (add_map("000.png"), r"000\.png: a map for no image \(maps lie in a folder"),
        (add_map("good/000.tiff"), r"good/000\.tiff: a second map beside 000\.png\."),
        (cut("maps/hoop/000.png", 0.6), r"hoop/000\.png: no whole PNG"),
        (cut("maps/hoop/000.png", 0), r"hoop/000\.png: no whole PNG"),
        (truncated_npy, r"hoop/000\.npy: no whole NumPy array"),
        (boastful_npy, r"hoop/000\.npy: no whole NumPy array"),
        (pickled, r"hoop/000\.npy: no whole NumPy array"),
        (disguised, r"hoop/000\.png: no whole PNG"),
        (replace_map(COLOUR, ".tif"), r"hoop/000\.tif: has pixels of kind 'RGB'"),
        (replace_map(np.zeros((2, 5, 5))), r"hoop/000\.npy: holds float64 of shape \(2, 5, 5\)"),
        (replace_map(np.zeros((5, 5), complex)), r"hoop/000\.npy: holds complex128"),
        (mask("0.png", instance(0, 9)), r"0\.png: no entry of defects_config.json is 9 .*\[1, 2\]"),
        (mask("0.png", TWO_VALUES), r"0\.png: holds the values \[1, 2\]"),
        (mask("0.png", instance(0, 0)), r"0\.png: no pixel of this instance is marked"),
        (mask("0.png", COLOUR), r"0\.png: is in colour"),
        (mask("1.png", instance(1, 2)[:8]), r"1\.png: is 8×10 px, but .*test.hoop.000\.png 10×10"),
        (cut("truth/ground_truth/hoop/000/0.png", 0.7), r"0\.png: .*truncated"),
        (cut("truth/test/good/000.png", 0), r"good/000\.png: the file holds no bytes"),
        (add_map("../truth/test/hoop/001.png"), r"ground_truth/hoop/001: no mask of this"),
    ],
)
def test_one_bad_file_is_an_error_that_names_it(root: Path, spoil, said: str) -> None:
    spoil(root)
    with pytest.raises(DataError, match=rf"^E213 \d problems? between(.|\n)*{said}") as caught:
        score(root)
    assert str(root) in caught.value.message


def test_all_problems_are_collected_and_the_first_ten_named(root: Path) -> None:
    for index in range(1, 13):
        add_map(f"good/{index:03}.png")(root)
    set_value(np.nan)(root)
    with pytest.raises(DataError, match="E213 13 problems") as caught:
        score(root)
    lines = caught.value.message.splitlines()
    assert len(lines) == 1 + 10 + 1
    assert lines[-1] == "  and 3 more"


def test_masks_without_a_test_image_are_noted_and_not_scored(root: Path) -> None:
    write_picture(root / "truth/ground_truth/hoop/005/0.png", instance(0, 1))
    report = score_maps(root / "maps", root / "truth")
    assert report.num_images == 2
    assert report.notes == ("1 masks without a test image, ignored: hoop/005",)


def test_instances_of_two_sizes_are_refused_even_without_test_images(tmp_path: Path) -> None:
    truth = draw_truth(tmp_path / "truth", tested=False)
    write_picture(truth / "ground_truth/hoop/000/1.png", instance(1, 2)[:8])
    with pytest.raises(DataError, match=r"1\.png: is 8×10 px, but .*0\.png 10×10"):
        score_maps(draw_maps(tmp_path / "maps"), truth)


def test_two_masks_of_one_image_are_refused(tmp_path: Path) -> None:
    truth = draw_image_masks(tmp_path / "truth")
    write_picture(truth / "ground_truth/hoop/000.png", instance(0, 255))
    with pytest.raises(DataError, match="a second mask of hoop/000"):
        score_maps(draw_maps(tmp_path / "maps"), truth)


def test_a_bad_config_of_defects_is_refused(root: Path) -> None:
    (root / "truth/defects_config.json").write_text(json.dumps([KINDS[0], KINDS[0]]))
    with pytest.raises(DataError, match=r"E221 .*defects_config\.json: entry 2, pixel_value"):
        score(root)
    (root / "truth/defects_config.json").unlink()
    with pytest.raises(DataError, match=r"E220 .*defects_config\.json does not exist"):
        score(root)


# --- which layout -------------------------------------------------------------------------------


def test_the_layout_is_told_from_the_structure(tmp_path: Path) -> None:
    assert recognise_truth(draw_truth(tmp_path / "a"))[0] == "autovi"
    loco = draw_truth(tmp_path / "b")
    (loco / "ground_truth/hoop").rename(loco / "ground_truth/logical_anomalies")
    assert recognise_truth(loco) == (
        "mvtec_loco",
        "masks an instance, ground_truth/<defect>/<image id>/<k>.png, of logical_anomalies",
    )
    assert recognise_truth(draw_image_masks(tmp_path / "c"))[0] == "mvtec_ad"


def test_signs_of_two_layouts_are_refused_unless_one_is_given(tmp_path: Path) -> None:
    truth = draw_image_masks(draw_truth(tmp_path / "both"))
    with pytest.raises(DataError, match=r"E212 .*hoop/000 and ground_truth/hoop/000_mask\.png"):
        recognise_truth(truth)
    assert recognise_truth(truth, "mvtec_ad") == ("mvtec_ad", "as given")


def test_image_masks_beside_a_config_of_instances_are_ambiguous(tmp_path: Path) -> None:
    truth = draw_image_masks(tmp_path / "ad")
    (truth / "defects_config.json").write_text(json.dumps(KINDS))
    with pytest.raises(DataError, match="E212"):
        recognise_truth(truth)


def test_a_given_layout_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"E211 .* is not of layout autovi"):
        recognise_truth(draw_image_masks(tmp_path / "ad"), "autovi")


def test_a_folder_too_high_or_too_low_is_told_which_to_give(tmp_path: Path) -> None:
    truth = draw_truth(tmp_path / "objects" / "wiring")
    with pytest.raises(DataError, match=r"E211 .*Give one object's folder: .*wiring\."):
        recognise_truth(truth.parent)
    with pytest.raises(DataError, match=r"E211 .*Give the folder above it: .*wiring\."):
        recognise_truth(truth / "ground_truth")
    with pytest.raises(DataError, match=r"E211 .*holds no folder ground_truth"):
        recognise_truth(tmp_path / "nowhere")
