"""Where a study may live, and why not elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.errors import PipelineError
from components.tune import storage
from components.tune.storage import file_system_of, is_shared, open_study

ROOT = Path(__file__).parents[3]
MOUNTS = (
    "/dev/vda / ext4 rw 0 0\n"
    "server:/plant /mnt/plant nfs4 rw 0 0\n"
    "/dev/vdb /mnt/plant/local xfs rw 0 0\n"
    "//nas/share /mnt/two\\040words cifs rw 0 0\n"
)


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mounts"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var", "ext4"),
        ("/mnt/plant/studies", "nfs4"),
        ("/mnt/plant", "nfs4"),
        ("/mnt/plantation", "ext4"),
        ("/mnt/plant/local/x", "xfs"),
        ("/mnt/two words/x", "cifs"),
    ],
)
def test_the_deepest_mount_above_a_folder_counts(folder: str, kind: str, mounts: Path) -> None:
    assert file_system_of(Path(folder), mounts) == kind


def test_a_system_without_a_list_of_mounts_is_unknown(tmp_path: Path) -> None:
    assert file_system_of(tmp_path, tmp_path / "none") == "unknown"


def test_sqlite_on_a_network_disk_is_refused_with_the_reason_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "file_system_of", lambda _: "nfs4")
    with pytest.raises(PipelineError, match=r"E342 .*network disk \(nfs4\).*journal://"):
        open_study(tmp_path / "s.db", "a", ["maximize"])
    open_study(f"journal://{tmp_path / 's.log'}", "a", ["maximize"])


HOLD = """
import sys
from pathlib import Path
from components.tune.storage import open_study
open_study(Path(sys.argv[1]), "a", ["maximize"])
print("open", flush=True)
sys.stdin.read()
"""


def test_a_second_process_that_would_write_is_refused_until_the_first_is_gone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(PipelineError, match=r"E343 .*one writer.*DEFECTLOOP_STUDY_STORAGE"):
            open_study(path, "a", ["maximize"])
        holder.kill()
    open_study(path, "a", ["maximize"])
    open_study(path, "a", ["maximize"])  # the same process may come again


def test_an_address_of_no_known_kind_is_an_error() -> None:
    with pytest.raises(PipelineError, match=r"E341 'mysql://host/db'"):
        open_study("mysql://host/db", "a", ["maximize"])


@pytest.mark.parametrize(
    "address", ["postgresql+nosuch://ada:secret@host/db", "postgresql://ada:secret@host:port/db"]
)
def test_an_address_that_no_driver_takes_is_an_error_without_the_password(address: str) -> None:
    with pytest.raises(PipelineError, match="E341 No storage for a study at host") as raised:
        storage._postgres(address)
    assert "secret" not in str(raised.value)


def test_a_database_without_its_driver_says_what_to_install_and_no_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("psycopg")

    monkeypatch.setattr("optuna.storages.RDBStorage", missing)
    with pytest.raises(
        PipelineError, match=r"E344 .*host\.invalid/db needs .*psycopg\[binary\]"
    ) as raised:
        open_study("postgresql://ada:secret@host.invalid/db", "a", ["maximize"])
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (("psycopg", "psycopg2"), "postgresql+psycopg://ada@host/db"),
        (("psycopg2",), "postgresql+psycopg2://ada@host/db"),
        ((), "postgresql://ada@host/db"),
    ],
)
def test_the_driver_that_is_installed_is_taken(
    installed: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "find_spec", lambda name: name if name in installed else None)
    assert storage.with_driver("postgresql://ada@host/db") == expected
    named = "postgresql+pg8000://ada@host/db"
    assert storage.with_driver(named) == named


def test_a_database_that_cannot_be_reached_is_told_with_the_drivers_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sqlalchemy.exc import OperationalError

    def refused(*_: object, **__: object) -> None:
        raise OperationalError("connect", {}, Exception("password authentication failed\nmore"))

    monkeypatch.setattr("optuna.storages.RDBStorage", refused)
    match = r"E344 .*host/db cannot be reached: password authentication failed\."
    with pytest.raises(PipelineError, match=match) as raised:
        storage._postgres("postgresql://ada:secret@host/db")
    assert "secret" not in str(raised.value)


def test_a_table_that_another_worker_makes_just_now_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sqlalchemy.exc import IntegrityError

    def make(*_: object, **__: object) -> str:
        tries.append(1)
        if len(tries) < failing:
            raise IntegrityError("create table", {}, Exception("duplicate key\nDETAIL: more"))
        return "opened"

    monkeypatch.setattr("optuna.storages.RDBStorage", make)
    monkeypatch.setattr(storage, "_PAUSES_S", (0.0, 0.0))
    tries, failing = [], 3
    assert storage._postgres("postgresql://host/db") == "opened"
    tries, failing = [], 4
    with pytest.raises(PipelineError, match=r"E344 .*host/db refuses its tables: duplicate key\."):
        storage._postgres("postgresql://host/db")


def test_only_journals_and_databases_are_shared() -> None:
    assert is_shared("journal:///x.log")
    assert is_shared("postgresql://host/db")
    assert not is_shared("sqlite:///x.db")
    assert not is_shared(Path("x.db"))
