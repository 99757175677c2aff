"""Finished work, found again by fingerprint: the one place where a run decides not to compute."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from components.records import DataVersion, Record
from components.stores.tracking import Tracking

R = TypeVar("R", bound=Record)

OUTCOME = "outcome.json"


@dataclass(frozen=True)
class Kept(Generic[R]):
    """An outcome with the folder of its artifacts; ``reused`` when no one computed it now."""

    outcome: R
    folder: Path
    reused: bool
    run_id: str


@dataclass(frozen=True)
class Ledger:
    """Child runs of one cycle in one experiment."""

    tracking: Tracking
    experiment: str
    parent: str
    work: Path
    data: DataVersion

    def find(self, kind: str, fingerprint: str, outcome: type[R]) -> Kept[R] | None:
        """Return finished work of this kind and fingerprint whose artifacts are still there."""
        found = self.tracking.find_finished(self.experiment, fingerprint, kind)
        if found is None or not (found.artifacts / OUTCOME).is_file():
            return None
        return Kept(outcome.load(found.artifacts / OUTCOME), found.artifacts, True, found.run_id)

    def folder(self, kind: str, fingerprint: str) -> Path:
        """Return a folder to make and work in; what a killed run left there is removed."""
        folder = self.work / f"{kind}-{fingerprint[:16]}"
        shutil.rmtree(folder, ignore_errors=True)
        self.work.mkdir(parents=True, exist_ok=True)
        return folder

    def keep(
        self,
        kind: str,
        name: str,
        fingerprint: str,
        outcome: R,
        *,
        params: dict[str, object],
        metrics: dict[str, float | None],
        tags: dict[str, str] | None = None,
        folder: Path | None = None,
    ) -> Kept[R]:
        """Record finished work with its artifacts, then drop the working folder."""
        source = folder or self.folder(kind, fingerprint)
        outcome.save(source / OUTCOME)
        run_id = self.tracking.record(
            self.experiment,
            name=name,
            kind=kind,
            fingerprint=fingerprint,
            params=params,
            metrics={key: value for key, value in metrics.items() if value is not None},
            tags=tags or {},
            artifacts=source,
            parent=self.parent,
            data=self.data,
        )
        shutil.rmtree(source, ignore_errors=True)
        found = self.tracking.find_finished(self.experiment, fingerprint, kind)
        assert found is not None, "work just recorded is found again"
        return Kept(outcome, found.artifacts, False, run_id)
