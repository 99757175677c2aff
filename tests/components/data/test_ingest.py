"""Ingest reads every file once, measures it, and quarantines what is no image."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.data.formats import Folder, MvtecAd
from components.data.groups import GroupRule, Pattern
from components.data.images import ImageLimits, write_png
from components.data.ingest import MaskPolicy, ingest
from components.errors import DataError
from components.records import Manifest

MakeImage = Callable[..., Path]


def read(
    root: Path,
    masks: MaskPolicy = "required",
    group: GroupRule | None = None,
    limits: ImageLimits | None = None,
    workers: int = 1,
) -> Manifest:
    return ingest("bolt", MvtecAd(), root, limits or ImageLimits(), masks, group, workers=workers)


def problem(manifest: Manifest, stem: str) -> str:
    (record,) = [r for r in manifest.records if r.image_path.endswith(f"{stem}.png")]
    return record.defects[0].mask_problem


def test_a_record_says_what_the_file_is(mvtec_tree: Path) -> None:
    manifest = read(mvtec_tree)
    assert (manifest.station, manifest.layout, manifest.root) == ("bolt", "mvtec_ad", mvtec_tree)
    assert (len(manifest.records), manifest.rejects, manifest.notes) == (5, (), ())
    record = manifest.records[1]
    path = mvtec_tree / "test/scratch/anomaly-1.png"
    assert manifest.path(record) == path
    assert record.image_id == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (record.height_px, record.width_px, record.channels, record.bit_depth) == (24, 32, 1, 8)
    assert 0.4 < record.brightness < 0.6
    assert len(record.thumbprint) == 64
    (defect,) = record.defects
    assert defect.mask_path == "ground_truth/scratch/anomaly-1_mask.png"
    assert (defect.mask_area_px, defect.mask_problem, record.has_usable_mask) == (9, "", True)


def test_two_workers_find_the_same(mvtec_tree: Path) -> None:
    assert read(mvtec_tree, workers=2) == read(mvtec_tree)


def test_progress_counts_every_file(mvtec_tree: Path) -> None:
    seen: list[tuple[int, int]] = []
    ingest(
        "bolt",
        MvtecAd(),
        mvtec_tree,
        ImageLimits(),
        "optional",
        None,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(i, 5) for i in range(1, 6)]


def test_bad_files_are_quarantined_with_their_reason(mvtec_tree: Path) -> None:
    good = mvtec_tree / "train/good"
    (good / "2.png").write_text("text")
    (good / "3.png").touch()
    (good / "4.png").write_bytes((good / "0.png").read_bytes()[:300])
    manifest = read(mvtec_tree)
    assert len(manifest.records) == 5
    assert [(r.image_path, r.code) for r in manifest.rejects] == [
        ("train/good/2.png", "disguised"),
        ("train/good/3.png", "empty"),
        ("train/good/4.png", "truncated"),
    ]
    assert all(reject.reason for reject in manifest.rejects)


def test_a_station_may_stop_at_the_first_bad_file(mvtec_tree: Path) -> None:
    (mvtec_tree / "train/good/2.png").write_text("text")
    with pytest.raises(DataError, match=r"E115 .*train/good/2\.png.*disguised") as caught:
        read(mvtec_tree, limits=ImageLimits(on_reject="stop"))
    assert caught.value.exit_code == 3


def test_limits_reach_the_files(mvtec_tree: Path) -> None:
    with pytest.raises(DataError, match=r"E102 .*could be read"):
        read(mvtec_tree, limits=ImageLimits(max_pixels=24 * 32 - 1))
    assert read(mvtec_tree, limits=ImageLimits(max_pixels=24 * 32)).rejects == ()


def test_each_problem_of_a_mask_is_named(mvtec_tree: Path, make_mask: MakeImage) -> None:
    folder = mvtec_tree / "ground_truth/scratch"
    mask = folder / "anomaly-1_mask.png"
    make_mask(mask, height=23)
    assert problem(read(mvtec_tree), "anomaly-1") == "size"
    write_png(mask, np.zeros((24, 32), dtype=np.bool_))
    assert problem(read(mvtec_tree), "anomaly-1") == "empty"
    write_png(mask, np.arange(24 * 32, dtype=np.uint8).reshape(24, 32))
    assert problem(read(mvtec_tree), "anomaly-1") == "not_binary"
    mask.write_text("text")
    manifest = read(mvtec_tree)
    assert problem(manifest, "anomaly-1") == "missing"
    assert "anomaly-1_mask.png cannot be read" in manifest.notes[0]
    mask.unlink()
    manifest = read(mvtec_tree)
    assert problem(manifest, "anomaly-1") == "missing"
    assert problem(manifest, "anomaly-10") == ""
    make_mask(mask)
    make_mask(folder / "anomaly-1.png")
    assert problem(read(mvtec_tree), "anomaly-1") == "double"


def test_a_mask_of_zeros_and_ones_is_binary(mvtec_tree: Path) -> None:
    mask = np.zeros((24, 32), dtype=np.uint8)
    mask[0, :5] = 1
    write_png(mvtec_tree / "ground_truth/scratch/anomaly-1_mask.png", mask)
    defect = read(mvtec_tree).records[1].defects[0]
    assert (defect.mask_problem, defect.mask_area_px) == ("", 5)


def test_masks_none_ignores_them(mvtec_tree: Path) -> None:
    defect = read(mvtec_tree, masks="none").records[1].defects[0]
    assert (defect.mask_path, defect.mask_problem) == (None, "")


def test_a_layout_without_any_mask_has_no_missing_ones(
    tmp_path: Path, make_image: MakeImage
) -> None:
    make_image(tmp_path / "good/1.png")
    make_image(tmp_path / "dent/1.png", seed=1)

    def found(masks: MaskPolicy) -> str:
        manifest = ingest("bolt", Folder(), tmp_path, ImageLimits(), masks, None)
        return manifest.records[0].defects[0].mask_problem

    assert found("optional") == ""
    assert found("required") == "missing"


def test_exact_copies_stay_two_records(mvtec_tree: Path) -> None:
    source = mvtec_tree / "train/good/0.png"
    (mvtec_tree / "test/good/copy.png").write_bytes(source.read_bytes())
    ids = [record.image_id for record in read(mvtec_tree).records]
    assert (len(ids), len(set(ids))) == (6, 5)


def test_groups_come_from_names_and_a_name_without_one_stops(mvtec_tree: Path) -> None:
    manifest = read(mvtec_tree, group=Pattern(pattern=r"(\d+)\.png"))
    assert [record.group_id for record in manifest.records] == ["0", "1", "10", "0", "1"]
    with pytest.raises(DataError, match=r"E105 test/good/0\.png"):
        read(mvtec_tree, group=Pattern(pattern=r"anomaly-(\d+)"))
