"""The tuning study: which configurations to try, resumable at any moment.

Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) behind ask and tell. The study
lives in SQLite; a trial that a killed process left running is handed out again as it was.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.errors import ParamsError, PipelineError
from components.records import TrialRecord
from components.search import NOISE_STEP, Grid, NoiseRange, SearchSpace, Values
from components.train import TrainParams

__all__ = ["NoiseRange", "SearchSpace", "Suggestion", "Tuner"]

ATTEMPTS = 6  # repeats after which the sampler only walks on the spot


@dataclass(frozen=True)
class Suggestion:
    """One configuration to measure; tell its result by ``number``."""

    number: int
    params: TrainParams


class Tuner:
    """A study by ask and tell, maximising its objective.

    ``models``: the detectors by name; the first is the default configuration and always the
    first trial. What is asked depends on the seed and on what was told so far, not on how often
    the process was started or in which order a batch was told.

    Raises:
        ParamsError: E192 no models. PipelineError: E193 a number that is not running.
    """

    def __init__(
        self,
        storage: Path,
        name: str,
        space: SearchSpace,
        models: Mapping[str, TrainParams],
        seed: int,
    ) -> None:
        if not models:
            raise ParamsError("E192", "A study needs at least one model.", "Name it in models.")
        self._grid, self._seed = Grid(space, models), seed
        self._study = _open(storage, name)
        _drop_half_asked(self._study)
        self._handed_out: set[int] = set()
        self._reused = {t.number for t in self._trials() if t.state.is_finished()}

    def next(self) -> Suggestion | None:
        """Return the next configuration, or None where the space holds no new one.

        Trials that a killed process left running come first, with the same params.
        """
        for number, trial in enumerate(self._trials()):
            if not trial.state.is_finished() and trial.number not in self._handed_out:
                self._handed_out.add(trial.number)
                return Suggestion(number, self._params(trial))
        if not self._trials():
            kind, default = next(iter(self._grid.models.items()))
            return self._enqueued(self._grid.describe(kind), default)
        for _ in range(ATTEMPTS):
            suggestion = self._sampled()
            if suggestion is not None:
                return suggestion
        return self._unseen()

    def complete(self, number: int, objective: float) -> None:
        """Tell the objective (higher is better) of a running trial."""
        self._study.tell(self._running(number), objective)

    def fail(self, number: int, error: str) -> None:
        """Record that a trial failed, and why; the study goes on."""
        trial_number = self._running(number)
        self._study.set_user_attr(f"error of {trial_number}", error)
        self._study.tell(trial_number, state=_state("FAIL"))

    @property
    def finished(self) -> int:
        """How many trials were measured or failed; duplicates cost nothing and do not count."""
        return sum(record.state != "duplicate" for record in self.records())

    def records(self) -> tuple[TrialRecord, ...]:
        """Return the finished trials in the order in which they were asked."""
        return tuple(self._records())

    def _records(self) -> Iterator[TrialRecord]:
        for number, trial in enumerate(self._trials()):
            if not trial.state.is_finished():
                continue
            params = self._params(trial)
            duplicate = trial.user_attrs.get("duplicate", False)
            complete = trial.value is not None
            yield TrialRecord(
                number=number,
                candidate=params.name,
                params=params.model_dump(mode="json"),
                state="duplicate" if duplicate else "complete" if complete else "failed",
                objective=trial.value,
                input_noise=params.input_noise,
                error=self._error(trial),
                duration_s=trial.duration.total_seconds() if trial.duration else 0.0,
                reused=trial.number in self._reused,
            )

    def _enqueued(self, values: Values, params: TrainParams) -> Suggestion:
        self._study.enqueue_trial(dict(values))
        trial = self._study.ask()
        self._drawn(trial)
        return self._hand_out(trial, params)

    def _unseen(self) -> Suggestion | None:
        """Return some configuration that was never asked for, or None where none is left."""
        asked = {trial.user_attrs["fingerprint"] for trial in self._trials()}
        ordered = list(self._grid)
        random.Random(self._seed).shuffle(ordered)
        for values in ordered:
            params = self._grid.build(values)
            if params.fingerprint() not in asked:
                return self._enqueued(values, params)
        return None

    def _sampled(self) -> Suggestion | None:
        """Ask once; a configuration that was asked before is told at once and not returned."""
        self._study.sampler = _sampler(self._seed + 7919 * len(self._trials()))
        trial = self._study.ask()
        params = self._grid.build(self._drawn(trial))
        earlier = self._asked_before(params)
        if earlier is None:
            return self._hand_out(trial, params)
        trial.set_user_attr("duplicate", True)
        self._hand_out(trial, params)
        if earlier.value is None:  # it failed, or runs in this very batch
            self._study.set_user_attr(f"error of {trial.number}", self._error(earlier))
            self._study.tell(trial.number, state=_state("FAIL"))
        else:
            self._study.tell(trial.number, earlier.value)
        return None

    def _hand_out(self, trial: Any, params: TrainParams) -> Suggestion:
        trial.set_user_attr("fingerprint", params.fingerprint())
        trial.set_user_attr("params", params.model_dump(mode="json"))
        self._handed_out.add(trial.number)
        return Suggestion(len(self._trials()) - 1, params)

    def _drawn(self, trial: Any) -> Values:
        """Draw each parameter, and the coreset's share where the detector has one."""
        grid, levels = self._grid, self._grid.space.input_noise.levels
        values = {name: trial.suggest_categorical(name, of) for name, of in grid.choices.items()}
        values["input_noise"] = trial.suggest_float(
            "input_noise", levels[0], levels[-1], step=NOISE_STEP
        )
        ratios = grid.coreset_ratios(values["detector"])
        if ratios:
            values["coreset_ratio"] = trial.suggest_categorical("coreset_ratio", ratios)
        return values

    def _params(self, trial: Any) -> TrainParams:
        return TrainParams.model_validate(trial.user_attrs["params"])

    def _trials(self) -> list[Any]:
        """Return the trials whose params were decided, in the order of asking."""
        return [t for t in self._study.get_trials(deepcopy=False) if "params" in t.user_attrs]

    def _error(self, trial: Any) -> str:
        return str(self._study.user_attrs.get(f"error of {trial.number}", ""))

    def _asked_before(self, params: TrainParams) -> Any | None:
        mark = params.fingerprint()
        same = (t for t in self._trials() if t.user_attrs["fingerprint"] == mark)
        return next(same, None)

    def _running(self, number: int) -> int:
        trials = self._trials()
        if not 0 <= number < len(trials) or trials[number].state.is_finished():
            raise PipelineError("E193", f"Trial {number} is not running.", "Tell each trial once.")
        return int(trials[number].number)


def _open(storage: Path, name: str) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=optuna.storages.RDBStorage(
            f"sqlite:///{storage}", engine_kwargs={"creator": lambda: _connect(storage)}
        ),
        study_name=name,
        direction="maximize",
        load_if_exists=True,
    )


def _connect(storage: Path) -> Any:
    import sqlite3

    connection = sqlite3.connect(storage, timeout=60, check_same_thread=False)
    # a write-ahead log survives a kill without a disk flush for each of a trial's many writes
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _drop_half_asked(study: Any) -> None:
    """Close trials that a process died in before it knew what to run, or that nothing need."""
    for trial in study.get_trials(deepcopy=False):
        undecided = "params" not in trial.user_attrs or "duplicate" in trial.user_attrs
        if trial.state.name == "RUNNING" and undecided:
            study.tell(trial.number, state=_state("FAIL"))


def _sampler(seed: int) -> Any:
    from optuna.samplers import TPESampler

    # a fresh sampler for each question keeps the course independent of restarts
    return TPESampler(seed=seed, n_startup_trials=5)


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]
