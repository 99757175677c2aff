"""Bytes by content: the only module that talks to DVC.

A caller names an output, ``materialize(root, "elpv", "synthesize")``; only what is stale is made
again, and the content's hash comes back. DVC runs in this process (a command line would cost a
second of imports per call), its stages in processes of their own.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from components.errors import StoreError
from components.params import read_yaml
from components.records import DataVersion
from components.stores.channel import VARIABLE, StageChannel

Stage = Literal["ingest", "validate", "prepare", "synthesize"]
Progress = Callable[[int, int], None]

ORDER = ("fetch", "ingest", "validate", "prepare", "synthesize")
PIPELINE = Path("params/pipeline.yaml")
_POLL_S = 0.2
_process = threading.RLock()  # the environment and the working folder are one for the process


def is_fresh(root: Path, station: str, stage: Stage) -> bool:
    """Return whether an output and all it was made from are as ``dvc.lock`` records them.

    Raises:
        StoreError: ``root`` is no Git and DVC repository, or the station is not registered.
    """
    with _repository(root) as repo:
        return not repo.status(targets=[_target(root, station, stage)], with_deps=True)


def stale_stages(root: Path, station: str, stage: Stage) -> tuple[str, ...]:
    """Return the stages that bringing an output up to date will run, at most, in their order.

    A stage after a stale one is counted, though it will not run where its inputs stay the same.

    Raises:
        StoreError: ``root`` is no Git and DVC repository, or the station is not registered.
    """
    with _repository(root) as repo:
        found = repo.status(targets=[_target(root, station, stage)], with_deps=True)
    named = {name.rpartition(":")[2].partition("@")[0] for name in found}
    order = ORDER[: ORDER.index(stage) + 1]
    first = next((i for i, name in enumerate(order) if name in named), len(order))
    return order[first:]


def materialize(
    root: Path,
    station: str,
    stage: Stage,
    *,
    pull: bool = False,
    progress: Progress | None = None,
) -> tuple[DataVersion, bool]:
    """Make an output, with whatever it needs that is stale; return its version.

    Args:
        root: the repository.
        station: a station of ``params/pipeline.yaml``.
        stage: the stage whose output is wanted.
        pull: take missing bytes from the remote before making them again.
        progress: called with done and total while the stage works.

    Returns:
        The version, and whether it was reused (True) or made now (False).

    Raises:
        PipelineError: the stage's own error, as the stage raised it.
        StoreError: no repository, no raw bytes, or the stage ended without saying why.
    """
    target = _target(root, station, stage)
    channel = StageChannel(root / ".defectloop/logs", stage, station)
    with _locked(root), _repository(root) as repo:
        _require_raw(root, station)
        _clear(root, station)
        with _stage_environment(channel.log.parent), _watch(channel, progress):
            _reproduce(repo, root, station, target, pull)
    return version(root, station, stage), not channel.log.exists()


def version(root: Path, station: str, stage: Stage) -> DataVersion:
    """Return the version of an output as ``dvc.lock`` records it.

    Raises:
        StoreError: the output was never made.
    """
    first = _locked_out(root, station, stage)
    return DataVersion(
        station=station,
        stage=stage,
        content_hash=str(first["md5"]),
        git_sha=git_sha(root),
        counts={"num_files": int(first.get("nfiles", 1))},
    )


def locked_hash(root: Path, station: str, stage: Stage) -> str:
    """Return an output's content hash as ``dvc.lock`` records it, without asking Git.

    Raises:
        StoreError: the output was never made.
    """
    return str(_locked_out(root, station, stage)["md5"])


def _locked_out(root: Path, station: str, stage: Stage) -> dict[str, Any]:
    entry = _lock_entry(root, f"{stage}@{station}")
    if entry is None:
        raise StoreError(
            "E163",
            f"{stage} of station {station} was never made.",
            f"Run: defectloop run {station}",
        )
    # outs are sorted by path: of validate's two, docs comes first and report.json counts
    return max(entry["outs"], key=lambda out: str(out["path"]))


def locked_files(root: Path, station: str) -> int | None:
    """Return how many files the station's prepared images were when they were last recorded."""
    entry = _lock_entry(root, f"prepare@{station}")
    return int(entry["outs"][0].get("nfiles", 0)) or None if entry else None


def raw_digest(root: Path, station: str) -> str:
    """Return the content hash of the raw bytes, "" where they were never tracked or made."""
    tracked = root / f"data/raw/{station}.dvc"
    if tracked.exists():
        return str(read_yaml(tracked)["outs"][0]["md5"])
    entry = _lock_entry(root, f"fetch@{station}")
    return str(entry["outs"][0]["md5"]) if entry else ""


def git_sha(root: Path) -> str:
    """Return the commit, with ``+dirty`` where tracked files differ from it; "none" before one.

    Raises:
        StoreError: ``root`` is not in a Git repository.
    """
    require_git(root)
    head = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if head.returncode:
        return "none"
    changed = _git(root, "status", "--porcelain", "--untracked-files=no").stdout.strip()
    return head.stdout.strip() + ("+dirty" if changed else "")


def track(root: Path, path: Path) -> str:
    """Put a file or folder under DVC and return its content hash; ``<path>.dvc`` is for Git.

    Raises:
        StoreError: no repository, or the path is missing.
    """
    if not path.exists():
        raise StoreError("E164", f"{path} does not exist: nothing to track.", "Check the path.")
    with _locked(root), _repository(root) as repo:
        (stage,) = repo.add(str(path))
    return str(stage.outs[0].hash_info.value)


# --- remote -------------------------------------------------------------------------------------


