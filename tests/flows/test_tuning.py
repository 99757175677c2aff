"""The tuning step: what is told to the study, and at which noise levels the best is measured."""

from pathlib import Path
from typing import Any

import pytest

from components.errors import PipelineError
from components.pruning import GivenUpError
from components.records import TrialRecord
from components.search import NoiseRange, SearchSpace
from components.train import TrainParams
from flows import tuning
from flows.cli import main
from flows.identity import weights_in_play
from flows.leaderboard import Leaderboard
from flows.settings import load_settings
from flows.study import Broken, Study, broken
from tests.components.tune.test_tuner import PATCHCORE, tuner
from tests.flows.test_settings import workspace_like
from tests.flows.test_study import outcome, study  # noqa: F401 the fixture

BEST = TrainParams(detector={"kind": "patchcore"}, input_noise=0.035)


class Silent:
    line, reused = "", False

    def total(self, count: int) -> None: ...

    def advance(self, note: str = "") -> None: ...

    def at(self, done: int, total: int) -> None: ...


def record(number: int, objective: float | None, **changes: Any) -> TrialRecord:
    values = {
        "number": number, "candidate": f"padim/lite0·{number}", "params": {},
        "state": "complete" if objective is not None else "failed", "objective": objective,
        "objectives": {} if objective is None else {"quality": objective}, "input_noise": 0.0,
    }  # fmt: skip
    return TrialRecord.model_validate(values | changes)


def test_noise_levels_go_from_end_to_end_and_hold_the_best_own() -> None:
    levels = tuning.noise_levels(3, NoiseRange(low=0.0, high=0.08), BEST)
    assert levels == (0.0, 0.035, 0.04, 0.08)
    assert tuning.noise_levels(0, NoiseRange(), BEST) == ()


@pytest.mark.parametrize(
    ("error", "crashed"),
    [
        (RuntimeError("out of memory"), True),
        (PipelineError("E194", "A compute process died."), True),
        (PipelineError("E168", "The tune set has no normal image."), False),
    ],
)
def test_what_no_configuration_is_to_blame_for_is_a_crash(error: Exception, crashed: bool) -> None:
    assert broken(error).crashed is crashed


def test_a_training_that_was_given_up_is_no_failure() -> None:
    found = broken(GivenUpError(2, 5, 0.7, {1: 0.5}))
    assert found.given_up is not None
    assert found.given_up.curve == {1: 0.5}


def run_with(
    study: Study,  # noqa: F811
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    results: list[Any],
) -> tuple[TrialRecord, ...]:
    """Run the step with these results, one a job, in order."""

    def measure(of: Study, jobs: Any, step: Any, **_: Any) -> list[Any]:
        given = [results.pop(0) if results else Broken("the end", crashed=False) for _ in jobs]
        for job, result in zip(jobs, given, strict=True):
            if not isinstance(result, Broken):
                of.outcomes.setdefault(job.params.name, {})[0] = result
        return given

    from flows.ledger import Kept

    results = [Kept(r, Path("f"), False, "r") if not isinstance(r, Broken) else r for r in results]
    monkeypatch.setattr(tuning, "measure", measure)
    study.size = study.size.replaced(num_trials=3)
    return tuning.tune(study, tuner(folder), Silent())


def test_a_crash_takes_nothing_from_the_budget(
    study: Study,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crash = Broken("killed", crashed=True)
    given = [outcome(0.9), crash, outcome(0.8), outcome(0.7)]
    records = run_with(study, tmp_path, monkeypatch, given)
    assert [r.state for r in records] == ["complete", "failed", "complete", "complete"]
    assert records[3].retry_of == 1
    assert records[3].candidate == records[1].candidate
    assert records[3].candidate not in study.errors


def test_what_fails_for_good_is_kept_with_its_reason(
    study: Study,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_up = broken(GivenUpError(1, 2, 0.7, {1: 0.5}))
    given = [outcome(0.9), given_up, Broken("E168 no normal image")]
    first, second, third = run_with(study, tmp_path, monkeypatch, given)
    assert (first.candidate, first.state) == (PATCHCORE.name, "complete")
    assert (second.state, second.error) == ("pruned", given_up.words)
    assert (third.state, third.error) == ("failed", "E168 no normal image")
    assert study.errors == {third.candidate: "E168 no normal image"}


def test_an_undefined_figure_fails_its_trial(
    study: Study,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = [outcome(0.9), outcome(None), outcome(0.8)]
    records = run_with(study, tmp_path, monkeypatch, given)
    assert "undefined on the tune set" in records[1].error


def test_repeats_and_crashes_that_were_tried_again_do_not_count_as_trials() -> None:
    records = [
        record(0, 0.8), record(1, 0.8, state="duplicate"), record(2, None, retried=True),
        record(3, 0.9, retry_of=2), record(4, None),
    ]  # fmt: skip
    assert tuning._line(records) == (
        "2/3 trials · 1 repeated (not measured again) · 1 failed (reason in report)"
    )
    board = Leaderboard(("quality",), 3)
    board.see(records)
    assert board.caption() == "3 of 3 trials · 1 failed · 1 crashed and tried again"


def test_the_leaderboard_ranks_and_counts() -> None:
    said: list[str] = []
    board = Leaderboard(("quality",), 5, said.append)
    board.see([record(0, 0.8), record(1, 0.9), record(2, None)])
    assert [row[:2] for row in board.rows()] == [("1", "1"), ("2", "0")]
    assert board.caption() == "3 of 5 trials · 1 failed"
    board.see([record(0, 0.8), record(1, 0.9), record(2, None), record(3, 0.85)])
    assert len(said) == 1  # the best is still the same
    assert "padim/lite0·1  quality 0.900" in said[0]


def test_a_shared_storage_is_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEFECTLOOP_STUDY_STORAGE", raising=False)
    root = workspace_like(tmp_path / "plant")
    alone = load_settings(root)
    assert tuning.study_storage(alone, "elpv") == root / ".defectloop/studies/elpv.db"
    assert tuning.is_alone(alone)
    monkeypatch.setenv("DEFECTLOOP_STUDY_STORAGE", "journal:///shared/study.log")
    assert tuning.study_storage(load_settings(root), "elpv") == "journal:///shared/study.log"
    assert not tuning.is_alone(load_settings(root))


def test_a_study_of_no_trial_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEFECTLOOP_HOME", str(workspace_like(tmp_path / "plant")))
    assert main(["tune", "elpv", "--trials", "0"]) == 2
    assert "E346 --trials 0 asks for nothing" in capsys.readouterr().err


def test_the_weights_of_a_study_are_those_of_every_kind_in_it(study: Study) -> None:  # noqa: F811
    station = study.config.station
    kinds = {"padim": {"backbone": ["resnet18"]}}
    search = SearchSpace.model_validate(station.search.model_dump() | {"detectors": kinds})
    config = study.config.replaced(station=station.replaced(search=search.model_dump()))
    assert set(weights_in_play(config)) - set(weights_in_play(study.config)) == {"resnet18"}
