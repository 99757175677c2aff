"""A run as one Prefect flow: named, on threads that wait for compute processes."""

from collections.abc import Callable
from typing import Generic, TypeVar

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

R = TypeVar("R")
S = TypeVar("S")


class _Opaque(Generic[R]):
    """Keeps Prefect from walking through a live run in search of futures."""

    __slots__ = ("run",)

    def __init__(self, run: R) -> None:
        self.run = run


def run_as_flow(name: str, run_name: str, workers: int, work: Callable[[R], S], run: R) -> S:
    """Do the work of a run inside a flow of that name, which Prefect shows as ``run_name``."""

    def body(opaque: _Opaque[R]) -> S:
        return work(opaque.run)

    named = flow(
        name=name,
        flow_run_name=run_name,
        task_runner=ThreadPoolTaskRunner(max_workers=workers),
        validate_parameters=False,
        persist_result=False,
    )(body)
    return named(_Opaque(run))
