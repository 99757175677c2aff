"""Feature maps of frozen backbones on disk, shared by all compute processes, bounded in size.

One entry is one layer's map of one image. A key is a digest of everything that decides the map
(see ``networks/remembering.py``), so an entry never goes stale: it is found or it is not. Entries
are written beside their place and renamed, so a reader sees a whole one or none; one that was
evicted while it is mapped stays readable for who mapped it. The ones used longest ago go first.
"""

import hashlib
import logging
import os
import secrets
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

_LOG = logging.getLogger(__name__)

_NOTES = struct.Struct("<d?")  # seconds that the map took; channels last
_TRAILER_BYTES = _NOTES.size + hashlib.sha256().digest_size
_CHECKS = 64  # the folder is looked through once for each 1/64 of the limit that was written
_KEPT_SHARE = 7 / 8  # what eviction leaves, so that it is rare
_PATIENCE_S = 10.0
_ABANDONED_S = 3600.0  # a file this old that was never finished belongs to a process that died


@dataclass(frozen=True)
class StoredMap:
    """One map as it lay in memory: C×H×W, or H×W×C where channels came last; read-only."""

    values: NDArray[np.float32]
    channels_last: bool
    seconds: float  # that computing it took


@dataclass
class Use:
    """What a store did for this process."""

    num_found: int = 0  # images whose maps were all there
    num_computed: int = 0
    saved_s: float = 0.0  # that the maps found took when they were computed
    num_broken: int = 0  # entries that were not what had been written


class FeatureStore:
    """A folder of feature maps that holds at most ``limit_bytes``.

    Nothing here fails a run: what cannot be read is computed, what cannot be written is not kept.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes
        self.use = Use()
        self._found: int | None = None  # bytes at the last look through the folder
        self._written = 0  # by this process since then
        self._writes = True

    def get(self, key: str) -> StoredMap | None:
        """Return an entry, mapped and checked against its digest, and mark it as used."""
        path = self._path(key)
        try:
            with path.open("rb") as stream:
                found = _read(stream)
        except FileNotFoundError:
            return None
        except (ValueError, EOFError, OSError, struct.error) as error:
            self.use.num_broken += 1
            _LOG.warning("E331 feature map %s is broken (%s): it is computed again.", path, error)
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return found

    def put(self, key: str, stored: StoredMap) -> None:
        """Keep an entry where there is room; others that were used longest ago make it."""
        size = stored.values.nbytes + 128 + _TRAILER_BYTES
        if not self._writes or size > self.limit_bytes:
            return
        path = self._path(key)
        part = path.with_name(f".{key}.{os.getpid()}.{secrets.token_hex(4)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._make_room(size)
            with part.open("xb") as stream:
                _write(stream, stored)
            part.replace(path)
        except Timeout:
            return
        except OSError as error:
            self._writes = False
            _LOG.warning("E332 %s takes no more feature maps: %s", self.folder, error)
            with suppress(OSError):
                part.unlink()
        else:
            self._written += size

    def size_bytes(self) -> int:
        """Return the bytes of all finished entries."""
        return sum(size for _, size, _ in self._entries())

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npy"

    def _make_room(self, size: int) -> None:
        if self._found is None or (self._written + size) * _CHECKS > self.limit_bytes:
            self._found, self._written = self.size_bytes(), 0
        if self._found + self._written + size > self.limit_bytes:
            self._evict(size)

    def _evict(self, size: int) -> None:
        """Remove the entries used longest ago.

        Raises:
            Timeout: another process has been doing so for too long.
        """
        with FileLock(self.folder / "eviction.lock", timeout=_PATIENCE_S):
            entries = sorted(self._entries(), key=lambda entry: entry[0])
            left = sum(size for _, size, _ in entries)
            goal = min(self.limit_bytes * _KEPT_SHARE, self.limit_bytes - size)
            for _, held, path in entries:
                if left <= goal:
                    break
                path.unlink(missing_ok=True)
                left -= held
            self._found, self._written = left, 0

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Yield (last use, bytes, path) of the entries; remove what dead processes left."""
        for path in self.folder.glob("??/*"):
            with suppress(FileNotFoundError):  # another process may have removed it
                status = path.stat()
                if path.suffix == ".npy":
                    yield status.st_mtime, status.st_size, path
                elif time.time() - status.st_mtime > _ABANDONED_S:
                    path.unlink()


def _write(stream: IO[bytes], stored: StoredMap) -> None:
    """Write an array as .npy, then the notes, then the sha256 of both."""
    values = np.ascontiguousarray(stored.values)
    notes = _NOTES.pack(stored.seconds, stored.channels_last)
    header = np.lib.format.header_data_from_array_1_0(values)
    np.lib.format.write_array_header_1_0(stream, header)
    stream.write(values.data)
    stream.write(notes + _digest(values, notes))


def _read(stream: IO[bytes]) -> StoredMap:
    """Map an entry.

    Raises:
        ValueError: it is not what was written.
    """
    np.lib.format.read_magic(stream)
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    start = stream.tell()
    end = start + int(np.prod(shape)) * dtype.itemsize
    size = os.fstat(stream.fileno()).st_size
    if dtype != np.float32 or size != end + _TRAILER_BYTES:
        raise ValueError(f"{size:,} bytes of {dtype} where {end + _TRAILER_BYTES:,} should be")
    stream.seek(end)
    trailer = stream.read(_TRAILER_BYTES)
    values = np.memmap(stream, dtype, "r", start, shape)
    notes = trailer[: _NOTES.size]
    if trailer[_NOTES.size :] != _digest(values, notes):
        raise ValueError("its bytes are not those that were written")
    seconds, channels_last = _NOTES.unpack(notes)
    return StoredMap(values, channels_last, seconds)


def _digest(values: NDArray[np.float32], notes: bytes) -> bytes:
    digest = hashlib.sha256(values.data)
    digest.update(notes)
    return digest.digest()


class _Current:
    """The store of this process, and whether what is going on now is worth remembering."""

    store: FeatureStore | None = None
    repeats: bool = True


def use_feature_store(store: FeatureStore | None) -> None:
    """Let every frozen backbone of this process remember its maps in a store; None: in none."""
    _Current.store = store


def feature_store() -> FeatureStore | None:
    """Return the store to look into now, or None."""
    return _Current.store if _Current.repeats else None


@contextmanager
def images_that(repeat: bool) -> Iterator[None]:
    """Say whether images seen meanwhile will be seen again: others would only fill the store."""
    before, _Current.repeats = _Current.repeats, repeat
    try:
        yield
    finally:
        _Current.repeats = before


def saved_seconds() -> float:
    """Return the seconds of backbone passes that this process was spared so far."""
    return 0.0 if _Current.store is None else _Current.store.use.saved_s
