"""The index of a weights folder: what came in, from where, and which bytes it was.

A JSON file beside the weights. It is what holds files to their bytes whose digest nobody
publishes, and files that were made from others (safetensors from a pickle, a member of an
archive). Writers take turns; a reader sees the old index or the new one.
"""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from components.errors import WeightsError
from components.records import Record

INDEX_FILE = "index.json"


class Arrival(Record):
    """One file of a weights folder as it was taken in."""

    name: str  # of the backbone
    file: str
    sha256: str  # of the file as it lies there
    source_file: str
    source_sha256: str  # of the file that it was made from; equal where it was copied
    origin: str  # where it came from, in words
    added: datetime


class WeightIndex(Record):
    """All arrivals of one folder; one a file, the latest counts."""

    arrivals: tuple[Arrival, ...] = ()

    def of(self, file: str) -> Arrival | None:
        """Return what is recorded of a file, by its name in the folder."""
        return next((a for a in self.arrivals if a.file == file), None)

    def with_arrival(self, arrival: Arrival) -> "WeightIndex":
        """Return the index with one more arrival, in the place of an earlier one."""
        others = tuple(a for a in self.arrivals if a.file != arrival.file)
        return WeightIndex(arrivals=(*others, arrival))


def read_index(folder: Path) -> WeightIndex:
    """Read a folder's index; an empty one where there is none.

    Raises:
        WeightsError: E282, the index cannot be read.
    """
    path = folder / INDEX_FILE
    if not path.is_file():
        return WeightIndex()
    try:
        return WeightIndex.load(path)
    except (ValidationError, UnicodeDecodeError) as error:
        raise WeightsError(
            "E282",
            f"{path} is no index of weights: {str(error).splitlines()[0]}.",
            "Remove it and import the files again: defectloop weights import FILE.",
        ) from None


def record_arrival(folder: Path, arrival: Arrival) -> None:
    """Add an arrival to a folder's index."""
    with FileLock(folder / f".{INDEX_FILE}.lock"):
        read_index(folder).with_arrival(arrival).save(folder / INDEX_FILE)


def now() -> datetime:
    """Return the time of day in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def file_digest(path: Path) -> str:
    """Return a file's sha256 (hex); hashed again only once size or time of change differ."""
    status = path.stat()
    return _digest_of(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest_of(path: Path, _size_bytes: int, _changed_ns: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
