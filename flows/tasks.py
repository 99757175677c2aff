"""The Prefect tasks: wiring without logic. Each wraps one function of ``components``.

Tasks that train carry the tag ``gpu`` so that a work pool can route and limit them. Only input and
output are retried: a fit that failed once fails again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from components.judge import JudgeJob, JudgeOutcome, run_judge
from components.latency import LatencyJob, LatencyOutcome, run_latency
from components.records import DataVersion
from components.refit import RefitJob, RefitOutcome, run_refit
from components.stores import versions
from components.studies.cells import CellJob, CellOutcome, run_cell
from components.studies.timing import StudyLatencyJob, run_study_latency
from components.trial import TrialJob, TrialOutcome, run_trial
from flows.compute import shared_pool


def only_io(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Retry what a second try can mend: files, sockets, servers."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, OSError | ConnectionError | TimeoutError)


_IO: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": 2,
    "retry_delay_seconds": 2,
    "retry_condition_fn": only_io,
}


@task(name="materialize", task_run_name="{stage} {station}", tags=["io"], **_IO)
def materialize_task(
    root: Path, station: str, stage: versions.Stage, progress: Callable[[int, int], None]
) -> tuple[DataVersion, bool]:
    """Bring one DVC output up to date; say whether it already was."""
    return versions.materialize(root, station, stage, progress=progress)


@task(name="trial", task_run_name="trial {job.params.name} seed {job.seed}", tags=["gpu"], **_IO)
def trial_task(job: TrialJob) -> TrialOutcome:
    """Fit one candidate with one seed and measure it on the tune set."""
    return shared_pool().call(run_trial, job)


@task(name="latency", task_run_name="latency {job.candidate}", tags=["alone"], **_IO)
def latency_task(job: LatencyJob) -> LatencyOutcome:
    """Time an exported model while nothing else runs."""
    return shared_pool().call(run_latency, job)


@task(name="refit", task_run_name="refit {job.trial.params.name}", tags=["gpu"], **_IO)
def refit_task(job: RefitJob) -> RefitOutcome:
    """Fit the chosen candidate on all normals with cross-fitted thresholds."""
    return shared_pool().call(run_refit, job)


@task(name="judge", task_run_name="judge {job.candidate}", tags=["gpu"], **_IO)
def judge_task(job: JudgeJob) -> JudgeOutcome:
    """Evaluate a deployed model on the report set."""
    return shared_pool().call(run_judge, job)


@task(name="cell", task_run_name="cell {job.key.name}", tags=["gpu"], **_IO)
def cell_task(job: CellJob) -> CellOutcome:
    """Fit one cell of a study and test it under the papers' protocol."""
    return shared_pool().call(run_cell, job)


@task(name="study latency", task_run_name="latency {job.candidate}", tags=["alone"], **_IO)
def study_latency_task(job: StudyLatencyJob) -> LatencyOutcome:
    """Time a study's exported model while nothing else runs."""
    return shared_pool().call(run_study_latency, job)