def set_remote(
    root: Path,
    url: str,
    *,
    endpoint_url: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    name: str = "storage",
) -> None:
    """Name the default remote in ``.dvc/config.local``, which Git never sees.

    Raises:
        StoreError: no repository, or DVC refuses the values.
    """
    values = {
        "url": url,
        "endpointurl": endpoint_url,
        "access_key_id": access_key_id,
        "secret_access_key": secret_access_key,
    }
    with _locked(root), _repository(root) as repo, repo.config.edit("local") as config:
        config["remote"][name] = {key: value for key, value in values.items() if value}
        config["core"]["remote"] = name


def push(root: Path, targets: tuple[str, ...] = (), remote: str | None = None) -> int:
    """Send bytes to the remote (all where no target is given); return the number of files.

    Raises:
        StoreError: no remote, or it cannot be reached.
    """
    with _locked(root), _repository(root) as repo:
        return int(repo.push(targets=list(targets) or None, remote=remote))


def pull(root: Path, targets: tuple[str, ...] = (), remote: str | None = None) -> int:
    """Fetch bytes from the remote into place; return the number of files fetched.

    Raises:
        StoreError: no remote, it cannot be reached, or it lacks the bytes.
    """
    with _locked(root), _repository(root) as repo:
        return int(repo.pull(targets=list(targets) or None, remote=remote)["stats"]["fetched"])


# --- DVC itself ---------------------------------------------------------------------------------


@contextmanager
def _repository(root: Path) -> Iterator[Any]:
    """Open DVC's repository; its errors leave as ours."""
    require_git(root)
    if not (root / ".dvc").is_dir():
        raise StoreError("E161", f"{root} is not a DVC repository.", "Run: dvc init")
    import logging

    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.CRITICAL)  # our console speaks for it
    # DVC resolves `vars` against the working folder. A run starts in the root, so that this moves
    # nothing; the lock keeps it safe elsewhere.
    moved = nullcontext() if Path.cwd() == root.resolve() else chdir(root)
    try:
        with _process, moved, Repo() as repo:
            yield repo
    except DvcException as error:
        raise StoreError("E162", f"DVC: {_innermost(error)}", _remedy(error)) from error


def _innermost(error: BaseException) -> str:
    lines = [str(error)]
    while error.__cause__ is not None:
        error = error.__cause__
        lines.append(str(error))
    return " ← ".join(dict.fromkeys(line.strip() for line in lines if line.strip()))


def _remedy(error: Exception) -> str:
    return {
        "LockError": "Another run holds it: wait for that run to end.",
        "NoRemoteError": "Name one: dvc remote add --default storage s3://bucket/path",
        "MissingParamsError": "Write the section out in the station's file.",
    }.get(type(error).__name__, "")


def _reproduce(repo: Any, root: Path, station: str, target: str, pull_first: bool) -> None:
    from dvc.exceptions import ReproductionError

    try:
        repo.reproduce(targets=[target], pull=pull_first)
    except ReproductionError as error:
        for stage in ("fetch", "ingest", "validate", "prepare", "synthesize"):
            channel = StageChannel(root / ".defectloop/logs", stage, station)
            own = channel.error()
            if own is not None:
                raise own from None
            if channel.log.exists() and f"{stage}@" in str(error):
                raise StoreError(
                    "E165",
                    f"{_innermost(error)}\n{channel.tail()}",
                    f"\nThe whole of it: {channel.log}",
                ) from error
        raise


def _clear(root: Path, station: str) -> None:
    for stage in ("fetch", "ingest", "validate", "prepare", "synthesize"):
        StageChannel(root / ".defectloop/logs", stage, station).clear()


@contextmanager
def _stage_environment(channel: Path) -> Iterator[None]:
    """Give stages this interpreter's commands and the channel."""
    commands = str(Path(sys.executable).parent)
    changed = {
        "PATH": os.pathsep.join([commands, os.environ.get("PATH", "")]),
        VARIABLE: str(channel),
    }
    before = {key: os.environ.get(key) for key in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextmanager
def _watch(channel: StageChannel, progress: Progress | None) -> Iterator[None]:
    """Call ``progress`` from a thread whenever the stage has reported something new."""
    if progress is None:
        yield
        return
    ended = threading.Event()

    def follow() -> None:
        last = None
        while not ended.wait(_POLL_S):
            now = channel.progress()
            if now is not None and now != last:
                progress(*now)
                last = now

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One user of the repository at a time on this machine; DVC itself gives up after 3 s."""
    folder = root / ".defectloop/locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "dvc.lock"):
        yield


def _target(root: Path, station: str, stage: str) -> str:
    values = read_yaml(root / PIPELINE)
    if station not in values["stations"]:
        raise StoreError(
            "E166",
            f"Station {station} is not in {PIPELINE} (there: {', '.join(values['stations'])}).",
            "Add it there, or run: defectloop ingest PATH --station NAME",
        )
    return f"{stage}@{station}"


def _require_raw(root: Path, station: str) -> None:
    fetched = station in read_yaml(root / PIPELINE)["fetched"]
    if not fetched and not (root / f"data/raw/{station}.dvc").exists():
        raise StoreError(
            "E164",
            f"Station {station} has no raw images: data/raw/{station} is not tracked.",
            f"Run: defectloop ingest PATH --station {station}, or set DEFECTLOOP_DATA.",
        )


def _lock_entry(root: Path, target: str) -> dict[str, Any] | None:
    path = root / "dvc.lock"
    if not path.exists():
        return None
    entry: dict[str, Any] | None = read_yaml(path).get("stages", {}).get(target)
    return entry


def require_git(root: Path) -> None:
    if not (root / ".git").exists():
        raise StoreError(
            "E160",
            f"{root} is not the root of a Git repository, which versions of data belong to.",
            "Run from the clone, or: git init && dvc init",
        )


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
    )
