"""What tracking hands out, and small questions it asks of addresses and processes."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
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
