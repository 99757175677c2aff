"""The rendered station: same seed same bytes, exact masks, and light that gives nothing away."""

from pathlib import Path

import numpy as np
import pytest

from components.data.formats.glue_line import DEFECT_TYPES, GlueLine
from components.data.formats.glue_line_renderer import render
from components.data.images import ImageLimits
from components.data.ingest import ingest
from components.data.region import region_mask
from components.data.sections import load_sections
from components.params import read_yaml

PARAMS_DIR = Path(__file__).parents[3] / "params"
SMALL = GlueLine(num_normal=6, num_defective=4, width_px=160, height_px=120)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SMALL.fetch(tmp_path_factory.mktemp("raw") / "glue_line")


def test_the_tree_has_what_the_params_say(raw: Path) -> None:
    listing = SMALL.entries(raw)
    assert listing.notes == ()
    assert sum(e.gt_label == 0 for e in listing.entries) == 6
    assert sorted(e.defect_type for e in listing.entries if e.defect_type) == sorted(DEFECT_TYPES)
    assert {len(e.mask_paths) for e in listing.entries if e.gt_label} == {1}


def test_the_same_params_give_the_same_bytes_and_another_seed_others(
    raw: Path, tmp_path: Path
) -> None:
    def contents(folder: Path) -> dict[str, bytes]:
        files = sorted(folder.rglob("*.png"))
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}

    assert contents(SMALL.fetch(tmp_path / "again")) == contents(raw)
    other = render(SMALL.replaced(seed=1), 0, None)[0]
    assert not np.array_equal(other, render(SMALL, 0, None)[0])


def test_fetching_again_leaves_nothing_of_before(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/old.png").touch()
    SMALL.replaced(num_defective=0, num_normal=2).fetch(tmp_path / "raw")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["raw"]
    assert not (tmp_path / "raw/old.png").exists()


@pytest.mark.parametrize("defect_type", DEFECT_TYPES)
def test_a_defect_changes_the_picture_in_its_mask_and_nowhere_else(defect_type: str) -> None:
    params = GlueLine(width_px=320, height_px=240)
    good, none = render(params, 3, None)
    bad, mask = render(params, 3, defect_type)
    difference = np.abs(bad.astype(int) - good.astype(int))
    assert not none.any()
    assert 25 <= np.count_nonzero(mask) < 0.06 * mask.size
    # The same part under the same noise: outside the mask only the lens's blur leaks over.
    assert difference[mask].mean() > 5
    assert difference[~mask].mean() < 0.05
    assert np.percentile(difference[~mask], 99) <= 3


def test_every_defect_lies_in_the_stations_regions() -> None:
    polygons = read_yaml(PARAMS_DIR / "stations/glue_line.yaml")["synthesize"]["regions"]
    region = region_mask(tuple(tuple(map(tuple, p)) for p in polygons), 240, 320)
    assert 0.1 < region.mean() < 0.4
    larger = SMALL.replaced(width_px=320, height_px=240)
    for index in range(12):
        mask = render(larger, index, DEFECT_TYPES[index % 4])[1]
        assert (mask & region).sum() > 0.95 * mask.sum()


def test_the_light_varies_and_brightness_separates_nothing(raw: Path) -> None:
    many = SMALL.replaced(width_px=96, height_px=72)
    labels = np.arange(60) % 2
    shades = np.array(
        [render(many, i, DEFECT_TYPES[i % 4] if labels[i] else None)[0].mean() for i in range(60)]
    )
    normal, anomalous = shades[labels == 0], shades[labels == 1]
    assert normal.std() > 5
    auroc = (anomalous[:, None] > normal[None, :]).mean()
    assert 0.3 < auroc < 0.7


def test_ingest_takes_the_pictures_without_complaint(raw: Path) -> None:
    sections = load_sections(PARAMS_DIR, "glue_line")
    manifest = ingest("glue_line", SMALL, raw, ImageLimits(), sections.masks, sections.group)
    assert (len(manifest.records), manifest.rejects, manifest.notes) == (10, (), ())
    assert all(record.has_usable_mask for record in manifest.records)
