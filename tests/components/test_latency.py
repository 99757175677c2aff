"""A latency says whether the machine was otherwise idle."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.latency import Neighbours, busy_s


def test_busy_seconds_are_all_that_is_neither_idle_nor_waiting(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 20 30 9999 8888 40 10 0 0 0\ncpu0 1 1 1 1 1 1 1\n")
    assert busy_s(stat) == pytest.approx(2.0)  # 200 ticks of 1/100 s


def test_a_system_that_says_nothing_counts_as_idle(tmp_path: Path) -> None:
    assert busy_s(tmp_path / "absent") == 0.0


def test_work_of_another_process_is_seen_and_our_own_is_not() -> None:
    watch = Neighbours()
    before = time.process_time()
    program = "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert time.process_time() - before < 0.3
    assert watch.cores_used() > 0.3
