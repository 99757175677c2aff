"""Compute processes answer, pass errors on, and are replaced when one dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from components.errors import DataError, PipelineError
from components.memory import available_bytes
from components.models.feature_store import feature_store
from flows.compute import ComputePool
from flows.settings import FeatureFolder
from tests.factories import ROOT


def double(value: int) -> int:
    return 2 * value


def refuse() -> None:
    raise DataError("E101", "Mask missing.", "Add it.")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_dead_process_is_an_error_that_says_so_and_the_pool_goes_on() -> None:
    with ComputePool(1) as pool:
        assert pool.call(double, 21) == 42
        with pytest.raises(DataError, match=r"E101 Mask missing\. Add it\."):
            pool.call(refuse)
        with pytest.raises(PipelineError, match="E194"):
            pool.call(die)
        assert pool.call(double, 4) == 8


def kept_features() -> tuple[Path, int] | None:
    store = feature_store()
    return None if store is None else (store.folder, store.limit_bytes)


def test_compute_processes_share_the_feature_store_that_they_are_given(tmp_path: Path) -> None:
    with ComputePool(1, FeatureFolder(tmp_path, 123)) as pool:
        assert pool.call(kept_features) == (tmp_path, 123)
    with ComputePool(1) as pool:
        assert pool.call(kept_features) is None


def test_compute_processes_keep_to_their_share_of_the_declared_memory() -> None:
    with ComputePool(1, None, 10_000) as pool:
        assert pool.call(available_bytes) == 0
    with ComputePool(1) as pool:
        assert pool.call(available_bytes) > 0


def test_an_interrupted_run_does_not_wait_for_its_work() -> None:
    started = time.monotonic()
    errors: list[PipelineError] = []

    def work(pool: ComputePool) -> None:
        try:
            pool.call(time.sleep, 60)
        except PipelineError as error:
            errors.append(error)

    with pytest.raises(KeyboardInterrupt), ComputePool(1) as pool:
        assert pool.call(double, 1) == 2
        thread = threading.Thread(target=work, args=(pool,))
        thread.start()
        time.sleep(0.5)
        raise KeyboardInterrupt
    thread.join(20)
    assert [error.code for error in errors] == ["E194"]
    assert time.monotonic() - started < 40


def test_compute_processes_and_prefect_server_end_when_the_run_is_killed() -> None:
    program = (
        "import os, subprocess, sys, time\n"
        "from flows.compute import ComputePool\n"
        "if __name__ == '__main__':\n"
        "    pool = ComputePool(1)\n"
        "    command = [sys.executable, '-c', 'import time; time.sleep(90)', 'prefect.server']\n"
        "    server = subprocess.Popen(command, start_new_session=True)\n"
        "    worker = pool.call(os.getpid)\n"
        "    time.sleep(2.5)\n"
        "    print(worker, server.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert run.stdout is not None
    left = [int(word) for word in run.stdout.readline().split()]
    run.kill()
    run.wait()
    deadline = time.monotonic() + 20
    while any(map(alive, left)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [alive(process) for process in left] == [False, False]


def alive(process: int) -> bool:
    try:
        with Path(f"/proc/{process}/stat").open() as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
