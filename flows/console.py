"""What a person sees while a run goes on: one quiet line a step, a bar where it takes long."""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from components.records import StepTiming


class Step(Protocol):
    """The running step, as its code sees it."""

    line: str
    reused: bool

    def total(self, count: int) -> None:
        """Say how many pieces of work there are."""

    def advance(self, note: str = "") -> None:
        """Say that one piece is done."""

    def at(self, done: int, total: int) -> None:
        """Say how many pieces of how many are done."""


class _Step:
    def __init__(self, progress: Progress, name: str) -> None:
        self.line = ""
        self.reused = False
        self._progress = progress
        self._name = name
        self._task = progress.add_task(name, total=None, note="")

    def total(self, count: int) -> None:
        self._progress.update(self._task, total=count)

    def advance(self, note: str = "") -> None:
        self._progress.update(self._task, advance=1, note=note)

    def at(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)


class RateColumn(ProgressColumn):
    """Pieces of work per minute, once there have been two."""

    def render(self, task: Task) -> Text:
        """Return the rate, or nothing while it is unknown."""
        return Text(f"{60 * task.speed:.0f}/min" if task.speed else "")


class StepBoard:
    """Numbers the steps, shows the running one, remembers how long each took."""

    def __init__(self, num_steps: int, *, quiet: bool = False) -> None:
        self.num_steps = num_steps
        self.timings: list[StepTiming] = []
        self.predicted_s: dict[str, float] = {}  # step -> what the cost preview said
        self.predicted_bytes = 0
        # With --json the standard output belongs to the machine that reads it.
        self.console = Console(file=sys.stderr if quiet else sys.stdout, highlight=False)

    @contextmanager
    def step(self, name: str, below: RenderableType | None = None) -> Iterator[Step]:
        """Show one step while it runs and print its line when it is done.

        ``below``: what a terminal shows under the step's bar as long as it runs, redrawn each time.
        """
        number = len(self.timings) + 1
        started, clock = datetime.now(UTC), time.perf_counter()
        label = f"[{number}/{self.num_steps}] {name:<11}"
        progress = self._bar()
        with progress if below is None else self._with(progress, below):
            running = _Step(progress, label)
            yield running
        wall_s = time.perf_counter() - clock
        self.timings.append(
            StepTiming(
                step=name,
                started=started,
                wall_s=wall_s,
                reused=running.reused,
                line=running.line,
                predicted_s=self.predicted_s.get(name),
            )
        )
        took = "reused" if running.reused else _clock(wall_s)
        self.say(f"{label} ✓ {running.line}", took)

    def say(self, left: str, right: str = "") -> None:
        """Print one line, with a quiet note at its end."""
        gap = max(2, min(self.console.width, 110) - len(left) - len(right) - 1)
        self.console.print(
            f"{left}{' ' * gap}{right}" if right else left, markup=False, soft_wrap=True
        )

    def _with(self, progress: Progress, below: RenderableType) -> AbstractContextManager[object]:
        if not self.console.is_terminal:
            return nullcontext()
        both = Group(progress, below)
        return Live(both, console=self.console, transient=True, refresh_per_second=2)

    def _bar(self) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            RateColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
