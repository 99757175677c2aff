"""The best trials of a study while it runs: a table on a terminal, a line a gain elsewhere."""

from collections.abc import Callable, Sequence

from rich.table import Table

from components.records import TrialRecord
from components.report.wording import number, shorten
from components.tune.front import best_of

MOST = 8
UNITS = {"latency": "ms", "memory": "MB"}


class Leaderboard:
    """What came in so far; rich asks it for its table whenever it redraws."""

    def __init__(
        self, objectives: Sequence[str], budget: int, say: Callable[[str], None] | None = None
    ) -> None:
        self._objectives, self._budget, self._say = tuple(objectives), budget, say
        self._trials: tuple[TrialRecord, ...] = ()
        self._best: str | None = None

    def see(self, trials: Sequence[TrialRecord]) -> None:
        """Take in the records; where nobody sees the table, a new best is said in a line."""
        self._trials = tuple(trials)
        best = best_of(trials)
        if self._say is not None and best is not None and best.candidate != self._best:
            count = f"{len(self._asked())}/{self._budget}"
            self._say(f"      best of {count}: {best.candidate}  {_figures(best)}")
        self._best = best.candidate if best else None

    def rows(self) -> list[tuple[str, ...]]:
        """Return rank, trial, candidate and objectives of the best, each candidate once."""
        done = [t for t in self._trials if t.state == "complete" and t.objective is not None]
        done.sort(key=lambda t: (-(t.objective or 0.0), t.number))
        return [
            (str(rank), str(t.number), shorten(t.candidate, 60), *figures_of(t, self._objectives))
            for rank, t in enumerate(done[:MOST], start=1)
        ]

    def caption(self) -> str:
        """Return how many trials there are, by state."""
        states = [t.state for t in self._asked()]
        words = [f"{len(states)} of {self._budget} trials"]
        for state, said in (("pruned", "given up early"), ("failed", "failed")):
            words += [f"{states.count(state)} {said}"] if state in states else []
        retried = sum(t.retried for t in self._trials)
        words += [f"{retried} crashed and tried again"] if retried else []
        return " · ".join(words)

    def _asked(self) -> list[TrialRecord]:
        """Return the trials that count: not repeats of earlier ones, nor crashes tried again."""
        return [t for t in self._trials if t.state != "duplicate" and not t.retried]

    def __rich__(self) -> Table:
        table = Table(box=None, pad_edge=False, caption=self.caption(), caption_justify="left")
        for name in ("", "trial", "candidate"):
            table.add_column(name, justify="left" if name == "candidate" else "right")
        for name in self._objectives:
            table.add_column(headed(name), justify="right")
        for row in self.rows():
            table.add_row(*row)
        return table


def headed(objective: str) -> str:
    """Return an objective's name with its unit."""
    words = objective.replace("_", " ")
    return f"{words}, {UNITS[objective]}" if objective in UNITS else words


def figures_of(trial: TrialRecord, objectives: Sequence[str]) -> tuple[str, ...]:
    """Return a trial's objectives as they are written."""
    return tuple(
        number(trial.objectives.get(name), 1 if name in UNITS else 3) for name in objectives
    )


def _figures(trial: TrialRecord) -> str:
    return "  ".join(
        f"{headed(name)} {figure}"
        for name, figure in zip(trial.objectives, figures_of(trial, tuple(trial.objectives)))
    )
