"""Where and how a run executes: the only reader of the environment.

Nothing here changes a result, so nothing here is fingerprinted.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from components.errors import ParamsError
from components.memory import PARENT_BYTES

N = TypeVar("N", int, None)

# Silences that must stand before the libraries are imported, and one OpenMP thread per process:
# two spinning threads on two busy cores are several times slower than one each.
_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "HF_HUB_OFFLINE": "1",
    "DVC_NO_ANALYTICS": "1",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),  # keep freed memory: giving each batch's back to
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),  # the system costs a fit a quarter of its time
    "MPLBACKEND": "Agg",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
}


_FEATURES_BYTES = 4 * 1024**3


@dataclass(frozen=True)
class FeatureFolder:
    """Where compute processes share the features of frozen backbones, and how much it may hold."""

    folder: Path
    limit_bytes: int


@dataclass(frozen=True)
class Settings:
    """One machine's answer to *where*: folders, services, processes."""

    root: Path
    workers: int
    data_folder: Path | None
    weight_folders: tuple[Path, ...]
    tracking_uri: str
    artifact_root: Path
    prefect_api_url: str | None
    s3_endpoint: str | None
    user: str
    weights_s3: str | None = None  # s3://bucket/prefix of the plant's own copies
    features_bytes: int = 0  # that the feature store may hold; 0: none is kept
    memory_bytes: int | None = None  # that a run may hold in all; None: what the machine has free
    study_storage: str | None = None  # where several workers meet: journal://… or postgresql://…

    @property
    def params_dir(self) -> Path:
        """The folder of parameter files."""
        return self.root / "params"

    @property
    def state(self) -> Path:
        """The folder of everything that git and DVC do not hold."""
        return self.root / ".defectloop"

    @property
    def features(self) -> FeatureFolder | None:
        """The feature store; None where it is off, never more than half of what the disk has."""
        from components.models.feature_store import FeatureStore

        folder = self.state / "features"
        held = FeatureStore(folder, 0).size_bytes()
        limit = min(self.features_bytes, held + shutil.disk_usage(self.root).free // 2)
        return FeatureFolder(folder, limit) if limit else None

    @property
    def process_bytes(self) -> int | None:
        """Each compute process's share of the declared memory; None where none is declared."""
        if self.memory_bytes is None:
            return None
        return max(0, self.memory_bytes - PARENT_BYTES) // self.workers

    def data(self, stage: str, station: str) -> Path:
        """The folder that a DVC stage writes for a station."""
        return self.root / "data" / stage / station


def load_settings(start: Path | None = None) -> Settings:
    """Find the workspace and read the environment once.

    Raises:
        ParamsError: no folder with ``dvc.yaml`` and ``params/`` here or above.
    """
    root = _find_root(start)
    state = root / ".defectloop"
    environ = os.environ
    folders = [Path(p) for p in environ.get("DEFECTLOOP_WEIGHTS", "").split(os.pathsep) if p]
    data = environ.get("DEFECTLOOP_DATA")
    return Settings(
        root=root,
        workers=_workers(environ.get("DEFECTLOOP_WORKERS")),
        data_folder=Path(data).expanduser().resolve() if data else None,
        weight_folders=(*folders, Path.home() / ".defectloop" / "weights"),
        tracking_uri=environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{state / 'mlflow.db'}"),
        artifact_root=state / "artifacts",
        prefect_api_url=environ.get("PREFECT_API_URL"),
        s3_endpoint=environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL"),
        user=environ.get("USER") or environ.get("LOGNAME") or "unknown",
        weights_s3=environ.get("DEFECTLOOP_WEIGHTS_S3") or None,
        features_bytes=_bytes("DEFECTLOOP_FEATURES_BYTES", "0 keeps no features", _FEATURES_BYTES),
        memory_bytes=_bytes("DEFECTLOOP_MEMORY_BYTES", "unset it for all that is free", None),
        study_storage=environ.get("DEFECTLOOP_STUDY_STORAGE") or None,
    )


def quiet_environment(settings: Settings) -> None:
    """Set what must stand before heavy libraries are imported; what a user set is kept."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_HOME", str(settings.state / "prefect"))


def _find_root(start: Path | None) -> Path:
    named = os.environ.get("DEFECTLOOP_HOME")
    here = Path(named).expanduser() if named and start is None else (start or Path.cwd())
    for folder in (here.resolve(), *here.resolve().parents):
        if (folder / "dvc.yaml").is_file() and (folder / "params").is_dir():
            return folder
    raise ParamsError(
        "E001",
        f"No defectloop workspace (dvc.yaml and params/) in {here} or above it.",
        "Change to a clone of the project or set DEFECTLOOP_HOME.",
    )


def _bytes(variable: str, hint: str, default: N) -> int | N:
    text = os.environ.get(variable)
    if text is None:
        return default
    if not text.isdigit():
        raise ParamsError(
            "E330",
            f"{variable}={text!r} is no number of bytes.",
            f"Give digits alone, 4000000000 for instance; {hint}.",
        )
    return int(text)


def _workers(text: str | None) -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    if text is None:
        return max(1, min(available, 8))
    if not text.isdigit() or int(text) < 1:
        raise ParamsError("E002", f"DEFECTLOOP_WORKERS={text!r} is no count.", "Give 1 or more.")
    return int(text)
