"""The synthesize stage: what is written, from which parents, and what it may never touch."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.data.images import read_image, read_mask, write_png
from components.errors import DataError, PipelineError
from components.records import ImageRecord, Manifest, Split
from components.synthesize import CutPaste, Nsa, Perlin, Warp
from components.synthesize.draw import synthesize
from components.synthesize.section import SynthesizeParams

SIDE_PX = 64
MIDDLE = (((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)),)


def prepared(root: Path, *, fit: int = 2, tune: int = 3, report: int = 1) -> Manifest:
    """A manifest of small grey pictures with bars, each split's number of normals given."""
    records = []
    for split, number in ((Split.FIT, fit), (Split.TUNE, tune), (Split.REPORT, report)):
        for i in range(number):
            rng = np.random.default_rng([len(split), i])
            picture = 120 + rng.normal(0, 4, (SIDE_PX, SIDE_PX))
            picture[20 + 4 * i : 24 + 4 * i] -= 60
            path = write_png(root / f"images/{split}{i}.png", picture.astype(np.uint8))
            records.append(record_of(path, split))
    return Manifest(station="bench", layout="folder", root=root, records=tuple(records))


def record_of(path: Path, split: Split, **changes: Any) -> ImageRecord:
    image_id = hashlib.sha256(path.read_bytes()).hexdigest()
    values = {
        "image_id": image_id,
        "image_path": f"images/{path.name}",
        "category": "bench",
        "split": split,
        "gt_label": 0,
        "group_id": f"part-{path.stem}",
        "height_px": SIDE_PX,
        "width_px": SIDE_PX,
        "channels": 1,
    }
    return ImageRecord.model_validate(values | changes)


def params(num_per_kind: int = 3, seed: int = 0, **changes: Any) -> SynthesizeParams:
    values = {"kinds": (Warp(), Nsa()), "regions": MIDDLE} | changes
    return SynthesizeParams(num_per_kind=num_per_kind, seed=seed, **values)


def ids(manifest: Manifest) -> list[str]:
    return [record.image_id for record in manifest.records]


def test_every_record_tells_the_truth_about_its_files(tmp_path: Path) -> None:
    manifest = prepared(tmp_path / "prepared")
    drawn = synthesize(manifest, params(), tmp_path / "out")
    parents = {record.image_id: record for record in manifest.of(Split.TUNE)}
    assert len(drawn.records) == 6
    assert drawn.root == tmp_path / "out"
    for record in drawn.records:
        parent = parents[record.parent_id or ""]
        image, before = read_image(drawn.path(record)), read_image(manifest.path(parent))
        mask = read_mask(drawn.root / str(record.defects[0].mask_path))
        assert hashlib.sha256(drawn.path(record).read_bytes()).hexdigest() == record.image_id
        assert np.array_equal(image[~mask], before[~mask])
        assert not np.array_equal(image[mask], before[mask])
        assert record.defects[0].mask_area_px == mask.sum() > 0
        assert not mask[:6].any(), "a defect left the station's region"
        assert (record.origin, record.split, record.gt_label) == ("synthetic", Split.TUNE, 1)
        assert record.group_id == parent.group_id
        assert record.has_usable_mask
        assert len(record.thumbprint) == 64
    assert [record.defect_type for record in drawn.records] == ["warp"] * 3 + ["nsa"] * 3


def test_parents_take_turns(tmp_path: Path) -> None:
    drawn = synthesize(prepared(tmp_path), params(6, kinds=(Warp(),)), tmp_path / "out")
    parents = [record.parent_id for record in drawn.records]
    assert len(set(parents[:3])) == 3
    assert parents[:3] == parents[3:]


