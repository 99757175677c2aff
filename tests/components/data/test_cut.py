"""Masks of single defects through prepare: cut, measured again, dropped outside the window."""

from pathlib import Path

import numpy as np
import pytest

from components.data.formats import AutoVi
from components.data.images import ImageLimits, read_mask
from components.data.ingest import ingest
from components.data.manifest import read_manifest, write_manifest
from components.data.prepare import prepare
from components.data.region import Window
from components.errors import DataError
from components.records import Defect, ImageRecord, Manifest
from tests.components.data.trees import KINDS, autovi, defects_config, mask

WHOLE = (0.0, 0.0, 1.0, 1.0)


@pytest.fixture
def wiring(tmp_path: Path) -> Path:
    """Of 10×12 px; test/gap/0000 shows a gap at rows 2-4, columns 3-6, a screw at 5-9, 8-11."""
    return autovi(tmp_path / "engine_wiring")


def ingested(root: Path) -> Manifest:
    return ingest("wiring", AutoVi(), root, ImageLimits(), "required", None)


def prepared(root: Path, window: Window) -> Manifest:
    return prepare(ingested(root), window, root.with_name("prepared"))


def both(manifest: Manifest) -> ImageRecord:
    """The image that shows two defects, wherever prepare put it."""
    (raw,) = [
        r
        for r in ingested(manifest.root.with_name("engine_wiring")).records
        if r.image_path == "test/gap/0000.png"
    ]
    (found,) = [r for r in manifest.records if r.image_id == raw.image_id]
    return found


def test_each_defect_keeps_a_mask_of_its_own(wiring: Path) -> None:
    manifest = prepared(wiring, WHOLE)
    record = both(manifest)
    folder = f"masks/{record.image_id}"
    gap = Defect(defect_type="gap", mask_path=f"{folder}/000.png", mask_area_px=12, saturation_px=6)
    screw = Defect(
        defect_type="screw", mask_path=f"{folder}/001.png", mask_area_px=20, saturation_px=10
    )
    assert record.defects == (gap, screw)
    expected = np.zeros((10, 12), dtype=bool)
    expected[2:5, 3:7] = True
    assert np.array_equal(read_mask(manifest.root / f"{folder}/000.png"), expected)
    assert manifest.notes == ()
    assert len(list((manifest.root / "masks").rglob("*.png"))) == 3


def test_a_share_of_the_area_stays_a_share_of_what_is_left(wiring: Path) -> None:
    manifest = prepared(wiring, (0.75, 0.0, 1.0, 0.8))  # columns 9-11, rows 0-7
    (screw,) = both(manifest).defects
    assert (screw.defect_type, screw.mask_area_px, screw.saturation_px) == ("screw", 9, 4)


@pytest.mark.parametrize(
    ("right_px", "area_px", "saturation_px"), [(6, 9, 6), (5, 6, 6), (4, 3, 3)]
)
def test_an_absolute_area_is_cut_to_what_is_left(
    wiring: Path, right_px: int, area_px: int, saturation_px: int
) -> None:
    manifest = prepared(wiring, (0.0, 0.0, right_px / 12, 1.0))
    (gap,) = both(manifest).defects
    assert (gap.mask_area_px, gap.saturation_px) == (area_px, saturation_px)


def test_a_defect_outside_the_window_is_dropped_and_noted(wiring: Path) -> None:
    manifest = prepared(wiring, (0.0, 0.0, 0.5, 1.0))
    assert both(manifest).defect_type == "gap"
    assert both(manifest).has_usable_mask
    assert manifest.notes == ("test/gap/0000.png: 1 of 2 defects outside the window",)
    assert len(list((manifest.root / "masks").rglob("*.png"))) == 2


def test_an_image_without_a_defect_in_the_window_is_empty_as_ever(wiring: Path) -> None:
    manifest = prepared(wiring, (0.0, 0.0, 0.2, 0.2))
    (defect,) = both(manifest).defects
    assert (defect.defect_type, defect.mask_problem, defect.mask_path) == (
        "gap+screw",
        "empty",
        None,
    )


def test_one_broken_mask_of_two_leaves_the_image_without(wiring: Path) -> None:
    mask(wiring / "ground_truth/gap/0000/0001.png", value=9)
    record = both(prepared(wiring, WHOLE))
    assert [(d.defect_type, d.mask_problem) for d in record.defects] == [("gap", "unknown_value")]
    assert not record.has_usable_mask


def test_the_manifest_brings_every_defect_back(wiring: Path, tmp_path: Path) -> None:
    manifest = prepared(wiring, WHOLE)
    path = write_manifest(manifest, tmp_path / "manifest.parquet")
    assert read_manifest(path, manifest.root) == manifest


def test_two_workers_cut_the_same(wiring: Path, tmp_path: Path) -> None:
    window = (0.0, 0.0, 0.5, 1.0)
    one, two = (prepare(ingested(wiring), window, tmp_path / n, workers=n == "b") for n in "ab")
    assert (one.records, one.notes) == (two.records, two.notes)


def test_masks_or_a_config_that_changed_after_ingest_are_named(
    wiring: Path, tmp_path: Path
) -> None:
    manifest = ingested(wiring)
    defects_config(wiring, KINDS[0] | {"saturation_threshold": 5}, KINDS[1])
    with pytest.raises(DataError, match=r"E108 .*defects_config\.json changed after ingest"):
        prepare(manifest, WHOLE, tmp_path / "out")
    defects_config(wiring)
    path = mask(wiring / "ground_truth/gap/0000/0000.png", columns=(3, 8))
    with pytest.raises(DataError, match=r"E108 .*0000/0000\.png changed after ingest"):
        prepare(manifest, WHOLE, tmp_path / "out")
    path.unlink()
    with pytest.raises(DataError, match=r"E108 .*0000/0000\.png changed after ingest"):
        prepare(manifest, WHOLE, tmp_path / "out")
