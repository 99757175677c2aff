"""The magnetic tile station on real images, where a copy of them lies beside the clone."""

from collections import Counter
from pathlib import Path

import pytest

from components.data.ingest import ingest
from components.data.sections import load_sections
from components.data.split import check_no_leak, split
from components.records import Manifest, Split

ROOT = Path(__file__).resolve().parents[3]
IMAGES = ROOT.parent / "shared" / "data" / "mtd" / "magnetic_tile"

pytestmark = pytest.mark.skipif(
    not IMAGES.is_dir(), reason=f"the magnetic tile images are not at {IMAGES}"
)


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    station = load_sections(ROOT / "params", "magnetic_tile")
    found = ingest(
        "magnetic_tile", station.source, IMAGES, station.images, station.masks, station.group
    )
    return split(found, station.split)


def test_every_picture_is_counted_once(manifest: Manifest) -> None:
    assert Counter(r.gt_label for r in manifest.records) == {0: 952, 1: 392}
    assert manifest.rejects == ()


def test_the_four_empty_masks_are_named(manifest: Manifest) -> None:
    empty = {
        Path(r.image_path).stem
        for r in manifest.records
        if any(d.mask_problem == "empty" for d in r.defects)
    }
    assert empty == {
        "exp3_num_45042",
        "exp4_num_124690",
        "exp4_num_352527",
        "exp4_num_45057",
    }


def test_no_tile_is_in_two_sets(manifest: Manifest) -> None:
    sets: dict[str, set[Split]] = {}
    for record in manifest.records:
        sets.setdefault(record.group_id, set()).add(record.split)
    assert len(sets) < 300  # 1,344 pictures of about 220 tiles
    assert all(len(where) == 1 for where in sets.values())
    check_no_leak(
        manifest, load_sections(ROOT / "params", "magnetic_tile").split.near_duplicate_bits
    )


def test_about_a_third_of_each_defect_type_is_granted_to_tuning(manifest: Manifest) -> None:
    tuned = Counter(r.defect_type for r in manifest.of(Split.TUNE, label=1))
    every = Counter(r.defect_type for r in manifest.records if r.gt_label)
    for kind, count in every.items():
        assert tuned[kind] / count == pytest.approx(0.3, abs=0.1), kind
