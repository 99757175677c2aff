"""Where a study lives: SQLite for one process, a journal file or PostgreSQL for many.

SQLite locks whole files: several writers wait for each other or fail, and network file systems do
not carry its locks, so both are refused instead of found out later.
"""

import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import ParamsError, PipelineError

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

JOURNAL, POSTGRES, SQLITE = "journal://", ("postgresql://", "postgresql+"), "sqlite://"
# Network file systems as the kernel names them; what is not listed is taken for a local disk.
NETWORK = {
    "nfs", "nfs3", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "fuse.ceph", "glusterfs",
    "fuse.glusterfs", "lustre", "gpfs", "beegfs", "pvfs2", "ocfs2", "fuse.sshfs", "fuse.s3fs",
    "fuse.gcsfuse", "fuse.rclone", "davfs", "fuse.davfs2",
}  # fmt: skip
MOUNTS = Path("/proc/mounts")
_PAUSES_S = (0.2, 0.5, 1.0, 2.0)  # between tries to set up a database
REMEDY = (
    "Set DEFECTLOOP_STUDY_STORAGE to journal:///shared/folder/study.log (a file that all workers "
    "see) or to postgresql://user@host/database."
)
_held: dict[Path, Any] = {}  # locks of this process: it may open its own study again


def is_shared(storage: "Path | str") -> bool:
    """Whether several workers may write to a storage at once."""
    return isinstance(storage, str) and not storage.startswith(SQLITE)


def open_study(storage: "Path | str", name: str, directions: Sequence[str]) -> Any:
    """Open or make a study.

    ``storage``: a path (or ``sqlite:///path``) of an SQLite file, ``journal:///path`` of a journal
    file, or a PostgreSQL address.

    Raises:
        ParamsError: E341 an address of none of these kinds. PipelineError: E342 SQLite on a
            network disk; E343 another process writes to this SQLite file; E344 the storage does
            not answer, or its driver is missing.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        storage=_opened(storage), study_name=name, directions=list(directions), load_if_exists=True
    )


def _opened(storage: "Path | str") -> Any:
    if isinstance(storage, Path):
        return _sqlite(storage)
    if storage.startswith(SQLITE):
        return _sqlite(Path(storage.removeprefix("sqlite:///")))
    if storage.startswith(JOURNAL):
        return _journal(Path(storage.removeprefix(JOURNAL)))
    if storage.startswith(POSTGRES):
        return _postgres(storage)
    raise ParamsError("E341", f"{storage!r} is no storage for a study.", REMEDY)


def _journal(path: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))


def _postgres(url: str) -> Any:
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

    where = url.rpartition("@")[2]  # the part before may hold a password
    for pause_s in (*_PAUSES_S, None):
        try:
            return RDBStorage(with_driver(url), engine_kwargs={"pool_pre_ping": True})
        except ImportError:
            raise PipelineError(
                "E344",
                f"A study on {where} needs PostgreSQL's driver, which is not installed.",
                "pip install 'psycopg[binary]', or use journal:///shared/folder/study.log.",
            ) from None
        except (ArgumentError, ValueError) as error:
            raise ParamsError(
                "E341", f"No storage for a study at {where}: {error}.", REMEDY
            ) from None
        except OperationalError as error:
            raise PipelineError(
                "E344",
                f"The study's database {where} cannot be reached: {_first_line(error)}.",
                "Start it or mend the address; without DEFECTLOOP_STUDY_STORAGE a study is this "
                "process's alone.",
            ) from None
        except DBAPIError as error:
            # Workers that start together make the tables of an empty database at the same time.
            if pause_s is None:
                raise PipelineError(
                    "E344",
                    f"The study's database {where} refuses its tables: {_first_line(error)}.",
                    "Give the user the right to create tables there.",
                ) from None
            time.sleep(pause_s)
    raise AssertionError("the last try returns or raises")


def _first_line(error: "DBAPIError") -> str:
    """Return what the driver says, which names no password."""
    return str(error.orig).partition("\n")[0]


def with_driver(url: str) -> str:
    """Return a database's address with the driver that is installed, where it names none.

    SQLAlchemy takes psycopg for granted since 2.1, and psycopg2 before.
    """
    scheme, separator, rest = url.partition("://")
    driver = next((name for name in ("psycopg", "psycopg2") if find_spec(name)), None)
    if scheme != "postgresql" or driver is None:
        return url
    return f"{scheme}+{driver}{separator}{rest}"


def _sqlite(path: Path) -> Any:
    import optuna

    path.parent.mkdir(parents=True, exist_ok=True)
    kind = file_system_of(path.parent)
    if kind in NETWORK:
        raise PipelineError(
            "E342",
            f"{path} lies on a network disk ({kind}), which does not carry SQLite's locks: "
            "a study there would be damaged sooner or later.",
            REMEDY,
        )
    _take(path)
    return optuna.storages.RDBStorage(
        f"sqlite:///{path}", engine_kwargs={"creator": lambda: _connect(path)}
    )


def _take(path: Path) -> None:
    """Hold the file for as long as this process lives; a killed one lets go of it."""
    from filelock import FileLock, Timeout

    whole = path.resolve()
    if whole in _held:
        return
    lock = FileLock(whole.with_name(f"{whole.name}.writer"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise PipelineError(
            "E343",
            f"Another process tunes with {path.name} now, and SQLite has one writer.",
            f"Wait for it, or let several work together: {REMEDY}",
        ) from None
    _held[whole] = lock


def _connect(path: Path) -> Any:
    import sqlite3

    connection = sqlite3.connect(path, timeout=60, check_same_thread=False)
    # a write-ahead log survives a kill without a disk flush for each of a trial's many writes
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def file_system_of(folder: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the file system under a folder, or ``unknown``."""
    if not mounts.is_file():
        return "unknown"
    here = os.path.realpath(folder)
    longest, found = -1, "unknown"
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split()
        point = fields[1].encode().decode("unicode_escape")  # a blank is written \040
        inside = here == point or here.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= longest:  # of two on one point the later one lies on top
            longest, found = len(point), fields[2]
    return found
