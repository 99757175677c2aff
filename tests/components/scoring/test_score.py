"""Maps on disk against a drawn ground truth: every figure worked out by hand (see drawing.py)."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from components.errors import DataError
from components.scoring.report import DefectFigures
from components.scoring.score import score_maps
from tests.components.scoring.drawing import (
    AUPRO,
    AUSPRO,
    defect_map,
    draw_image_masks,
    draw_maps,
    draw_truth,
    instance,
    normal_map,
    write_npy,
    write_picture,
)


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return draw_truth(tmp_path / "truth")


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    return draw_maps(tmp_path / "maps")


def test_every_figure_of_the_drawn_set_is_the_one_worked_out_by_hand(maps, truth) -> None:
    report = score_maps(maps, truth)
    assert report.auspro == pytest.approx(AUSPRO)
    assert report.aupro == pytest.approx(AUPRO)
    # 7 pixels beat all 180 others, 13 beat 162
    assert report.pixel_auroc == pytest.approx((7 * 180 + 13 * 162) / 3600)
    assert report.pixel_ap == pytest.approx(7 / 20 + 8 / 20 * 15 / 33 + 5 / 20 * 20 / 38)
    assert report.pixel_f1_max == pytest.approx(2 * 20 / (20 + 38))
    assert (report.image_auroc, report.image_ap, report.image_f1_max) == (1, 1, 1)
    assert report.tpr_at_tnr == {"0.99": 1, "0.95": 1, "0.90": 1}
    assert (report.layout, report.num_images, report.num_regions) == ("autovi", 2, 2)
    assert (report.num_resized, report.streamed, report.notes) == (0, False, ())


def test_a_streamed_set_has_the_same_figures_and_says_so(maps, truth) -> None:
    held, streamed = score_maps(maps, truth), score_maps(maps, truth, budget_px=150)
    assert streamed.streamed
    assert "read one at a time" in streamed.notes[0]
    same = {"streamed", "notes"}
    assert streamed.model_dump(exclude=same) == held.model_dump(exclude=same)


def test_limits_and_rates_are_those_asked_for(maps, truth) -> None:
    report = score_maps(maps, truth, limits=(0.2, 1), tnrs=(0.9, 0.995))
    assert report.auspro == pytest.approx({"0.2": (0.075 + 0.1) / 0.2, "1": 0.975})
    assert list(report.tpr_at_tnr) == ["0.90", "0.995"]


def test_the_same_map_scores_the_same_in_every_kind_of_file(tmp_path: Path, truth) -> None:
    expected = score_maps(draw_maps(tmp_path / "png"), truth).model_dump()
    for name, kind, scale in [
        ("a.npy", np.float16, 0.1),
        ("b.npy", np.float64, 1e-9),
        ("c.npy", ">f4", 1.0),
        ("d.png", np.uint16, 1000),
        ("e.tiff", np.float32, 0.5),
        ("f.tif", np.uint16, 7),
    ]:
        folder = tmp_path / name
        write = write_npy if name.endswith("npy") else write_picture
        for part, pixels in (("good", normal_map()), ("hoop", defect_map())):
            write(
                folder / part / f"000{Path(name).suffix}", (pixels * np.float64(scale)).astype(kind)
            )
        assert score_maps(folder, truth).model_dump() == expected, name


def test_a_map_of_another_size_is_resized_and_counted(tmp_path: Path, maps, truth) -> None:
    (maps / "hoop" / "000.png").unlink()
    doubled = defect_map().repeat(2, axis=0).repeat(2, axis=1)
    write_npy(maps / "hoop" / "000.npy", doubled.astype(np.float32))
    report = score_maps(maps, truth)
    # halving a map whose pixels were doubled gives it back
    assert report.auspro == pytest.approx(AUSPRO)
    assert report.num_resized == 1
    assert report.notes == ("resized to their ground truth (bilinear): 1 of 2 maps",)


def test_the_image_score_is_the_maximum_before_resizing(maps, truth) -> None:
    peak = np.zeros((40, 40), np.float32)
    peak[20, 20] = 100.0  # bilinear halving twice would lower it below the defect's 9
    write_npy(maps / "good" / "000.npy", peak)
    (maps / "good" / "000.png").unlink()
    assert score_maps(maps, truth).image_auroc == 0


def test_without_test_images_every_good_map_counts_and_this_is_said(tmp_path, maps) -> None:
    truth = draw_truth(tmp_path / "bare", tested=False)
    report = score_maps(maps, truth)
    assert report.auspro == pytest.approx(AUSPRO)
    assert report.notes == (
        "no test images beside the ground truth: maps of good taken as they are",
    )


def test_without_normal_maps_pixels_are_scored_and_images_are_not(tmp_path, maps) -> None:
    shutil.rmtree(maps / "good")
    report = score_maps(maps, draw_truth(tmp_path / "bare", tested=False))
    assert report.auspro["1"] == pytest.approx(1)  # its own 80 normal pixels all score 0
    assert (report.image_auroc, report.tpr_at_tnr["0.99"]) == (None, None)
    assert report.by_defect == {
        "hoop": DefectFigures(num_images=1, num_regions=2, image_auroc=None)
    }
    assert any("Only one class among the images" in note for note in report.notes)


def test_overlapping_instances_count_apart_and_their_union_is_no_false_alarm(maps, truth) -> None:
    write_picture(truth / "ground_truth" / "hoop" / "000" / "2.png", instance(0, 2))
    report = score_maps(maps, truth)
    # row 0 again, whole at 4 pixels: its five 9s do; (1 + 1/2 + 1) / 3 up to FPR 0.1
    assert report.num_regions == 3
    assert report.auspro["0.05"] == pytest.approx(2.5 / 3)
    assert report.aupro == pytest.approx(AUPRO)


def test_of_image_masks_the_components_are_the_regions(tmp_path: Path, maps) -> None:
    truth = draw_image_masks(tmp_path / "ad")
    found = defect_map()
    found[[1, 3]] = found[[3, 1]]
    write_picture(maps / "hoop" / "000.png", found)
    report = score_maps(maps, truth)
    assert (report.layout, report.num_regions) == ("mvtec_ad", 2)
    # rows 0 and 3: (5/10 + 2/10) / 2 at FPR 0, then 1 from FPR 0.1 on
    assert report.auspro == report.aupro
    assert report.aupro["0.05"] == pytest.approx(0.35)
    assert report.aupro["1"] == pytest.approx(0.1 * 0.35 + 0.9)


def test_an_empty_image_mask_leaves_its_pixels_out_but_not_its_image(tmp_path, maps) -> None:
    truth = draw_image_masks(tmp_path / "ad")
    write_picture(truth / "ground_truth" / "hoop" / "001_mask.png", np.zeros((10, 10), np.uint8))
    write_picture(truth / "test" / "hoop" / "001.png", np.zeros((10, 10), np.uint8))
    before = score_maps(maps, draw_image_masks(tmp_path / "whole"))
    write_picture(maps / "hoop" / "001.png", np.full((10, 10), 3, np.uint8))
    report = score_maps(maps, truth)
    assert report.aupro == before.aupro
    assert (report.num_anomalous, report.image_auroc) == (2, 0.5)
    assert (
        "1 anomalous images with an empty mask, left out of pixel figures: hoop/001" in report.notes
    )


def test_each_defect_type_stands_against_all_normals(maps, truth) -> None:
    write_picture(truth / "ground_truth" / "cable" / "007" / "0.png", instance(4, 2))
    write_picture(truth / "test" / "cable" / "007.png", np.zeros((10, 10), np.uint8))
    write_picture(maps / "cable" / "007.png", np.full((10, 10), 3, np.uint8))
    report = score_maps(maps, truth)
    assert report.by_defect == {
        "cable": DefectFigures(num_images=1, num_regions=1, image_auroc=0),
        "hoop": DefectFigures(num_images=1, num_regions=2, image_auroc=1),
    }
    assert report.image_auroc == 0.5


def test_maps_in_another_order_or_on_another_scale_score_the_same(tmp_path: Path, truth) -> None:
    folder = tmp_path / "maps"
    for part, pixels in (("hoop", defect_map()), ("good", normal_map())):
        write_npy(folder / part / "000.npy", np.exp(pixels.astype(float)) - 1e3)
    report = score_maps(folder, truth)
    assert report.auspro == pytest.approx(AUSPRO)


def test_files_that_are_no_maps_are_left_alone_and_named(maps, truth) -> None:
    (maps / "config.yaml").write_text("a: 1")
    (maps / ".DS_Store").write_bytes(b"x")
    (maps / "hoop" / "notes.txt").write_text("x")
    assert score_maps(maps, truth).notes == (
        "2 files that are no maps, ignored: config.yaml, hoop/notes.txt",
    )


def test_a_folder_of_maps_one_level_too_high_is_told_which_to_give(maps, truth) -> None:
    above = maps.parent / "results"
    shutil.move(maps, above / "test")
    with pytest.raises(DataError, match=r"E211 .*results holds no map .* Give .*results.test"):
        score_maps(above, truth)


def test_a_missing_folder_of_maps_is_named(tmp_path: Path, truth) -> None:
    with pytest.raises(DataError, match=r"E211 .*nowhere is not a folder"):
        score_maps(tmp_path / "nowhere", truth)
