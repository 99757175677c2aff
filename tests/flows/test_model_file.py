"""What tuning found, kept as a model that stations and studies name."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.errors import ParamsError
from components.studies.params import StudyParams, load_detectors
from components.train import TrainParams
from components.tune.summary import TuneSummary
from flows.bench import _check_tuned
from flows.cli import main
from flows.model_file import ModelFile, tuned_on
from tests.components.report.test_tuning import summary
from tests.flows.test_settings import workspace_like

PARAMS = TrainParams(detector={"kind": "padim", "backbone": "lite2"}, input_noise=0.035)


@pytest.fixture
def params_dir(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path


def with_a_best_of(params: TrainParams) -> TuneSummary:
    """Return a study whose best trial had these params; all the others had none."""
    plain = summary()
    best = max(t.objective or 0.0 for t in plain.trials)
    given: dict[str, Any] = {"params": params.model_dump(mode="json")}
    told = [t.model_copy(update=given if t.objective == best else {}) for t in plain.trials]
    return plain.model_copy(update={"trials": tuple(told)})


def test_a_study_that_is_saved_is_a_model_like_any_other(params_dir: Path) -> None:
    ModelFile.at(params_dir, "solar_tuned").write(with_a_best_of(PARAMS))
    assert load_detectors(params_dir, ["solar_tuned"]) == {"solar_tuned": PARAMS}


def test_the_file_says_where_it_comes_from(params_dir: Path) -> None:
    file = ModelFile.at(params_dir, "solar_tuned")
    file.write(with_a_best_of(PARAMS))
    head = [line for line in file.path.read_text("utf-8").splitlines() if line.startswith("#")]
    assert head[0].startswith("# Found by tuning elpv (quick profile): trial ")
    assert head[1].endswith("on the tune set alone.")
    assert head[2] == "# defectloop tune elpv"


def test_a_later_study_writes_over_an_earlier_one_but_never_over_a_persons(
    params_dir: Path,
) -> None:
    ModelFile.at(params_dir, "solar_tuned").write(with_a_best_of(PARAMS))
    other = PARAMS.replaced(input_noise=0.0)
    ModelFile.at(params_dir, "solar_tuned").write(with_a_best_of(other))
    assert load_detectors(params_dir, ["solar_tuned"]) == {"solar_tuned": other}
    hand_made = params_dir / "models" / "mine.yaml"
    hand_made.write_text(yaml.safe_dump(PARAMS.model_dump(mode="json")), encoding="utf-8")
    with pytest.raises(ParamsError, match=r"E348 .*not written by tuning"):
        ModelFile.at(params_dir, "mine")


def test_the_name_of_a_kind_is_taken(params_dir: Path) -> None:
    with pytest.raises(ParamsError, match="E348 padim is a kind"):
        ModelFile.at(params_dir, "padim")


def test_a_tuned_model_is_not_tested_on_what_it_was_chosen_on(params_dir: Path) -> None:
    ModelFile.at(params_dir, "solar_tuned").write(with_a_best_of(PARAMS))
    assert tuned_on(params_dir, "solar_tuned") == "elpv"
    assert tuned_on(params_dir, "absent") is None
    values = {"name": "s", "title": "S", "stations": ["elpv"], "detectors": ["solar_tuned"]}
    with pytest.raises(ParamsError, match=r"E249 solar_tuned was chosen on images of elpv"):
        _check_tuned(params_dir, StudyParams.model_validate(values))
    for changes in ({"sets": "station"}, {"stations": ["glue_line"]}):
        _check_tuned(params_dir, StudyParams.model_validate(values | changes))


@pytest.mark.parametrize("name", ["", "../away", "Big", "a b", "a" * 64, "1st"])
def test_a_name_that_is_none_is_refused_before_the_study_starts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    root = workspace_like(tmp_path / "plant")
    monkeypatch.setenv("DEFECTLOOP_HOME", str(root))
    assert main(["tune", "elpv", "--save", name]) == 2
    assert "E347" in capsys.readouterr().err
    assert not (root / "runs").exists()
