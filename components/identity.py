"""What makes a result: digests of code and environment, and the fingerprint of a piece of work.

A fingerprint covers what changes a result (params, data, weights, code, library versions, seed)
and nothing about where it runs, so finished work is found again on any machine.
"""

import hashlib
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from components.params import digest_of

PACKAGE = Path(__file__).resolve().parent

# Libraries whose release can change a score.
SCORING_LIBRARIES = (
    "anomalib",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "scipy",
    "timm",
    "torch",
)

# What only shows or stores results: a change there never asks for new ones.
_PRESENTATION = ("report", "stores")


@cache
def code_digest(package: Path = PACKAGE) -> str:
    """Return the sha256 of every source file under ``components`` that can change a result."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if relative.parts[0] not in _PRESENTATION:
            digest.update(relative.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def environment_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that can change a score."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for library in SCORING_LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "absent"
    return found


def fingerprint(kind: str, **parts: object) -> str:
    """Return the sha256 that identifies one piece of work of a kind (trial, refit, cycle, …)."""
    whole = {"kind": kind, "code": code_digest(), "environment": environment_versions()}
    return digest_of(whole | parts)


def file_sha256(path: Path) -> str:
    """Return the sha256 (hex) of a file, or ``absent``."""
    if not path.is_file():
        return "absent"
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
