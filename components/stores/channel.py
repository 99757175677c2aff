"""What a DVC stage, which is a process of its own, tells the run that started it.

DVC gives a stage no channel of its own. One environment variable names a folder; there the stage
leaves its console output, its progress and, when it fails, its error.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from components import errors
from components.errors import PipelineError

VARIABLE = "DEFECTLOOP_STAGE_CHANNEL"


class StageChannel:
    """The files through which one stage of one station reports."""

    def __init__(self, folder: Path, stage: str, station: str) -> None:
        self.log = folder / f"{stage}-{station}.log"
        self._progress = folder / f"{stage}-{station}.progress"
        self._error = folder / f"{stage}-{station}.error.json"

    def clear(self) -> None:
        """Forget what an earlier execution left."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        for path in (self.log, self._progress, self._error):
            path.unlink(missing_ok=True)

    def attach(self) -> None:
        """Send this process's output to the log, and end it when the process above it ends."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        if sys.platform == "linux":  # a run killed with -9 must not leave a stage writing
            ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG

    def report(self, done: int, total: int) -> None:
        """Leave the progress; cheap enough for every image."""
        part = self._progress.with_suffix(".part")
        part.write_text(f"{done} {total}")
        part.replace(self._progress)

    def progress(self) -> tuple[int, int] | None:
        """Return done and total as last reported."""
        if not self._progress.exists():
            return None
        done, total = self._progress.read_text().split()
        return int(done), int(total)

    def fail(self, error: PipelineError) -> None:
        """Leave the error that ended the stage."""
        parts = [type(error).__name__, error.code, error.message, error.remedy]
        self._error.write_text(json.dumps(parts), encoding="utf-8")

    def error(self) -> PipelineError | None:
        """Return the error that ended the stage, as its own class."""
        if not self._error.exists():
            return None
        name, *arguments = json.loads(self._error.read_text(encoding="utf-8"))
        kind = getattr(errors, name, PipelineError)
        return kind(*arguments)

    def tail(self, num_lines: int = 6) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-num_lines:])
