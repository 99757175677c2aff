"""DVC: only what is stale is made again, errors cross the process, bytes cross machines."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.errors import DataError, StoreError
from components.stores.raw import adopt, register_station
from components.stores.versions import (
    git_sha,
    is_fresh,
    locked_files,
    materialize,
    pull,
    push,
    raw_digest,
    set_remote,
    stale_stages,
    track,
    version,
)

DVC_YAML = """
vars:
  - params/pipeline.yaml
stages:
  ingest:
    foreach: ${stations}
    do:
      cmd: python stage.py ingest ${item}
      deps:
        - data/raw/${item}
      params:
        - params/stations/${item}.yaml: [mode]
      outs:
        - data/ingest/${item}
  prepare:
    foreach: ${stations}
    do:
      cmd: python stage.py prepare ${item}
      deps:
        - data/ingest/${item}
        - stage.py
      outs:
        - data/prepare/${item}
"""

# ingest copies the raw files in upper case; prepare joins them. `mode` says how to fail.
STAGE_PY = """
import os, sys
from pathlib import Path
import yaml
from components.errors import DataError
from components.stores.channel import VARIABLE, StageChannel

stage, station = sys.argv[1:]
channel = StageChannel(Path(os.environ[VARIABLE]), stage, station)
channel.attach()
mode = yaml.safe_load(Path(f"params/stations/{station}.yaml").read_text())["mode"]
out = Path("data") / stage / station
out.mkdir(parents=True, exist_ok=True)
print("noise that must not reach the console")
if stage == "ingest":
    for path in sorted(Path("data/raw", station).iterdir()):
        (out / path.name).write_text(path.read_text().upper())
        channel.report(1, 2)
    if mode == "known":
        error = DataError("E101", "7.png has no mask.", "Add it.")
        channel.fail(error)
        sys.exit(error.exit_code)
    if mode == "crash":
        print("the last words")
        sys.exit(9)
    if mode == "slow":
        import time
        time.sleep(0.6)
else:
    source = sorted(Path("data/ingest", station).iterdir())
    (out / "all.txt").write_text("".join(p.read_text() for p in source))
