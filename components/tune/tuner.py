"""Ask and tell: the study of one station."""

import random
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.errors import ParamsError, PipelineError
from components.records import TrialRecord
from components.search import SearchSpace, Values, configurations
from components.train import TrainParams
from components.tune.history import History, is_repeat, params_of
from components.tune.samplers import sampler, unwarned
from components.tune.storage import is_shared, open_study
from components.tune.suggestion import DIRECTIONS, Suggestion
from components.tune.workers import Worker

ATTEMPTS = 6  # repeats after which the sampler only walks on the spot
LISTED = 20_000  # configurations among which one that was never asked is looked for
MAX_RETRY = 1


class Tuner:
    """A study by ask and tell.

    ``models``: the detectors by name; the first is the default configuration and always the
    first trial. Alone at a study, what is asked depends on the seed and on what was told so far,
    not on how often the process was started or in which order a batch was told.

    Raises:
        ParamsError: E192 no models; E340, E341 a space or storage that does not fit.
        PipelineError: E193 a number that is not running; E342 to E344 of the storage.
    """

    def __init__(
        self,
        storage: Path | str,
        name: str,
        space: SearchSpace,
        models: Mapping[str, TrainParams],
        seed: int,
    ) -> None:
        if not models:
            raise ParamsError("E192", "A study needs at least one model.", "Name it in models.")
        self.space, self._seed = space, seed
        self._configurations = configurations(space, models)
        self._study = open_study(storage, name, [DIRECTIONS[o] for o in space.objectives])
        self._history = History(self._study, space)
        self._shared = is_shared(storage)
        self._worker = Worker(self._study, shared=self._shared)
        self._handed_out: set[int] = set()
        self._take_over()
        self._reused = {t.number for t in self._history.trials() if t.state.is_finished()}

    def next(self) -> Suggestion | None:
        """Return the next configuration, or None where the space holds no new one.

        Trials that a process left behind come first, with the same params: of one killed as they
        were, of a crash or a silent worker as one more try; then the models' defaults.
        """
        if self._shared:
            self._take_over()
        left = self._left_behind() or self._retried()
        if left is not None:
            return left
        for kind in self._defaults():
            default = self._configurations.models[kind]
            if self._history.same(default) is None:
                return self._enqueued(self._configurations.describe(kind), default)
        for _ in range(ATTEMPTS):
            suggestion = self._sampled()
            if suggestion is not None:
                return suggestion
        return self._unseen()

    def complete(
        self, number: int, *objectives: float, curve: Mapping[int, float] | None = None
    ) -> None:
        """Tell the objectives of a running trial, in the study's order.

        ``curve``: epoch -> quality between epochs, by which later trials are given up or not.
        """
        self._keep_curve(number, curve)
        self._study.tell(self._running(number), list(objectives))

    def prune(self, number: int, curve: Mapping[int, float], why: str) -> None:
        """Record that a trial was given up in training: what it had shown, and why."""
        self._keep_curve(number, curve)
        self._keep_error(number, why)
        self._study.tell(self._running(number), state=_state("PRUNED"))

    def fail(self, number: int, error: str, *, crashed: bool = False) -> bool:
        """Record that a trial failed, and why; the study goes on.

        A crash (a process that died, no fault of the configuration) is tried once more. Returns
        whether it will be.
        """
        self._study.tell(self._running(number), state=_state("FAIL"))
        self._keep_error(number, error)
        return crashed and self._retry(number)

    def leave(self) -> None:
        """Say that this worker is done; what it left open may be taken over."""
        self._worker.leave()

    @property
    def finished(self) -> int:
        """How many trials were measured, given up or failed.

        Duplicates cost nothing and do not count, nor does a crash that is tried again.
        """
        return sum(r.state != "duplicate" and not r.retried for r in self.records())

    @property
    def at_work(self) -> int:
        """How many trials other workers have in hand; alone, nobody is there to have any."""
        if not self._shared:
            return 0
        running = {t.number for t in self._history.trials() if t.state.name == "RUNNING"}
        return len(running - self._handed_out)

    def records(self) -> tuple[TrialRecord, ...]:
        """Return the finished trials in the order in which they were asked."""
        return tuple(self._history.records(self._reused))

    def curves(self, detector: str) -> tuple[dict[int, float], ...]:
        """Return what finished trials of a kind of detector showed between epochs."""
        return self._history.curves(detector)

    def importances(self) -> dict[str, float]:
        """Return each parameter's share in who is among the best; empty for too few trials."""
        return self._history.importances()

    # --- asking ---------------------------------------------------------------------------------

    def _defaults(self) -> Sequence[str]:
        kinds = list(self._configurations.models)
        if self.space.first == "every default":
            return kinds
        return () if self._history.trials() else kinds[:1]

    def _left_behind(self) -> Suggestion | None:
        """Hand out what a killed process left running; on a shared study it is retried instead."""
        if self._shared:
            return None
        for trial in self._history.trials():
            if trial.state.name == "RUNNING" and trial.number not in self._handed_out:
                self._handed_out.add(trial.number)
                return Suggestion(trial.number, params_of(trial))
        return None

    def _retried(self) -> Suggestion | None:
        """Hand out a crashed trial's second try."""
        if all(trial.state.name != "WAITING" for trial in self._history.second_tries()):
            return None
        trial = self._ask()
        if "params" in trial.user_attrs:
            return self._hand_out(trial, params_of(trial))
        self._study.tell(trial.number, state=_state("FAIL"))  # another worker was faster
        return None

    def _enqueued(self, values: Values, params: TrainParams) -> Suggestion:
        self._study.enqueue_trial(dict(values))
        trial = self._ask()
        if "params" in trial.user_attrs:  # a second try that another worker queued just now
            return self._hand_out(trial, params_of(trial))
        self._configurations.draw(trial)
        return self._hand_out(trial, params)

    def _unseen(self) -> Suggestion | None:
        """Return some configuration that was never asked for, or None where none is left."""
        listed = list(islice(self._configurations, LISTED))
        random.Random(self._seed).shuffle(listed)
        for values in listed:
            params = self._built(values)
            if params is not None and self._history.same(params) is None:
                return self._enqueued(values, params)
        return None

    def _sampled(self) -> Suggestion | None:
        """Ask once; a configuration that was asked before is told at once and not returned."""
        asked = len(self._history.trials())
        self._study.sampler = sampler(self.space, self._seed + 7919 * asked + self._worker.seed)
        trial = self._ask()
        if "params" in trial.user_attrs:
            return self._hand_out(trial, params_of(trial))
        params = self._built(self._configurations.draw(trial, whole=self.space.sampler == "nsga2"))
        if params is None:  # nobody's trial
            self._study.tell(trial.number, state=_state("FAIL"))
            return None
        earlier = self._history.same(params)
        if earlier is None:
            return self._hand_out(trial, params)
        trial.set_user_attr("duplicate", True)
        self._hand_out(trial, params)
        if earlier.values is None:  # it failed, was given up, or runs in this very batch
            self._keep_error(trial.number, self._history.error(earlier))
            self._study.tell(trial.number, state=_state("FAIL"))
        else:
            self._study.tell(trial.number, earlier.values)
        return None

    def _built(self, values: Values) -> TrainParams | None:
        """Return the configuration, or None for a combination that its detector refuses."""
        try:
            return self._configurations.build(values)
        except ValidationError:
            return None

    def _ask(self) -> Any:
        trial = self._study.ask()
        trial.set_user_attr("worker", self._worker.name)
        return trial

    def _hand_out(self, trial: Any, params: TrainParams) -> Suggestion:
        trial.set_user_attr("fingerprint", params.fingerprint())
        trial.set_user_attr("params", params.model_dump(mode="json"))
        self._handed_out.add(trial.number)
        return Suggestion(trial.number, params)

    # --- telling --------------------------------------------------------------------------------

    def _take_over(self) -> None:
        """Close what nobody works on any more: half-asked trials, and those of silent workers."""
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state.name != "RUNNING" or trial.number in self._handed_out:
                continue
            owner = trial.user_attrs.get("worker", "")
            if self._shared and not (owner and self._worker.is_gone(owner)):
                continue
            if "params" not in trial.user_attrs or is_repeat(trial):
                self._close(trial.number)
            elif self._shared and self._close(trial.number):
                self._keep_error(trial.number, f"its worker {owner} is gone")
                self._retry(trial.number)

    def _close(self, number: int) -> bool:
        """End a trial as failed; False where another worker ended it first."""
        import optuna

        try:
            self._study.tell(number, state=_state("FAIL"))
        except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
            return False
        return True

    def _retry(self, number: int) -> bool:
        """Queue a failed trial once more; False where it had its second try."""
        from optuna.storages import RetryHeartbeatStaleTrialCallback

        failed = next(t for t in self._study.get_trials() if t.number == number)
        with unwarned():
            RetryHeartbeatStaleTrialCallback(max_retry=MAX_RETRY)(self._study, failed)
        tries = [t.system_attrs["retry_history"] for t in self._history.second_tries()]
        return any(history[-1] == number for history in tries)

    def _keep_curve(self, number: int, curve: Mapping[int, float] | None) -> None:
        if curve:
            kept = {str(epoch): value for epoch, value in curve.items()}
            self._study.set_user_attr(f"curve of {self._running(number)}", kept)

    def _keep_error(self, number: int, error: str) -> None:
        self._study.set_user_attr(f"error of {number}", error)

    def _running(self, number: int) -> int:
        running = {t.number for t in self._history.trials() if t.state.name == "RUNNING"}
        if number not in running:
            raise PipelineError("E193", f"Trial {number} is not running.", "Tell each trial once.")
        return number


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]
