"""What tracking hands out, and what it asks of addresses, processes and the environment."""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlparse

from components.records import Record


class Found(Record):
    """A finished run with the folder of its artifacts."""

    run_id: str
    name: str
    artifacts: Path
    tags: dict[str, str]
    metrics: dict[str, float]


class Registered(Record):
    """A registered model version."""

    station: str
    version: str
    run_id: str
    tags: dict[str, str]
    created: datetime
    is_champion: bool = False

    @classmethod
    def of(cls, version: Any, champion: str) -> Self:
        """Make it from MLflow's ModelVersion and the version that holds the alias."""
        return cls(
            station=version.name,
            version=str(version.version),
            run_id=version.run_id,
            tags=dict(version.tags),
            created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
            is_champion=str(version.version) == champion,
        )


def silence_mlflow() -> None:
    """Keep the console ours; must come before MLflow is imported."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    logging.getLogger("alembic").setLevel(logging.ERROR)


def local_path(uri: str) -> Path | None:
    """Return the folder of a ``file:`` address or plain path, None for any other address."""
    parts = urlparse(uri)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def process_lives(tags: Mapping[str, str]) -> bool:
    """Whether the process that opened a run is there; its number may be another's by now."""
    try:
        os.kill(int(tags["pid"]), 0)
    except (KeyError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
