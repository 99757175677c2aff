"""A study file says everything, and a mistake in it is named with what would be right."""

from pathlib import Path

import pytest

from components.errors import ParamsError
from components.studies.params import StudyParams, load_detectors, load_study
from components.studies.variants import WindowSpec, place
from tests.factories import ROOT

STUDIES = sorted((ROOT / "params/studies").glob("*.yaml"))


def study_file(folder: Path, text: str) -> Path:
    path = folder / "small.yaml"
    path.write_text(f"name: small\ntitle: t\nstations: [a]\ndetectors: [patchcore]\n{text}")
    return path


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_project_loads_with_its_detectors(path: Path) -> None:
    study = load_study(path)
    assert set(load_detectors(ROOT / "params", study.detectors)) == set(study.detectors)
    assert study.axes.variants
    assert study.seeds_of("quick")


def test_the_papers_tables_have_their_studies() -> None:
    found = {load_study(p).reproduces.table for p in STUDIES if load_study(p).reproduces}  # type: ignore[union-attr]
    assert {"Table 11", "Table 12", "Figure 5", "Table C.9", "Tables 4 and 5"} <= found


def test_an_unknown_key_is_an_error_that_names_the_valid_ones(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"E013 .*'axes.window.sizes' .valid: shares, sizes_px"):
        load_study(study_file(tmp_path, "axes: {window: {sizes: [1]}}"))


def test_an_unknown_metric_an_unknown_corruption_and_a_double_seed_are_told(
    tmp_path: Path,
) -> None:
    with pytest.raises(ParamsError, match=r"unknown accuracy .*image_auroc"):
        load_study(study_file(tmp_path, "metrics: [accuracy]"))
    with pytest.raises(ParamsError, match=r"no fog .*defocus"):
        load_study(study_file(tmp_path, "axes: {corrupt: {severities: {fog: [1]}}}"))
    with pytest.raises(ParamsError, match=r"seeds: .*twice"):
        load_study(study_file(tmp_path, "seeds: [1, 1]"))


def test_the_name_of_a_study_is_the_name_of_its_file(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="E240"):
        load_study(study_file(tmp_path, "").rename(tmp_path / "other.yaml"))


def test_all_detectors_without_a_file_are_named_at_once() -> None:
    with pytest.raises(ParamsError, match=r"E241 No detector nope, neither: .*patchcore"):
        load_detectors(ROOT / "params", ["patchcore", "nope", "neither"])


def test_variants_are_the_product_of_the_axes_and_conditions_start_clean() -> None:
    study = StudyParams.model_validate(
        {
            "name": "s", "title": "t", "stations": ["a"], "detectors": ["patchcore"],
            "axes": {
                "num_train": [4, None],
                "augment": {"kinds": [{"kind": "rotate"}]},
                "window": {"shares": [0.5]},
                "corrupt": {"severities": {"defocus": [2, 4]}},
            },
        }
    )  # fmt: skip
    assert [v.name for v in study.axes.variants] == [
        "window 50 % · 4 images",
        "window 50 % · 4 images · augmented",
        "window 50 %",
        "window 50 % · augmented",
    ]
    assert [c.name for c in study.axes.conditions] == ["clean", "defocus 2", "defocus 4"]


def test_a_window_is_centred_on_the_regions_and_pushed_inside() -> None:
    half = WindowSpec(share=0.5)
    assert place(half, [], 100, 100) == (0.25, 0.25, 0.75, 0.75)
    # the box 0.7..0.9 x 0.1..0.3 has its centre at (0.8, 0.2): half a picture does not fit there
    assert place(half, [[(0.7, 0.1), (0.9, 0.3)]], 100, 100) == (0.5, 0.0, 1.0, 0.5)


def test_a_window_in_pixels_takes_its_share_of_each_side_or_does_not_fit() -> None:
    spec = WindowSpec(size_px=(200, 100))
    assert place(spec, [], height_px=200, width_px=400) == (0.25, 0.25, 0.75, 0.75)
    assert place(spec, [], height_px=90, width_px=400) is None
