"""Compute processes: one thread of arithmetic each, dying with the run that started them."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import active_children, get_context
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from components.errors import PipelineError
from components.memory import declare_budget
from components.models.feature_store import FeatureStore, use_feature_store
from flows.settings import FeatureFolder, Settings

T = TypeVar("T")


class ComputePool:
    """A pool of spawned processes that survives the death of one of them."""

    def __init__(
        self,
        workers: int,
        features: FeatureFolder | None = None,
        process_bytes: int | None = None,
    ) -> None:
        self.workers, self.features, self.process_bytes = workers, features, process_bytes
        self._lock = threading.Lock()
        self._closed = False
        self._executor = self._start()

    def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function in a process and wait for its answer.

        Raises:
            PipelineError: the process died (killed, out of memory); the pool starts anew.
        """
        executor = self._executor
        try:
            future: Future[T] = executor.submit(function, *arguments)
            return future.result()
        except BrokenProcessPool:
            self._restart(executor)
            raise PipelineError(
                "E194",
                "A compute process died (killed or out of memory).",
                "Finished work is kept; run again, with fewer DEFECTLOOP_WORKERS if short.",
            ) from None

    def warm_up(self) -> None:
        """Let every process import the heavy libraries while the caller still reads files."""
        for _ in range(self.workers):
            self._executor.submit(_import_heavy)

    def _restart(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._executor is broken and not self._closed:
                broken.shutdown(wait=False, cancel_futures=True)
                self._executor = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers,
            mp_context=get_context("spawn"),
            initializer=_enter,
            initargs=(os.getpid(), self.features, self.process_bytes),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        if error is not None:  # nobody waits for the work of an interrupted run
            for process in active_children():
                process.kill()
        self._executor.shutdown(wait=error is None, cancel_futures=True)


def _enter(parent: int, features: FeatureFolder | None, process_bytes: int | None) -> None:
    """Open the feature store; leave when the parent is gone: a killed run must not go on unseen."""
    declare_budget(process_bytes)
    if features is not None:
        use_feature_store(FeatureStore(features.folder, features.limit_bytes))

    def watch() -> None:
        known: set[int] = set()
        while os.getppid() == parent:
            known |= _children(parent)
            time.sleep(1.0)
        for process in filter(_is_prefect_server, known):
            os.kill(process, signal.SIGTERM)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _children(parent: int) -> set[int]:
    """Return the processes that a process started; none where the system has no /proc."""
    found: set[int] = set()
    for listing in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(OSError):
            found.update(map(int, listing.read_text().split()))
    return found


def _is_prefect_server(process: int) -> bool:
    """Whether a process is the temporary server that a run without PREFECT_API_URL starts."""
    with suppress(OSError):
        return b"prefect.server" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def _import_heavy() -> None:
    import_module("components.models.networks.patchcore")
    import_module("components.models.networks.padim")
    time.sleep(1.0)  # so that each process takes one of these, not one process all of them


_shared: dict[str, ComputePool] = {}


def shared_pool() -> ComputePool:
    """Return the pool of the running flow.

    Raises:
        PipelineError: no flow has opened one.
    """
    if "pool" not in _shared:
        raise PipelineError(
            "E195", "No compute pool is open.", "Start work through `defectloop run`."
        )
    return _shared["pool"]


@contextmanager
def open_pool(settings: Settings) -> Iterator[ComputePool]:
    """Open the processes that this flow's tasks compute in, and where they keep features."""
    with ComputePool(settings.workers, settings.features, settings.process_bytes) as pool:
        _shared["pool"] = pool
        try:
            yield pool
        finally:
            del _shared["pool"]
