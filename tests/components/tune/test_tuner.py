"""The study: default first, repeats not rerun, failures kept, and nothing lost to a kill."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.errors import PipelineError
from components.train import TrainParams
from components.tune import SearchSpace, Suggestion, Tuner

SPACE = SearchSpace(
    backbone=("lite0", "lite2"),
    image_size_px=(256, 320),
    input_noise={"low": 0.0, "high": 0.08},
    coreset_ratio=(0.01, 0.02),
    layers=(("blocks.2", "blocks.4"), ("blocks.1", "blocks.2")),
)
SMALL = SearchSpace(
    backbone=("lite0",),
    image_size_px=(256,),
    input_noise={"low": 0.0, "high": 0.005},
    coreset_ratio=(0.01,),
    layers=(("blocks.2", "blocks.4"),),
)
PATCHCORE = TrainParams(detector={"kind": "patchcore"}, image_size_px=256)
MODELS = {
    "patchcore": PATCHCORE,
    "padim": TrainParams(detector={"kind": "padim"}, image_size_px=256),
}


def tuner(
    folder: Path, space: SearchSpace = SPACE, models: dict[str, TrainParams] = MODELS, seed: int = 0
) -> Tuner:
    return Tuner(folder / "study.db", "elpv", space, models, seed)


def toy_objective(params: TrainParams) -> float:
    return 0.9 - abs(params.input_noise - 0.04) - (params.detector.kind == "padim") * 0.05


def run(study: Tuner, num: int) -> list[Suggestion]:
    asked = []
    for _ in range(num):
        suggestion = study.next()
        assert suggestion is not None
        asked.append(suggestion)
        study.complete(suggestion.number, toy_objective(suggestion.params))
    return asked


def test_the_default_configuration_is_the_first_trial(tmp_path: Path) -> None:
    assert tuner(tmp_path).next() == Suggestion(0, PATCHCORE)


def test_a_default_outside_the_space_is_still_tried_as_it_is(tmp_path: Path) -> None:
    default = PATCHCORE.replaced(image_size_px=128, input_noise=0.0123)
    study = tuner(tmp_path, models={"patchcore": default})
    first = study.next()
    assert first is not None
    assert first.params == default
    study.complete(0, 0.5)
    run(study, 3)


def test_suggestions_stay_in_the_space_and_vary_every_dimension(tmp_path: Path) -> None:
    params = [s.params for s in run(tuner(tmp_path), 18)]
    assert {p.detector.kind for p in params} == {"patchcore", "padim"}
    assert {p.detector.backbone for p in params} == {"lite0", "lite2"}
    assert {p.image_size_px for p in params} == {256, 320}
    assert {p.detector.layers for p in params} == set(SPACE.layers)
    noises = {p.input_noise for p in params}
    assert len(noises) > 5
    assert all(0 <= n <= 0.08 and round(n / 0.005, 6).is_integer() for n in noises)
    ratios = {p.detector.coreset_ratio for p in params if p.detector.kind == "patchcore"}
    assert ratios == {0.01, 0.02}


def test_no_configuration_is_asked_for_twice(tmp_path: Path) -> None:
    marks = [s.params.fingerprint() for s in run(tuner(tmp_path), 12)]
    assert len(set(marks)) == 12


def test_a_space_with_two_configurations_ends_after_two(tmp_path: Path) -> None:
    study = tuner(tmp_path, SMALL, {"patchcore": PATCHCORE})
    run(study, 2)
    assert study.next() is None
    assert study.finished == 2
    duplicates = [r for r in study.records() if r.state == "duplicate"]
    assert duplicates
    assert {r.objective for r in duplicates} <= {toy_objective(s) for s in (PATCHCORE, NOISY)}


NOISY = PATCHCORE.replaced(input_noise=0.005)


def test_a_configuration_that_runs_in_the_same_batch_is_not_asked_for_again(tmp_path: Path) -> None:
    study = tuner(tmp_path, SMALL, {"patchcore": PATCHCORE})
    batch = [study.next() for _ in range(4)]
    assert {s.params for s in batch if s} == {PATCHCORE, NOISY}
    assert batch[2:] == [None, None]


def test_a_failed_trial_is_kept_with_its_error_and_the_study_goes_on(tmp_path: Path) -> None:
    study = tuner(tmp_path)
    first = study.next()
    assert first is not None
    study.fail(first.number, "DataError: mask missing")
    run(study, 2)
    failed, *others = study.records()
    assert (failed.state, failed.error, failed.objective) == (
        "failed",
        "DataError: mask missing",
        None,
    )
    assert [r.state for r in others] == ["complete", "complete"]
    assert study.finished == 3
    assert PATCHCORE not in [TrainParams.model_validate(r.params) for r in others]


def test_a_record_tells_what_was_tried(tmp_path: Path) -> None:
    study = tuner(tmp_path)
    run(study, 1)
    (record,) = study.records()
    assert (record.number, record.candidate) == (0, PATCHCORE.name)
    assert record.objective == pytest.approx(0.86)
    assert (record.input_noise, record.reused, record.state) == (0, False, "complete")
    assert TrainParams.model_validate(record.params) == PATCHCORE


def test_a_second_process_takes_finished_trials_over(tmp_path: Path) -> None:
    run(tuner(tmp_path), 3)
    again = tuner(tmp_path)
    assert again.finished == 3
    assert all(record.reused for record in again.records())
    run(again, 1)
    assert [r.reused for r in again.records()] == [True, True, True, False]


def test_an_interruption_does_not_change_the_course(tmp_path: Path) -> None:
    whole = [s.params for s in run(tuner(tmp_path / "a"), 8)]
    parts = [s.params for _ in range(4) for s in run(tuner(tmp_path / "b"), 2)]
    assert parts == whole


def test_another_seed_takes_another_course(tmp_path: Path) -> None:
    first = [s.params for s in run(tuner(tmp_path / "a"), 5)]
    second = [s.params for s in run(tuner(tmp_path / "b", seed=1), 5)]
    assert first[0] == second[0] == PATCHCORE
    assert first != second


KILLED = """
import os, signal
from pathlib import Path
from tests.components.tune.test_tuner import run, tuner
study = tuner(Path({folder!r}))
run(study, 2)
batch = [study.next() for _ in range(2)]
study.complete(batch[0].number, 0.5)
print(batch[1].params.model_dump_json(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_trial_that_ran_when_the_process_was_killed_is_handed_out_again(tmp_path: Path) -> None:
    script = KILLED.format(folder=str(tmp_path))
    root = Path(__file__).parents[3]
    killed = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True
    )
    assert killed.returncode == -9, killed.stderr
    study = tuner(tmp_path)
    assert study.finished == 3
    resumed = study.next()
    assert resumed == Suggestion(3, TrainParams.model_validate_json(killed.stdout))
    study.complete(3, 0.7)
    assert [r.number for r in study.records()] == [0, 1, 2, 3]
    assert study.next() != resumed


def test_telling_a_trial_twice_is_an_error(tmp_path: Path) -> None:
    study = tuner(tmp_path)
    run(study, 1)
    with pytest.raises(PipelineError, match="E193 Trial 0 is not running"):
        study.complete(0, 0.9)


def test_a_study_needs_a_model(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="E192"):
        tuner(tmp_path, models={})


def test_loading_the_space_does_not_import_optuna() -> None:
    code = "import sys, components.tune; print('optuna' in sys.modules, 'torch' in sys.modules)"
    root = Path(__file__).parents[3]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert told.stdout.strip() == "False False", told.stderr