"""


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one station, `part`, whose raw folder is two tracked text files."""
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    write(root / ".dvc/config", "[core]\n    analytics = false\n    check_update = false\n")
    write(root / ".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    write(root / ".gitignore", "/.defectloop/\n/data/ingest/\n/data/prepare/\n/data/raw/?*/\n")
    write(root / "dvc.yaml", DVC_YAML)
    write(root / "stage.py", STAGE_PY)
    write(root / "params/pipeline.yaml", "# Stations.\nstations:\n- part\nfetched: []\n")
    write(root / "params/stations/part.yaml", "mode: fine\n")
    outside = tmp_path / "camera"
    write(outside / "a.txt", "alpha\n")
    write(outside / "b.txt", "beta\n")
    adopt(root, "part", outside)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


def test_an_output_is_made_once_and_then_reused(root: Path) -> None:
    assert not is_fresh(root, "part", "prepare")
    made, reused = materialize(root, "part", "prepare")
    assert (root / "data/prepare/part/all.txt").read_text() == "ALPHA\nBETA\n"
    assert not reused
    assert is_fresh(root, "part", "prepare")
    again, reused = materialize(root, "part", "prepare")
    assert reused
    assert again.content_hash == made.content_hash == version(root, "part", "prepare").content_hash


def test_a_changed_raw_file_makes_everything_after_it_stale(root: Path, tmp_path: Path) -> None:
    before, _ = materialize(root, "part", "prepare")
    write(tmp_path / "camera/c.txt", "gamma\n")
    assert adopt(root, "part", tmp_path / "camera")
    assert not is_fresh(root, "part", "prepare")
    after, reused = materialize(root, "part", "prepare")
    assert not reused
    assert after.content_hash != before.content_hash
    assert (root / "data/prepare/part/all.txt").read_text() == "ALPHA\nBETA\nGAMMA\n"


def test_the_stages_that_will_run_are_the_first_stale_one_and_all_after_it(root: Path) -> None:
    assert stale_stages(root, "part", "prepare") == ("ingest", "validate", "prepare")
    materialize(root, "part", "prepare")
    assert stale_stages(root, "part", "prepare") == ()
    write(root / "stage.py", f"{STAGE_PY}\n# changed\n")
    assert stale_stages(root, "part", "prepare") == ("prepare",)
    assert stale_stages(root, "part", "ingest") == ()


def test_the_files_of_the_last_preparation_are_counted_without_looking_at_them(root: Path) -> None:
    assert locked_files(root, "part") is None
    materialize(root, "part", "prepare")
    assert locked_files(root, "part") == 1  # all.txt


def test_a_deleted_output_comes_back_from_the_cache_without_running_its_stage(root: Path) -> None:
    made, _ = materialize(root, "part", "prepare")
    (root / "data/prepare/part/all.txt").unlink()
    back, reused = materialize(root, "part", "prepare")
    assert (back, reused) == (made, True)
    assert (root / "data/prepare/part/all.txt").exists()


def test_a_stage_keeps_the_console_quiet_and_leaves_a_log(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    materialize(root, "part", "ingest")
    assert capfd.readouterr() == ("", "")
    assert "noise" in (root / ".defectloop/logs/ingest-part.log").read_text()


def test_the_stages_own_error_arrives_with_its_class_and_code(root: Path) -> None:
    write(root / "params/stations/part.yaml", "mode: known\n")
    with pytest.raises(DataError, match=r"7\.png has no mask") as caught:
        materialize(root, "part", "prepare")
    assert (caught.value.code, caught.value.exit_code) == ("E101", 3)
    write(root / "params/stations/part.yaml", "mode: fine\n")
    assert materialize(root, "part", "prepare")[0].content_hash  # an old error is not told again


def test_a_crash_is_told_with_the_last_lines_and_the_log(root: Path) -> None:
    write(root / "params/stations/part.yaml", "mode: crash\n")
    with pytest.raises(StoreError, match="the last words") as caught:
        materialize(root, "part", "ingest")
    assert "ingest-part.log" in str(caught.value)


def test_progress_of_the_stage_is_heard_while_it_works(root: Path) -> None:
    write(root / "params/stations/part.yaml", "mode: slow\n")
    heard: list[tuple[int, int]] = []
    materialize(root, "part", "ingest", progress=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 2)]


def test_it_works_from_a_thread_as_an_orchestrator_calls_it(root: Path) -> None:
    found: list[str] = []
    thread = threading.Thread(
        target=lambda: found.append(materialize(root, "part", "ingest")[0].stage)
    )
    thread.start()
    thread.join()
    assert found == ["ingest"]


def test_the_environment_is_as_before_afterwards(root: Path) -> None:
    before = dict(os.environ)
    materialize(root, "part", "ingest")
    assert dict(os.environ) == before


def test_an_unchanged_folder_is_adopted_once(root: Path, tmp_path: Path) -> None:
    digest = raw_digest(root, "part")
    assert digest.endswith(".dir")
    assert not adopt(root, "part", tmp_path / "camera")
    write(tmp_path / "camera/.DS_Store", "hidden")
    assert not adopt(root, "part", tmp_path / "camera")
    (root / "data/raw/part/a.txt").write_text("tampered\n")
    assert adopt(root, "part", tmp_path / "camera")
    assert raw_digest(root, "part") == digest


def test_a_folder_already_in_place_is_only_tracked(root: Path) -> None:
    write(root / "data/raw/second/x.txt", "x")
    assert adopt(root, "second", root / "data/raw/second")
    assert (root / "data/raw/second.dvc").exists()
    assert (root / "data/raw/second/x.txt").read_text() == "x"


def test_registering_keeps_the_comment_and_happens_once(root: Path) -> None:
    assert register_station(root, "second")
    assert not register_station(root, "second")
    assert (root / "params/pipeline.yaml").read_text() == (
        "# Stations.\nstations:\n- part\n- second\nfetched: []\n"
    )


def test_the_commit_says_when_tracked_files_differ_from_it(root: Path) -> None:
    clean = git_sha(root)
    assert len(clean) == 40
    write(root / "params/stations/part.yaml", "mode: other\n")
    assert git_sha(root) == clean + "+dirty"


def test_errors_say_what_to_do(root: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"E166.*ingest PATH"):
        materialize(root, "nobody", "ingest")
    register_station(root, "second")
    write(root / "params/stations/second.yaml", "mode: fine\n")
    with pytest.raises(StoreError, match=r"E164.*no raw images"):
        materialize(root, "second", "ingest")
    with pytest.raises(StoreError, match=r"E163.*never made"):
        version(root, "part", "prepare")
    with pytest.raises(StoreError, match=r"E164.*not a folder"):
        adopt(root, "part", tmp_path / "nowhere")
    with pytest.raises(StoreError, match=r"E160.*git init"):
        git_sha(tmp_path)
    write(root / "params/stations/part.yaml", "other: 1\n")
    with pytest.raises(StoreError, match=r"E162.*mode.*missing"):
        materialize(root, "part", "ingest")


def test_a_folder_without_dvc_says_dvc_init(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(StoreError, match=r"E161.*dvc init"):
        track(tmp_path, write(tmp_path / "x.txt", "x"))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Moto's server with a bucket ``lake``; yields its address."""
    from moto.server import ThreadedMotoServer

    from components.stores.objects import ObjectStore

    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    ObjectStore("lake", endpoint_url=address).create_bucket_if_absent()
    yield address
    server.stop()


def test_bytes_reach_a_clone_on_another_path_through_s3(
    root: Path, tmp_path: Path, s3: str
) -> None:
    made, _ = materialize(root, "part", "prepare")
    set_remote(root, "s3://lake/dvc", endpoint_url=s3)
    assert push(root) > 0
    git(root, "add", "-A")
    git(root, "commit", "-qm", "made")
    clone = tmp_path / "elsewhere" / "clone"
    git(tmp_path, "clone", "-q", str(root), str(clone))
    assert not (clone / ".dvc/config.local").exists()
    set_remote(clone, "s3://lake/dvc", endpoint_url=s3)
    pull(clone, ("data/raw/part.dvc",))
    assert (clone / "data/raw/part/a.txt").read_text() == "alpha\n"
    pull(clone)
    assert is_fresh(clone, "part", "prepare")
    again, reused = materialize(clone, "part", "prepare")
    assert reused
    assert again.content_hash == made.content_hash
    write(clone / "params/stations/part.yaml", "mode: 'fine again'\n")
    remade, reused = materialize(clone, "part", "ingest")
    assert not reused
    assert remade.content_hash == version(root, "part", "ingest").content_hash


def test_the_command_line_sees_the_same_state(root: Path) -> None:
    materialize(root, "part", "prepare")
    command = [str(Path(sys.executable).with_name("dvc")), "status", "--json", "prepare@part"]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "{}"
