"""Which machine this is, in words that a measurement is kept with."""

import os
import platform
from pathlib import Path


def hardware() -> str:
    """Return the processor's name and the number of cores that this process may use."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((x.partition(":")[2].strip() for x in lines if "model name" in x), model)
    return f"{model}, {len(os.sched_getaffinity(0))} cores"
