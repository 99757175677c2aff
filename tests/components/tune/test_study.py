"""Studies that ask for more: a tree of detectors, several objectives, several workers, crashes."""

import threading
from pathlib import Path
from typing import Any

import pytest

from components.errors import PipelineError
from components.search import SearchSpace
from components.train import TrainParams
from components.tune import Tuner
from components.tune.front import best_of, front_of
from tests.components.tune.test_tuner import MODELS, PATCHCORE, SPACE, run, tuner

TREE = SearchSpace.model_validate(
    SPACE.model_dump()
    | {
        "backbone": ["lite0"],
        "first": "every default",
        "detectors": {
            "patchcore": {"knobs": {"top_k": {"low": 2, "high": 10, "step": 4}}},
            "padim": {"knobs": {"n_features": [50, 100]}},
        },
    }
)
COURSE = [
    "patchcore/lite0·256·σ0·b2+4·c0.01·k10",
    "padim/lite0·320·σ0.025·b2+4·n100",
    "padim/lite2·320·σ0.055·b2+4·n100",
    "patchcore/lite2·256·σ0.075·b2+4·c0.02·k10",
    "patchcore/lite2·256·σ0.06·b1+2·c0.02·k10",
    "patchcore/lite2·256·σ0.035·b1+2·c0.02·k10",
    "patchcore/lite2·320·σ0.02·b1+2·c0.02·k10",
    "patchcore/lite2·256·σ0.005·b1+2·c0.01·k10",
]


def objective(params: TrainParams) -> float:
    return 0.9 - abs(params.input_noise - 0.04) - (params.detector.kind == "padim") * 0.05


def two_objectives(folder: Path, **changes: Any) -> Tuner:
    changed = {"objectives": ("quality", "latency")} | changes
    return tuner(folder, SearchSpace.model_validate(TREE.model_dump() | changed))


def test_a_flat_study_takes_the_course_it_always_took(tmp_path: Path) -> None:
    assert [s.params.name for s in run(tuner(tmp_path), len(COURSE))] == COURSE


def test_a_tree_begins_with_the_default_of_every_model(tmp_path: Path) -> None:
    study = tuner(tmp_path, TREE)
    assert [s.params for s in run(study, 2)] == list(MODELS.values())
    again = [s.params for s in run(tuner(tmp_path, TREE), 1)]  # a restart asks none of them twice
    assert again[0] not in MODELS.values()


def test_a_tree_varies_what_its_detectors_declare(tmp_path: Path) -> None:
    asked = [s.params.detector for s in run(tuner(tmp_path, TREE), 14)]
    assert {d.top_k for d in asked if d.kind == "patchcore"} == {2, 6, 10}
    assert {d.n_features for d in asked if d.kind == "padim"} == {50, 100}


def test_an_interrupted_tree_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = [s.params for s in run(tuner(tmp_path / "a", TREE), 8)]
    parts = [s.params for _ in range(4) for s in run(tuner(tmp_path / "b", TREE), 2)]
    assert parts == whole


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_several_objectives_are_kept_in_order_with_their_front(
    tmp_path: Path, sampler: str
) -> None:
    study = two_objectives(tmp_path, sampler=sampler, population=4)
    for _ in range(10):
        asked = study.next()
        assert asked is not None
        latency = 10.0 + 10 * (asked.params.detector.kind == "patchcore")
        study.complete(asked.number, objective(asked.params), latency)
    records = study.records()
    assert all(set(r.objectives) == {"quality", "latency"} for r in records)
    assert all(r.objective == r.objectives["quality"] for r in records)
    best = {kind: max((r.objective or 0) for r in records if kind in r.candidate)
            for kind in ("padim", "patchcore")}  # fmt: skip
    front = [r for r in records if r.number in front_of(records)]
    assert {r.objective for r in front} <= set(best.values())
    winner = best_of(records)
    assert winner is not None
    assert winner.objective == max(best.values())


