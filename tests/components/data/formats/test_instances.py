"""AutoVI and MVTec LOCO: one mask file a defect, whole and broken."""

from pathlib import Path

import pytest

from components.data.formats import AutoVi, Entry, MvtecLoco, Source
from components.data.images import ImageLimits
from components.data.ingest import ingest
from components.errors import DataError
from components.records import Defect, ImageRecord, Split
from tests.components.data.trees import autovi, defects_config, mask, mvtec_loco, picture


@pytest.fixture
def wiring(tmp_path: Path) -> Path:
    return autovi(tmp_path / "engine_wiring")


def record(root: Path, path: str, source: Source | None = None) -> ImageRecord:
    manifest = ingest("part", source or AutoVi(), root, ImageLimits(), "optional", None)
    (found,) = [r for r in manifest.records if r.image_path == path]
    return found


def notes(root: Path) -> str:
    return "\n".join(ingest("part", AutoVi(), root, ImageLimits(), "optional", None).notes)


def test_an_entry_has_all_masks_of_its_image(wiring: Path) -> None:
    listing = AutoVi().entries(wiring)
    assert listing.entries[0] == Entry(
        "test/gap/0000.png",
        "engine_wiring",
        Split.TEST,
        1,
        "gap",
        ("ground_truth/gap/0000/0000.png", "ground_truth/gap/0000/0001.png"),
    )
    assert listing.mask_rule.kinds is not None
    assert set(listing.mask_rule.kinds) == {254, 255}


def test_each_defect_has_its_type_area_and_saturation(wiring: Path) -> None:
    found = record(wiring, "test/gap/0000.png")
    assert found.defects == (
        Defect(
            defect_type="gap",
            mask_path="ground_truth/gap/0000/0000.png",
            mask_area_px=12,
            saturation_px=6,  # absolute: 6 px of 12
        ),
        Defect(
            defect_type="screw",
            mask_path="ground_truth/gap/0000/0001.png",
            mask_area_px=20,
            saturation_px=10,  # relative: half of 20 px
        ),
    )
    assert found.defect_type == "gap+screw"
    assert found.has_usable_mask
    assert record(wiring, "test/multiple/0000.png").defect_type == "screw"


def test_a_defect_of_one_pixel_saturates_at_one(wiring: Path) -> None:
    (defect,) = record(wiring, "test/multiple/0000.png").defects
    assert (defect.mask_area_px, defect.saturation_px) == (1, 1)


def test_types_may_be_taken_from_the_folders(wiring: Path) -> None:
    source = AutoVi(defect_types="folder")
    assert record(wiring, "test/multiple/0000.png", source).defect_type == "multiple"
    assert record(wiring, "test/gap/0000.png", source).defect_type == "gap"


def test_loco_is_called_logical_or_structural_unless_asked(tmp_path: Path) -> None:
    root = mvtec_loco(tmp_path / "pushpins")
    path = "test/logical_anomalies/000.png"
    assert record(root, path, MvtecLoco()).defect_type == "logical_anomalies"
    by_instance = record(root, path, MvtecLoco(defect_types="instance"))
    assert by_instance.defect_type == "gap"
    assert by_instance.defects[0].saturation_px == 6


def test_validation_normals_of_loco_are_training_images(tmp_path: Path) -> None:
    entries = MvtecLoco().entries(mvtec_loco(tmp_path / "pushpins")).entries
    splits = {e.image_path: e.split for e in entries if not e.gt_label}
    assert splits == {
        "test/good/000.png": Split.TEST,
        "train/good/000.png": Split.TRAIN,
        "validation/good/000.png": Split.TRAIN,
    }


# --- broken trees -------------------------------------------------------------------------------


def test_without_its_config_the_tree_is_not_read(wiring: Path) -> None:
    (wiring / "defects_config.json").unlink()
    with pytest.raises(DataError, match=r"E220 .*engine_wiring/defects_config\.json"):
        AutoVi().entries(wiring)


def test_a_value_that_the_config_does_not_know_is_named(wiring: Path) -> None:
    mask(wiring / "ground_truth/gap/0000/0001.png", value=7)
    found = record(wiring, "test/gap/0000.png")
    assert [d.mask_problem for d in found.defects] == ["", "unknown_value"]
    assert (found.defects[1].saturation_px, found.has_usable_mask) == (None, False)
    expected = "mask ground_truth/gap/0000/0001.png: value 7 is not in defects_config.json"
    assert notes(wiring) == expected


def test_two_values_in_one_file_are_two_defects_in_one_and_no_mask(wiring: Path) -> None:
    import numpy as np
    from PIL import Image

    path = wiring / "ground_truth/gap/0000/0001.png"
    values = np.array(Image.open(path))
    values[0, 0] = 255
    Image.fromarray(values).save(path)
    assert record(wiring, "test/gap/0000.png").defects[1].mask_problem == "not_binary"
    assert "0001.png: holds the values 254, 255, but one file is one defect" in notes(wiring)


def test_an_empty_a_small_and_an_unreadable_mask_are_named(wiring: Path) -> None:
    folder = wiring / "ground_truth/gap/0000"
    mask(folder / "0001.png", value=0)
    mask(folder / "0002.png", size=(9, 12))
    (folder / "0003.png").write_text("text")
    problems = [d.mask_problem for d in record(wiring, "test/gap/0000.png").defects]
    assert problems == ["", "empty", "size", "missing"]


def test_an_image_without_masks_is_missing_its_mask(wiring: Path) -> None:
    picture(wiring / "test/gap/0001.png")
    (wiring / "ground_truth/gap/0002").mkdir()
    picture(wiring / "test/gap/0002.png")
    for name in ("0001", "0002"):
        found = record(wiring, f"test/gap/{name}.png")
        assert [d.mask_problem for d in found.defects] == ["missing"]
        assert found.defect_type == "gap"  # no mask names its kind: the folder does


def test_what_has_no_place_is_named(wiring: Path) -> None:
    mask(wiring / "ground_truth/gap/0009/0000.png")
    mask(wiring / "ground_truth/gap/0000_mask.png")
    mask(wiring / "ground_truth/dent/0000/0000.png")
    (wiring / "ground_truth/gap/0000/readme.txt").write_text("hello")
    picture(wiring / "test/loose.png")
    picture(wiring / "extra/0.png")
    told = notes(wiring)
    for words in (
        "1 folders of masks without an image: ground_truth/gap/0009",
        "1 masks outside a folder with their image's name: ground_truth/gap/0000_mask.png",
        "1 folders of masks without images: ground_truth/dent",
        "1 files that are no images, ignored: ground_truth/gap/0000/readme.txt",
        "1 images outside a folder of their type, ignored: test/loose.png",
        "1 folders that the layout has no place for, ignored: extra",
    ):
        assert words in told
    assert len(AutoVi().entries(wiring).entries) == 5


def test_a_config_that_changed_shows_in_the_saturation(wiring: Path) -> None:
    entry = {"defect_name": "all", "saturation_threshold": 1.0, "relative_saturation": True}
    defects_config(wiring, entry | {"pixel_value": 254}, entry | {"pixel_value": 255})
    found = record(wiring, "test/gap/0000.png")
    assert [d.saturation_px for d in found.defects] == [12, 20]
    assert found.defect_type == "all"
