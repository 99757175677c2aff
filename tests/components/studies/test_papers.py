"""Our figures beside printed ones: the same images, the difference, and whether it is noise."""

from pathlib import Path

import pytest

from components.errors import ParamsError
from components.studies.papers import Printed, against_papers, datasets_of, read_papers
from tests.components.studies.test_tables import rows
from tests.factories import ROOT

PAPERS = ROOT / "params/papers"


def printed(**changes: object) -> Printed:
    values = {
        "paper": "002", "table": "6", "dataset": "d", "detector": "patchcore", "backbone": "",
        "variant": "as it is", "condition": "clean", "metric": "image_auroc", "mean": 0.87,
        "std": 0.01, "num_seeds": 8, "source": "Table 6",
    }  # fmt: skip
    return Printed.model_validate(values | changes)


def test_a_difference_within_the_noise() -> None:
    # ours 0.90, s 0.02, n 3; theirs 0.87, s 0.01, n 8. Squared errors 1.333e-4 and 1.25e-5:
    # t = 0.03 / sqrt(1.458e-4) = 2.484 on 1.458e-4**2 / (1.333e-4**2/2 + 1.25e-5**2/7) = 2.386
    # degrees of freedom, two-sided p = 0.109
    (found,) = against_papers(rows("patchcore", (0.88, 0.90, 0.92)), [printed()], {"a": "d"})
    assert found.difference == pytest.approx(0.03)
    assert found.p_value == pytest.approx(0.109, abs=0.002)
    assert found.within_noise is True
    assert not found.same_backbone


def test_a_difference_beyond_the_noise() -> None:
    # the same spreads, means 0.20 apart: t = 16.6 on 2.386 degrees of freedom, p = 0.002
    theirs = printed(mean=0.70)
    (found,) = against_papers(rows("patchcore", (0.88, 0.90, 0.92)), [theirs], {"a": "d"})
    assert found.within_noise is False
    assert found.verdict.startswith("beyond the noise")


def test_without_a_printed_spread_or_with_one_seed_nothing_is_claimed() -> None:
    bare = printed(std=None, num_seeds=None)
    (found,) = against_papers(rows("patchcore", (0.88, 0.90)), [bare], {"a": "d"})
    assert (found.within_noise, found.verdict) == (None, "no spread printed")
    (found,) = against_papers(rows("patchcore", (0.88,)), [printed()], {"a": "d"})
    assert found.verdict == "one seed: not testable"


def test_only_the_same_images_detector_variant_condition_and_metric_are_compared() -> None:
    ours = rows("patchcore", (0.9, 0.91))
    assert against_papers(ours, [printed()], {}) == ()
    for change in (
        {"dataset": "other"},
        {"detector": "padim"},
        {"variant": "augmented"},
        {"condition": "augmented test"},
        {"metric": "image_ap"},
    ):
        assert against_papers(ours, [printed(**change)], {"a": "d"}) == ()


def test_the_very_backbone_is_preferred_to_others_of_the_paper() -> None:
    theirs = [printed(backbone="resnet18"), printed(backbone="lite0", mean=0.8)]
    (found,) = against_papers(rows("patchcore", (0.9, 0.91)), theirs, {"a": "d"})
    assert found.same_backbone
    assert len(against_papers(rows("patchcore", (0.9, 0.91)), theirs[:1] * 2, {"a": "d"})) == 2


def test_the_printed_figures_of_the_papers_are_read_in_our_units() -> None:
    found = read_papers(PAPERS)
    assert {p.paper for p in found} >= {"002", "003"}
    assert all(0 <= p.mean <= 1 for p in found if p.metric not in ("fit_s", "latency_ms"))
    (wiring,) = [
        p
        for p in found
        if (p.table, p.dataset, p.detector) == ("6", "autovi/engine_wiring", "efficient_ad")
    ]
    assert (wiring.mean, wiring.std, wiring.num_seeds) == (0.797, 0.008, 8)


def test_stations_stand_for_the_data_sets_that_they_hold() -> None:
    stations = ("elpv", "magnetic_tile_official", "engine_wiring", "glue_line")
    found = datasets_of(PAPERS, stations)
    assert found == {"magnetic_tile_official": "mtd", "engine_wiring": "autovi/engine_wiring"}


def test_a_broken_row_is_named_with_file_line_and_field(tmp_path: Path) -> None:
    head = ",".join(Printed.model_fields)
    (tmp_path / "bad.csv").write_text(f"{head}\n002,6,d,p,,v,c,m,much,,8,Table 6,\n")
    with pytest.raises(ParamsError, match=r"E244 .*bad.csv, line 2, mean"):
        read_papers(tmp_path)
