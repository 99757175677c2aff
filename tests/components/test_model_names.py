"""A model's name stands for the same wherever it is given: a file, else a kind as it is."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.errors import ParamsError
from components.model_names import is_model, load_models
from components.models import KINDS
from components.models.backbones import BACKBONES
from components.station import load_station
from components.studies.params import load_detectors
from components.train import TrainParams
from tests.factories import ROOT


@pytest.fixture
def params_dir(tmp_path: Path) -> Path:
    """The project's params, with files for two models alone."""
    shutil.copytree(ROOT / "params", tmp_path / "params")
    for path in (tmp_path / "params/models").glob("*.yaml"):
        if path.stem not in {"patchcore", "padim"}:
            path.unlink()
    return tmp_path / "params"


def test_a_file_comes_before_the_kind_of_its_name(params_dir: Path) -> None:
    (params_dir / "models/dfm.yaml").write_text("detector: {kind: padim, n_features: 7}")
    assert load_models(params_dir, ["dfm"])["dfm"].detector.kind == "padim"
    (params_dir / "models/dfm.yaml").unlink()
    assert load_models(params_dir, ["dfm"])["dfm"] == TrainParams(detector={"kind": "dfm"})


def test_models_keep_the_order_in_which_they_are_named(params_dir: Path) -> None:
    assert list(load_models(params_dir, ["stfpm", "padim", "cfa"])) == ["stfpm", "padim", "cfa"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_defaults_that_make_a_candidate(kind: str, tmp_path: Path) -> None:
    made = load_models(tmp_path, [kind])[kind]
    assert (made.detector.kind, made.detector) == (kind, KINDS[kind]())


def test_a_kind_that_looks_at_one_size_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_size = replace(BACKBONES["lite0"], image_size_px=224)
    monkeypatch.setitem(BACKBONES, "lite0", one_size)
    assert load_models(tmp_path, ["padim"])["padim"].image_size_px == 224


def test_all_names_that_stand_for_nothing_are_told_with_files_and_kinds(params_dir: Path) -> None:
    with pytest.raises(
        ParamsError,
        match=r"E241 No detector nope, ../padim: .*Files: padim, patchcore\. "
        r"Kinds without a file: cfa, cflow, .*, uflow\. Or else\.$",
    ):
        load_models(params_dir, ["padim", "nope", "../padim"], "Or else.")
    assert [is_model(params_dir, name) for name in ("padim", "uflow", "nope")] == [
        True,
        True,
        False,
    ]


def test_a_station_and_a_study_mean_the_same_by_a_name(params_dir: Path) -> None:
    settings = ("models=[dfm, padim]", "profiles.quick.models=null")
    assert load_station(params_dir, "elpv", settings).models == load_detectors(
        params_dir, ["dfm", "padim"]
    )
    with pytest.raises(ParamsError, match=r"E241 No detector nope.*Kinds without a file: cfa"):
        load_station(params_dir, "elpv", ("models=[nope]", "profiles.quick.models=null"))


def test_a_study_is_told_where_detectors_of_the_future_go(params_dir: Path) -> None:
    with pytest.raises(ParamsError, match="under `planned`"):
        load_detectors(params_dir, ["nope"])
