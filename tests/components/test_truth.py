"""From a data set's folder to the regions that AUsPRO weighs, through ingest and prepare."""

from pathlib import Path

import numpy as np
import pytest

from components.data.formats import AutoVi, MvtecAd
from components.data.images import ImageLimits, write_png
from components.data.ingest import ingest
from components.data.manifest import read_manifest, write_manifest
from components.data.prepare import prepare
from components.records import ImageRecord, Manifest
from components.truth import components_of, located_figures, regions_of, truth_of
from tests.components.data.trees import autovi, mask, mvtec_ad

WHOLE = (0.0, 0.0, 1.0, 1.0)


@pytest.fixture
def wiring(tmp_path: Path) -> Manifest:
    """Ingested, prepared, written and read, as a run does it."""
    root = autovi(tmp_path / "wiring")
    raw = ingest("wiring", AutoVi(), root, ImageLimits(), "required", None)
    prepared = prepare(raw, WHOLE, tmp_path / "prepared")
    path = write_manifest(prepared, tmp_path / "prepared/manifest.parquet")
    return read_manifest(path, prepared.root)


def of_type(manifest: Manifest, defect_type: str) -> ImageRecord:
    return next(r for r in manifest.records if r.defect_type == defect_type)


def test_instances_are_regions_with_their_saturation(wiring: Manifest) -> None:
    record = of_type(wiring, "gap+screw")
    regions = regions_of(wiring, record)
    assert regions is not None
    assert [(int(r.mask.sum()), r.saturation_px) for r in regions] == [(12, 6), (20, 10)]
    assert all(r.mask.shape == (10, 12) for r in regions)
    truth = truth_of(wiring, record)
    assert truth is not None
    assert np.array_equal(truth.mask, regions[0].mask | regions[1].mask)
    assert int(truth.mask.sum()) == 32


def test_an_instance_in_two_pieces_stays_one_region(tmp_path: Path) -> None:
    root = autovi(tmp_path / "wiring")
    pieces = np.zeros((10, 12), dtype=np.uint8)
    pieces[0, 0], pieces[9, :3] = 254, 254
    write_png(root / "ground_truth/multiple/0000/0000.png", pieces)
    manifest = ingest("wiring", AutoVi(), root, ImageLimits(), "required", None)
    regions = regions_of(manifest, of_type(manifest, "screw"))
    assert regions is not None
    assert [(int(r.mask.sum()), r.saturation_px) for r in regions] == [(4, 2)]


def test_a_plain_mask_gives_its_components_at_their_area(tmp_path: Path) -> None:
    root = mvtec_ad(tmp_path / "bolt")
    corners = np.zeros((10, 12), dtype=np.bool_)
    corners[0, 0] = corners[1, 1] = True  # touch by a corner: one component of 2 px
    corners[5:8, 5:7] = True
    write_png(root / "ground_truth/scratch/000_mask.png", corners)
    manifest = ingest("bolt", MvtecAd(), root, ImageLimits(), "required", None)
    regions = regions_of(manifest, of_type(manifest, "scratch"))
    assert regions is not None
    assert [(int(r.mask.sum()), r.saturation_px) for r in regions] == [(2, 2), (6, 6)]
    assert np.array_equal(regions[0].mask | regions[1].mask, corners)


def test_normal_images_have_no_region_and_unusable_masks_no_answer(tmp_path: Path) -> None:
    root = autovi(tmp_path / "wiring")
    mask(root / "ground_truth/multiple/0000/0000.png", value=3)
    manifest = ingest("wiring", AutoVi(), root, ImageLimits(), "required", None)
    assert regions_of(manifest, of_type(manifest, "good")) == ()
    assert regions_of(manifest, of_type(manifest, "multiple")) is None


def test_an_empty_mask_has_no_component() -> None:
    assert components_of(np.zeros((4, 4), dtype=np.bool_)) == ()


def test_a_cycle_measures_auspro_where_instances_are_marked(wiring: Manifest) -> None:
    truths = [truth_of(wiring, record) for record in wiring.records]
    perfect = [(np.asarray(t.mask, np.float32), t) for t in truths if t is not None]
    found = located_figures(perfect)
    assert found["auspro_0.05"] == found["auspro_1"] == pytest.approx(1.0)
    assert found["aupro"] == found["pixel_auroc"] == pytest.approx(1.0)


def test_half_an_instance_is_enough_where_it_saturates_there(wiring: Manifest) -> None:
    truths = [truth_of(wiring, record) for record in wiring.records]
    maps = []
    for truth in truths:
        assert truth is not None
        best = np.zeros(truth.mask.shape, np.float32)
        for region in truth.instances:  # as many pixels as each instance asks for, and no more
            rows, columns = np.nonzero(region.mask)
            best[rows[: region.saturation_px], columns[: region.saturation_px]] = 1
        maps.append((best, truth))
    found = located_figures(maps)
    assert found["auspro_0.3"] == pytest.approx(1.0)
    assert found["aupro"] < found["auspro_0.3"]


def test_without_instances_there_is_no_auspro(tmp_path: Path) -> None:
    root = mvtec_ad(tmp_path / "bolt")
    manifest = ingest("bolt", MvtecAd(), root, ImageLimits(), "optional", None)
    truths = [t for r in manifest.records if (t := truth_of(manifest, r)) is not None]
    found = located_figures([(np.asarray(t.mask, np.float32), t) for t in truths])
    assert set(found) == {"pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro"}


def test_the_regions_are_what_auspro_takes(wiring: Manifest) -> None:
    from components.metrics.auspro import auspro

    truths = [t for record in wiring.records if (t := truth_of(wiring, record)) is not None]
    maps = [np.asarray(truth.mask, dtype=np.float32) for truth in truths]
    perfect = auspro(maps, [truth.regions for truth in truths], 1.0)
    assert perfect == pytest.approx(1.0)