def test_the_report_set_and_defects_are_never_opened(tmp_path: Path) -> None:
    manifest = prepared(tmp_path)
    defective = [r.model_copy(update={"gt_label": 1}) for r in manifest.of(Split.TUNE)[:1]]
    others = [r for r in manifest.records if r.image_id != defective[0].image_id]
    manifest = manifest.model_copy(update={"records": (*defective, *others)})
    for record in (*defective, *manifest.of(Split.REPORT)):
        manifest.path(record).unlink()
    drawn = synthesize(manifest, params(), tmp_path / "out")
    assert defective[0].image_id not in {record.parent_id for record in drawn.records}


def test_donors_come_from_the_fit_set_where_it_has_any(tmp_path: Path) -> None:
    manifest = prepared(tmp_path, tune=1)
    only_tune = manifest.model_copy(update={"records": manifest.of(Split.TUNE)})
    kinds = (Nsa(), Perlin())
    with_fit = synthesize(manifest, params(2, kinds=kinds), tmp_path / "a")
    without = synthesize(only_tune, params(2, kinds=kinds), tmp_path / "b")
    assert set(ids(with_fit)).isdisjoint(ids(without))
    assert len(ids(without)) == 4  # the parent itself stands in for a donor


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    manifest = prepared(tmp_path / "prepared")
    first, again = (synthesize(manifest, params(), tmp_path / name) for name in "ab")
    assert first.records == again.records
    for record in first.records:
        for path in (record.image_path, str(record.defects[0].mask_path)):
            assert (first.root / path).read_bytes() == (again.root / path).read_bytes()
    other = synthesize(manifest, params(seed=1), tmp_path / "c")
    assert set(ids(first)).isdisjoint(ids(other))


def test_more_images_or_a_further_kind_change_none_of_the_others(tmp_path: Path) -> None:
    manifest = prepared(tmp_path / "prepared")
    few = ids(synthesize(manifest, params(2), tmp_path / "a"))
    more = ids(synthesize(manifest, params(4), tmp_path / "b"))
    assert few == more[:2] + more[4:6]
    kinds = (Warp(), Nsa(), CutPaste())
    assert ids(synthesize(manifest, params(2, kinds=kinds), tmp_path / "c"))[:4] == few


def test_the_order_of_the_manifest_does_not_matter(tmp_path: Path) -> None:
    manifest = prepared(tmp_path / "prepared")
    turned = manifest.model_copy(update={"records": manifest.records[::-1]})
    assert ids(synthesize(manifest, params(), tmp_path / "a")) == ids(
        synthesize(turned, params(), tmp_path / "b")
    )


def test_nothing_unfinished_is_left_and_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    synthesize(
        prepared(tmp_path / "prepared"),
        params(2),
        tmp_path / "out",
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    names = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(names) == 8
    assert all(name.endswith(".png") and not name.startswith(".") for name in names)


def test_a_picture_with_nothing_on_it_is_passed_over(tmp_path: Path) -> None:
    manifest = prepared(tmp_path, tune=1)
    black = record_of(
        write_png(tmp_path / "images/black.png", np.zeros((SIDE_PX, SIDE_PX), np.uint8)), Split.TUNE
    )
    both = manifest.model_copy(update={"records": (*manifest.records, black)})
    drawn = synthesize(both, params(3, kinds=(Warp(),)), tmp_path / "out")
    assert {r.parent_id for r in drawn.records} == {manifest.of(Split.TUNE)[0].image_id}
    only = manifest.model_copy(update={"records": (black,)})
    with pytest.raises(PipelineError, match=r"E142 warp on images/black\.png"):
        synthesize(only, params(1), tmp_path / "none")


def test_a_tune_set_without_normals_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"E143.*bench.*split\.tune"):
        synthesize(prepared(tmp_path, tune=0), params(), tmp_path / "out")


def test_a_region_too_small_names_the_kind_and_the_image(tmp_path: Path) -> None:
    speck = (((0.5, 0.5), (0.51, 0.5), (0.51, 0.51)),)
    with pytest.raises(PipelineError, match=r"E141 warp on images/tune\d\.png.*regions"):
        synthesize(prepared(tmp_path), params(regions=speck), tmp_path / "out")