def test_nsga_goes_on_the_same_way_after_a_restart(tmp_path: Path) -> None:
    def ask(folder: Path, num: int) -> list[TrainParams]:
        study, asked = two_objectives(folder, sampler="nsga2", population=3), []
        for _ in range(num):
            suggestion = study.next()
            assert suggestion is not None
            study.complete(suggestion.number, objective(suggestion.params), 1.0)
            asked.append(suggestion.params)
        return asked

    assert ask(tmp_path / "a", 8) == ask(tmp_path / "b", 5) + ask(tmp_path / "b", 3)


def test_a_crash_is_tried_once_more_and_both_are_recorded(tmp_path: Path) -> None:
    study = tuner(tmp_path)
    first = study.next()
    assert first is not None
    assert study.fail(first.number, "E194 the process died", crashed=True)
    assert study.finished == 0  # it is not over yet
    second = study.next()
    assert second is not None
    assert (second.number, second.params) == (1, first.params)
    assert not study.fail(second.number, "E194 the process died", crashed=True)
    third = study.next()
    assert third is not None
    assert third.params != first.params
    crashed, retry = study.records()
    assert (crashed.retried, crashed.retry_of) == (True, None)
    assert (retry.retried, retry.retry_of) == (False, 0)
    assert study.finished == 1


def test_a_crash_before_a_restart_is_tried_again_after_it(tmp_path: Path) -> None:
    study = tuner(tmp_path)
    first = study.next()
    assert first is not None
    study.fail(first.number, "killed", crashed=True)
    again = tuner(tmp_path).next()
    assert again is not None
    assert again.params == PATCHCORE


def test_what_was_given_up_is_kept_and_not_asked_for_again(tmp_path: Path) -> None:
    study = tuner(tmp_path)
    first, second = study.next(), study.next()
    assert first is not None
    assert second is not None
    study.complete(first.number, 0.9, curve={1: 0.7, 2: 0.8})
    study.prune(second.number, {1: 0.4}, "given up after 1/3")
    _, given_up = study.records()
    assert (given_up.state, given_up.objective, given_up.error) == (
        "pruned", None, "given up after 1/3",
    )  # fmt: skip
    assert study.finished == 2
    assert study.curves("patchcore") == ({1: 0.7, 2: 0.8},)
    assert study.curves("padim") == ()
    assert second.params not in [s.params for s in run(study, 6)]


def test_importances_need_trials_and_find_what_decides(tmp_path: Path) -> None:
    study = tuner(tmp_path)
    run(study, 5)
    assert study.importances() == {}
    run(study, 15)
    shares = study.importances()
    assert sum(shares.values()) == pytest.approx(1.0)
    assert max(shares, key=shares.__getitem__) in {"input_noise", "detector"}


def test_two_workers_share_a_journal_and_never_a_configuration(tmp_path: Path) -> None:
    journal = f"journal://{tmp_path / 'study.log'}"
    asked: list[list[TrainParams]] = [[], []]

    def work(index: int) -> None:
        mine = Tuner(journal, "elpv", SPACE, MODELS, seed=0)
        for _ in range(5):
            suggestion = mine.next()
            assert suggestion is not None
            asked[index].append(suggestion.params)
            mine.complete(suggestion.number, objective(suggestion.params))
        mine.leave()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [len(a) for a in asked] == [5, 5]
    done = [r for r in Tuner(journal, "elpv", SPACE, MODELS, 0).records() if r.state == "complete"]
    assert len(done) == 10
    marks = {params.fingerprint() for params in asked[0] + asked[1]}
    assert len(marks) >= 9  # both may begin with the default before either has said so


def test_what_another_worker_has_in_hand_is_left_to_it_until_it_is_gone(tmp_path: Path) -> None:
    journal = f"journal://{tmp_path / 'study.log'}"
    first, second = (Tuner(journal, "elpv", SPACE, MODELS, 0) for _ in range(2))
    held = first.next()
    assert held is not None
    other = second.next()
    assert other is not None
    assert other.params != held.params
    assert second.at_work == 1
    first.leave()
    retry = second.next()
    assert retry is not None
    assert retry.params == held.params
    gone = next(r for r in second.records() if r.number == held.number)
    assert (gone.state, gone.retried) == ("failed", True)
    assert "is gone" in gone.error
    with pytest.raises(PipelineError, match="E193"):
        first.complete(held.number, 0.9)
