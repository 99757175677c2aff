"""What a study holds, read: its trials, what they showed, and what decided their quality.

Each trial holds the configuration that was decided for it (``params``), its fingerprint and who
works on it; one without these was only half asked and is nobody's.
"""

from collections.abc import Collection, Iterator
from typing import Any

from components.records import TrialRecord
from components.search import SearchSpace
from components.train import TrainParams
from components.tune.samplers import unwarned

LEAST = 8  # complete trials below which no importance is worth a word


class History:
    """The decided trials of a study in the order of asking; read anew at every question."""

    def __init__(self, study: Any, space: SearchSpace) -> None:
        self._study, self._space = study, space

    def trials(self) -> list[Any]:
        """Return the trials whose params were decided."""
        return [t for t in self._study.get_trials(deepcopy=False) if "params" in t.user_attrs]

    def second_tries(self) -> list[Any]:
        """Return the trials that repeat a crashed one."""
        return [t for t in self.trials() if t.system_attrs.get("retry_history")]

    def same(self, params: TrainParams) -> Any | None:
        """Return the trial that was asked with these very params (a measured one if any)."""
        mark = params.fingerprint()
        same = [t for t in self.trials() if t.user_attrs["fingerprint"] == mark]
        measured = (t for t in same if t.values is not None)
        return next(measured, same[0] if same else None)

    def error(self, trial: Any) -> str:
        """Return why a trial failed or was given up; empty where it did not."""
        return str(self._study.user_attrs.get(f"error of {trial.number}", ""))

    def records(self, reused: Collection[int]) -> Iterator[TrialRecord]:
        """Yield the finished trials; ``reused`` are numbers that an earlier process finished."""
        again = {t.system_attrs["retry_history"][-1]: t.number for t in self.second_tries()}
        first = {second: number for number, second in again.items()}
        for trial in self.trials():
            if not trial.state.is_finished():
                continue
            params = params_of(trial)
            values = dict(zip(self._space.objectives, trial.values or (), strict=False))
            yield TrialRecord(
                number=trial.number,
                candidate=params.name,
                params=params.model_dump(mode="json"),
                state=_word(trial),
                objective=next(iter(values.values()), None),
                objectives={str(name): value for name, value in values.items()},
                input_noise=params.input_noise,
                error=self.error(trial),
                duration_s=trial.duration.total_seconds() if trial.duration else 0.0,
                reused=trial.number in reused,
                retried=trial.number in again,
                retry_of=first.get(trial.number),
            )

    def curves(self, detector: str) -> tuple[dict[int, float], ...]:
        """Return what finished trials of a kind of detector showed between epochs."""
        kept = self._study.user_attrs
        return tuple(
            {int(epoch): float(value) for epoch, value in kept[f"curve of {t.number}"].items()}
            for t in self.trials()
            if t.state.name == "COMPLETE"
            and f"curve of {t.number}" in kept
            and t.user_attrs["params"]["detector"]["kind"] == detector
        )

    def importances(self) -> dict[str, float]:
        """Return how much each parameter decides who is among the best, highest first.

        Shares of 1 over all parameters that varied; empty below ``LEAST`` complete trials.

        Source: PED-ANOVA, Watanabe et al., IJCAI 2023.
        """
        import optuna

        complete = [t for t in self.trials() if t.state.name == "COMPLETE" and not is_repeat(t)]
        if len(complete) < LEAST or len({t.values[0] for t in complete}) == 1:
            return {}
        with unwarned():  # that low targets count as good, which is why the sign is turned
            found = optuna.importance.get_param_importances(
                self._study, target=lambda trial: -float(trial.values[0])
            )
        return {name: float(share) for name, share in found.items()}


def params_of(trial: Any) -> TrainParams:
    """Return the configuration of a decided trial."""
    return TrainParams.model_validate(trial.user_attrs["params"])


def is_repeat(trial: Any) -> bool:
    """Whether the configuration had been asked before."""
    return bool(trial.user_attrs.get("duplicate", False))


def _word(trial: Any) -> Any:
    if is_repeat(trial):
        return "duplicate"
    return {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
