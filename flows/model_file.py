"""What a study found, kept as a file of ``params/models`` that stations and studies can name."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from components.errors import ParamsError
from components.models import KINDS

if TYPE_CHECKING:
    from components.tune.summary import TuneSummary

_MARK = "# Found by tuning"  # begins every file that may be written over
_ORIGIN = re.compile(rf"{_MARK} (?P<station>[a-z0-9_]+) ")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class ModelFile:
    """A place for tuned params: a new file, or one that tuning wrote before."""

    path: Path

    @classmethod
    def at(cls, params_dir: Path, name: str) -> "ModelFile":
        """Return the file of a name, before any work is done for it.

        Raises:
            ParamsError: E347 a name that is none; E348 a kind, or a file that a
                person wrote, has this name.
        """
        if not _NAME.fullmatch(name):
            raise ParamsError(
                "E347", f"--save {name!r} is no name.", "Use a to z, 0 to 9 and _ (a letter first)."
            )
        path = params_dir / "models" / f"{name}.yaml"
        if name in KINDS:
            raise ParamsError("E348", f"{name} is a kind of detector.", "Save under another name.")
        if path.is_file() and not path.read_text(encoding="utf-8").startswith(_MARK):
            raise ParamsError(
                "E348", f"{path} was not written by tuning.", "Save under another name."
            )
        return cls(path)

    def write(self, summary: "TuneSummary") -> None:
        """Write the best trial's params, atomically, with a comment on where they come from.

        A study without a finished trial never gets here (E180).
        """
        from components.tune.front import best_of

        best = best_of(summary.trials)
        assert best is not None
        done = sum(trial.state == "complete" for trial in summary.trials)
        head = (
            f"{_MARK} {summary.station} ({summary.profile} profile): trial {best.number}, the best "
            f"of {done}.\n"
            f"# {' and '.join(summary.objective)} of {best.objective:.4f} on the tune set alone.\n"
            f"# {summary.reproduce}\n"
        )
        text = yaml.safe_dump(best.params, sort_keys=False, allow_unicode=True)
        part = self.path.with_name(f".{self.path.name}.part")
        part.write_text(head + text, encoding="utf-8")
        part.replace(self.path)


def tuned_on(params_dir: Path, name: str) -> str | None:
    """Return the station on whose tune set a model was found; None for one that was not tuned."""
    path = params_dir / "models" / f"{name}.yaml"
    found = _ORIGIN.match(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found["station"] if found else None
