"""The whole cycle on a folder of small parts, with no network but loopback.

One workspace lives through what happens to a station: a run is killed, resumed, repeated with
nothing changed, and its champion serves another process.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.factories import command_environment, defectloop, part_folder, tiny_study, workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cycle")]

# Brings loopback up in a network namespace of its own, then becomes the command.
LOOPBACK_ONLY = (
    "import fcntl, os, socket, struct, sys\n"
    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 0x1 | 0x40))\n"  # SIOCSIFFLAGS: up, running
    "os.execvp(sys.argv[1], sys.argv[1:])\n"
)
UNSHARE = ["unshare", "--map-root-user", "--net"]
ISOLATED = [*UNSHARE, sys.executable, "-c", LOOPBACK_ONLY]


def isolation_works() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*ISOLATED, "true"], capture_output=True).returncode == 0


def start(root: Path, *words: str) -> subprocess.Popen[str]:
    """Start a run without any network but loopback, where the system allows a namespace."""
    prefix = ISOLATED if isolation_works() else []
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "flows.cli", *words],
        cwd=root,
        env=command_environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finished(root: Path, kind: str) -> Counter[str]:
    """Fingerprints of finished MLflow runs of a kind, with how often each was recorded."""
    query = (
        "select f.value from runs r join tags k on k.run_uuid = r.run_uuid and k.key = 'kind' "
        "join tags f on f.run_uuid = r.run_uuid and f.key = 'fingerprint' "
        "where r.status = 'FINISHED' and k.value = ?"
    )
    path = root / ".defectloop" / "mlflow.db"
    if not path.is_file():
        return Counter()
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as store:
            return Counter(row[0] for row in store.execute(query, (kind,)))
    except sqlite3.OperationalError:  # the store is being made
        return Counter()


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = workspace(tmp_path_factory.mktemp("cycle") / "plant")
    folder = part_folder(tmp_path_factory.mktemp("images") / "parts")
    done = defectloop(root, "ingest", str(folder), "--station", "parts")
    assert done.returncode == 0, done.stdout + done.stderr
    tiny_study(root, "parts")
    return root


@pytest.fixture(scope="module")
def killed(plant: Path) -> Counter[str]:
    """Kill the first run with -9 as soon as one trial is recorded; return what was finished."""
    run = start(plant, "run", "parts")
    deadline = time.monotonic() + 240
    while not finished(plant, "trial") and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert run.poll() is None, run.communicate()[0]
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    return finished(plant, "trial")


@pytest.fixture(scope="module")
def resumed(plant: Path, killed: Counter[str]) -> str:
    run = start(plant, "run", "parts")
    output, _ = run.communicate(timeout=420)
    assert run.returncode in (0, 11), output
    return output


def summary_of(root: Path) -> dict[str, object]:
    (path,) = sorted((root / "runs").glob("*/summary.json"))
    return json.loads(path.read_text(encoding="utf-8"))


def test_nothing_but_loopback_was_there() -> None:
    if not isolation_works():
        pytest.skip("this system allows no network namespace, so the run had the whole network")
    probe = "import socket; socket.create_connection(('192.0.2.1', 80), 2)"
    done = subprocess.run([*ISOLATED, sys.executable, "-c", probe], capture_output=True, text=True)
    assert "unreachable" in done.stderr


def test_a_killed_run_left_a_finished_trial(killed: Counter[str]) -> None:
    assert sum(killed.values()) >= 1


def test_the_resumed_run_takes_finished_trials_and_repeats_none(
    plant: Path, killed: Counter[str], resumed: str
) -> None:
    trials = finished(plant, "trial")
    assert set(killed) <= set(trials)
    assert set(trials.values()) == {1}


def test_the_run_ends_in_a_champion_with_a_verdict(plant: Path, resumed: str) -> None:
    summary = summary_of(plant)
    assert summary["outcome"] == "promoted", summary["verdict"]
    assert "PROMOTED" in resumed
    assert summary["champion_version"] == "1"


def test_every_printed_path_exists(plant: Path, resumed: str) -> None:
    (line,) = [line for line in resumed.splitlines() if line.startswith("Report")]
    assert (plant / line.split()[1]).is_file()


def test_the_report_set_shares_no_image_with_fit_and_tune(plant: Path, resumed: str) -> None:
    from components.data.manifest import read_manifest
    from components.records import Split

    folder = plant / "data" / "prepare" / "parts"
    manifest = read_manifest(folder / "manifest.parquet", folder)
    report = {r.image_id for r in manifest.of(Split.REPORT)}
    evaluated = {p["image_id"] for p in summary_of(plant)["evaluations"]["winner"]["predictions"]}
    (layout,) = (plant / ".defectloop" / "sets" / "parts").glob("*/fit_tune.parquet")
    seen = {r.image_id for r in read_manifest(layout, folder).records}
    assert evaluated == report
    assert not seen & report


def test_one_version_is_registered_after_kill_and_resume(plant: Path, resumed: str) -> None:
    with sqlite3.connect(plant / ".defectloop" / "mlflow.db") as store:
        (count,) = store.execute("select count(*) from model_versions").fetchone()
    assert count == 1


def test_the_version_names_everything_that_made_it(plant: Path, resumed: str) -> None:
    query = "select key, value from model_version_tags where name = 'parts'"
    with sqlite3.connect(plant / ".defectloop" / "mlflow.db") as store:
        tags = dict(store.execute(query).fetchall())
    summary = summary_of(plant)
    assert tags["decision_digest"] == summary["decision"]["digest"]
    assert tags["data_version"] == summary["lineage"]["data.prepare"]
    assert tags["weights_sha256"].startswith("5793")
    assert len(tags["git_sha"].removesuffix("+dirty")) == 40
    assert {"params_fingerprint", "lock_digest", "promotion_record"} <= set(tags)


def test_a_second_run_finds_nothing_to_do(plant: Path, resumed: str) -> None:
    done = defectloop(plant, "run", "parts")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("NOTHING TO DO.")


def test_a_machine_reads_the_unchanged_run_as_json(plant: Path, resumed: str) -> None:
    done = defectloop(plant, "run", "parts", "--json")
    answer = json.loads(done.stdout)
    assert answer["outcome"] == "unchanged"
    assert answer["champion_version"] == "1"


def test_a_changed_parameter_is_something_to_do(plant: Path, resumed: str) -> None:
    from components.station import load_station
    from flows.identity import cycle_fingerprint

    config = load_station(plant / "params", "parts")
    other = load_station(plant / "params", "parts", ("search.input_noise.high=0.06",))
    assert cycle_fingerprint(config, "quick", ("a",)) != cycle_fingerprint(other, "quick", ("a",))


def test_the_champion_serves_an_array_in_a_fresh_process(plant: Path, resumed: str) -> None:
    program = (
        "import sys, mlflow, numpy as np\n"
        "from PIL import Image\n"
        "mlflow.set_tracking_uri(sys.argv[1])\n"
        "model = mlflow.pyfunc.load_model('models:/parts@champion')\n"
        "good, bad = (np.asarray(Image.open(p)) for p in sys.argv[2:4])\n"
        "print('SCORES', *[float(model.predict(i)['pred_score'].iloc[0]) for i in (good, bad)])\n"
    )
    raw = plant / "data" / "raw" / "parts"
    uri = f"sqlite:///{plant / '.defectloop' / 'mlflow.db'}"
    done = subprocess.run(
        [sys.executable, "-c", program, uri, raw / "good/0.png", raw / "scratch/0.png"],
        capture_output=True,
        text=True,
        env=command_environment(plant),
        cwd=plant.parent,
    )
    assert done.returncode == 0, done.stderr
    good, bad = map(float, done.stdout.split("SCORES")[1].split())
    assert bad > good
