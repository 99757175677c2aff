"""Prepared images are the station's window, lossless, each content once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.data.formats import MvtecAd
from components.data.images import ImageLimits, read_image, read_mask, write_png
from components.data.ingest import ingest
from components.data.prepare import prepare
from components.errors import DataError
from components.records import Manifest

WHOLE = (0.0, 0.0, 1.0, 1.0)
MakeImage = Callable[..., Path]


def ingested(root: Path) -> Manifest:
    return ingest("bolt", MvtecAd(), root, ImageLimits(), "optional", None)


def test_the_whole_window_keeps_every_pixel(mvtec_tree: Path, tmp_path: Path) -> None:
    raw = ingested(mvtec_tree)
    prepared = prepare(raw, WHOLE, tmp_path / "out")
    assert prepared.root == tmp_path / "out"
    assert [r.image_id for r in prepared.records] == [r.image_id for r in raw.records]
    for before, after in zip(raw.records, prepared.records):
        assert after.image_path == f"images/{before.image_id}.png"
        assert np.array_equal(read_image(prepared.path(after)), read_image(raw.path(before)))
        assert (after.split, after.thumbprint) == (before.split, before.thumbprint)
    assert len(list((tmp_path / "out/masks").iterdir())) == 2


def test_image_and_mask_are_cut_alike(mvtec_tree: Path, tmp_path: Path) -> None:
    prepared = prepare(ingested(mvtec_tree), (0.125, 0.25, 0.5, 1.0), tmp_path / "out")
    record = prepared.records[1]
    assert (record.height_px, record.width_px) == (18, 12)
    original = read_image(mvtec_tree / "test/scratch/anomaly-1.png")
    assert np.array_equal(read_image(prepared.path(record)), original[6:24, 4:16])
    # The mask marks rows 4..6, columns 5..7; the window starts at row 6, column 4.
    expected = np.zeros((18, 12), dtype=bool)
    expected[0, 1:4] = True
    (defect,) = record.defects
    assert np.array_equal(read_mask(prepared.root / str(defect.mask_path)), expected)
    assert defect.mask_area_px == 3


def test_a_mask_that_the_cut_left_empty_says_so(mvtec_tree: Path, tmp_path: Path) -> None:
    prepared = prepare(ingested(mvtec_tree), (0.5, 0.5, 1.0, 1.0), tmp_path / "out")
    (defect,) = prepared.records[1].defects
    assert (defect.mask_problem, defect.mask_path) == ("empty", None)
    assert not prepared.records[1].has_usable_mask
    assert not (tmp_path / "out/masks").exists()


def test_a_problem_of_a_mask_is_kept_and_no_mask_written(mvtec_tree: Path, tmp_path: Path) -> None:
    (mvtec_tree / "ground_truth/scratch/anomaly-1_mask.png").unlink()
    prepared = prepare(ingested(mvtec_tree), WHOLE, tmp_path / "out")
    assert [d.mask_problem for r in prepared.records for d in r.defects] == ["missing", ""]


def test_sixteen_bits_are_kept(mvtec_tree: Path, tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (20, 20), dtype=np.uint16)
    write_png(mvtec_tree / "train/good/0.png", deep)
    prepared = prepare(ingested(mvtec_tree), WHOLE, tmp_path / "out")
    (record,) = [r for r in prepared.records if r.bit_depth == 16]
    assert np.array_equal(read_image(prepared.path(record)), deep)


def test_copies_are_kept_once_and_noted_the_anomalous_one_first(
    mvtec_tree: Path, tmp_path: Path
) -> None:
    copy = mvtec_tree / "train/good/copy.png"
    copy.write_bytes((mvtec_tree / "test/scratch/anomaly-1.png").read_bytes())
    prepared = prepare(ingested(mvtec_tree), WHOLE, tmp_path / "out")
    assert len(prepared.records) == 5
    assert sum(r.gt_label for r in prepared.records) == 2
    assert prepared.notes == (
        "train/good/copy.png has the bytes of test/scratch/anomaly-1.png: kept once",
    )


def test_two_workers_write_the_same(mvtec_tree: Path, tmp_path: Path) -> None:
    raw = ingested(mvtec_tree)
    seen: list[tuple[int, int]] = []
    one = prepare(raw, WHOLE, tmp_path / "one", progress=lambda *at: seen.append(at))
    two = prepare(raw, WHOLE, tmp_path / "two", workers=2)
    assert one.records == two.records
    assert seen[-1] == (5, 5)
    for record in one.records:
        assert one.path(record).read_bytes() == two.path(record).read_bytes()


def test_a_file_that_changed_after_ingest_is_named(
    mvtec_tree: Path, tmp_path: Path, make_image: MakeImage
) -> None:
    raw = ingested(mvtec_tree)
    make_image(mvtec_tree / "train/good/1.png", seed=99)
    with pytest.raises(DataError, match=r"E108 .*train/good/1\.png changed after ingest"):
        prepare(raw, WHOLE, tmp_path / "out")
