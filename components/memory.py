"""This process's memory: its peak, per piece of work where Linux allows, and what is left to it."""

import os
import resource
from contextlib import suppress
from pathlib import Path

PARENT_BYTES = 600_000_000  # of the process that orders the work, once a run is under way
_CGROUP = Path("/sys/fs/cgroup")
_declared: list[int] = []  # what this process may hold in all, where somebody said so


def forget_peak() -> None:
    """Start measuring anew; where that is not possible the peak stays that of the whole life."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_bytes() -> int:
    """Return the highest resident size since :func:`forget_peak`."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def declare_budget(num_bytes: int | None) -> None:
    """Say what this process may hold in all; None: whatever the machine has left."""
    _declared[:] = [] if num_bytes is None else [num_bytes]


def available_bytes() -> int:
    """Return what this process may still take.

    That is free memory, or less where a cgroup or a declared budget allows less.
    """
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
    with suppress(OSError, ValueError):  # no limit is the word "max"
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        free = min(free, limit - int((_CGROUP / "memory.current").read_text(encoding="ascii")))
    if _declared:
        free = min(free, _declared[0] - resident_bytes())
    return max(free, 0)


def resident_bytes() -> int:
    """Return what this process holds now (where the system does not say: its peak)."""
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        return peak_bytes()
    return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
