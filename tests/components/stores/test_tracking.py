"""MLflow: half-written records are never found, models are registered once and load as code."""

import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import SealError, StoreError
from components.records import Calibration, DataVersion, Seal
from components.stores.flatten import MAX_KEY, MAX_VALUE, flatten, sound_key
from components.stores.tracking import Tracking

DATA = DataVersion(
    station="part", stage="prepare", content_hash="0" * 32 + ".dir", git_sha="abc", counts={}
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def tracking(store: Path) -> Tracking:
    return Tracking(f"sqlite:///{store}/mlflow.db", store / "artifacts")


@pytest.fixture
def client(store: Path, tracking: Tracking):  # type: ignore[no-untyped-def]
    from mlflow import MlflowClient

    uri = f"sqlite:///{store}/mlflow.db"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def artifacts(folder: Path, text: str = "result") -> Path:
    folder.mkdir(parents=True)
    (folder / "outcome.json").write_text(text)
    return folder


def record(tracking: Tracking, experiment: str, fingerprint: str, **changes: object) -> str:
    arguments: dict[str, object] = {
        "name": "patchcore/lite0",
        "kind": "fit",
        "fingerprint": fingerprint,
        "params": {"detector": {"kind": "patchcore", "coreset_ratio": 0.01}},
        "metrics": {"image_auroc": 0.97},
        "tags": {},
        "artifacts": None,
        "parent": None,
        "data": None,
    }
    return tracking.record(experiment, **(arguments | changes))  # type: ignore[arg-type]


# --- runs ---------------------------------------------------------------------------------------


def test_finished_work_is_found_by_fingerprint_and_kind_with_its_artifacts(
    tracking: Tracking, tmp_path: Path
) -> None:
    run_id = record(tracking, "found", "f1", artifacts=artifacts(tmp_path / "a"))
    found = tracking.find_finished("found", "f1", "fit")
    assert found is not None
    assert found.run_id == run_id
    assert (found.artifacts / "outcome.json").read_text() == "result"
    assert found.metrics == {"image_auroc": 0.97}
    assert tracking.find_finished("found", "f2", "fit") is None
    assert tracking.find_finished("found", "f1", "evaluation") is None
    assert tracking.find_finished("no such experiment", "f1", "fit") is None


def test_work_without_artifacts_is_found_too(tracking: Tracking) -> None:
    record(tracking, "bare", "f1")
    assert tracking.find_finished("bare", "f1", "fit") is not None


def test_work_whose_artifacts_are_gone_is_not_found(tracking: Tracking, tmp_path: Path) -> None:
    import shutil

    record(tracking, "gone", "f1", artifacts=artifacts(tmp_path / "a"))
    found = tracking.find_finished("gone", "f1", "fit")
    assert found is not None
    shutil.rmtree(found.artifacts)
    assert tracking.find_finished("gone", "f1", "fit") is None


def test_a_full_disk_leaves_a_failed_run_that_is_never_found(
    tracking: Tracking, tmp_path: Path, client, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("mlflow.MlflowClient.log_artifacts", full)
        with pytest.raises(StoreError, match=r"E171.*No space left"):
            record(tracking, "full", "f1", artifacts=artifacts(tmp_path / "a"))
    assert tracking.find_finished("full", "f1", "fit") is None
    (run,) = client.search_runs([client.get_experiment_by_name("full").experiment_id])
    assert run.info.status == "FAILED"
    record(tracking, "full", "f1", artifacts=tmp_path / "a")
    assert tracking.find_finished("full", "f1", "fit") is not None


def test_params_are_flat_and_the_data_version_is_a_dataset_of_the_run(
    tracking: Tracking, client
) -> None:  # type: ignore[no-untyped-def]
    parent = tracking.open_cycle("whole", "cycle 1", {"git_sha": "abc"}, {"profile": "quick"})
    run_id = record(tracking, "whole", "f1", parent=parent, data=DATA)
    run = client.get_run(run_id)
    assert run.data.params == {"detector.kind": "patchcore", "detector.coreset_ratio": "0.01"}
    assert run.data.tags["mlflow.parentRunId"] == parent
    (entry,) = run.inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("part/prepare", DATA.content_hash)
    assert json.loads(entry.dataset.source) == {"stage": "prepare@part", "git_sha": "abc"}


def test_more_params_than_one_call_takes_all_arrive(tracking: Tracking, client) -> None:  # type: ignore[no-untyped-def]
    many = {f"p{i}": i for i in range(250)}
    run_id = record(tracking, "many", "f1", params=many, metrics={f"m{i}": 0.5 for i in range(130)})
    run = client.get_run(run_id)
    assert (len(run.data.params), len(run.data.metrics)) == (250, 130)


def test_a_cycle_is_found_only_after_it_is_closed(tracking: Tracking, tmp_path: Path) -> None:
    run_id = tracking.open_cycle("cycles", "run 1", {"fingerprint": "c1"}, {})
    assert tracking.find_finished("cycles", "c1", "cycle") is None
    tracking.close_cycle(
        run_id, "FINISHED", {"wall_s": 1.0}, {"run_dir": "runs/1"}, artifacts(tmp_path / "run")
    )
    found = tracking.find_finished("cycles", "c1", "cycle")
    assert found is not None
    assert found.tags["run_dir"] == "runs/1"
    assert [f.run_id for f in tracking.history("cycles", "cycle")] == [run_id]


def test_a_run_left_by_a_killed_process_ends_as_killed_and_a_living_one_goes_on(
    tracking: Tracking, client
) -> None:  # type: ignore[no-untyped-def]
    living = tracking.open_cycle("stale", "mine", {}, {})
    dead = tracking.open_cycle("stale", "killed", {"pid": "4194305"}, {})  # above any pid
    elsewhere = tracking.open_cycle("stale", "far", {"pid": "4194305", "host": "another"}, {})
    assert tracking.mark_stale_running("stale") == 1
    status = [client.get_run(r).info.status for r in (living, dead, elsewhere)]
    assert status == ["RUNNING", "KILLED", "RUNNING"]


# --- flat params --------------------------------------------------------------------------------


def test_nested_params_become_dotted_and_long_values_keep_a_digest() -> None:
    flat = flatten({"a": {"b": 1, "c": [1, 2]}, "empty": {}, "long": "x" * 2000})
    assert flat["a.b"] == "1"
    assert flat["a.c"] == "[1, 2]"
    assert flat["empty"] == "{}"
    assert len(flat["long"]) <= MAX_VALUE
    assert "sha256:" in flat["long"]


@given(st.text(min_size=1, max_size=400), st.text(min_size=1, max_size=400))
def test_keys_are_short_and_sound(one: str, other: str) -> None:
    assert len(sound_key(one)) <= MAX_KEY
    long_one, long_other = "k" * 300 + one, "k" * 300 + other
    assert (sound_key(long_one) == sound_key(long_other)) == (one == other)


# --- models -------------------------------------------------------------------------------------


def model_folder(folder: Path, threshold: float = 0.5) -> Path:
    """A sealed model: the score is the image's mean, the map its mean over channels."""
    import onnx
    from onnx import TensorProto, helper
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    size = 8
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["pred_score"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["images"], ["anomaly_map"], axes=[1], keepdims=1),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["b", 3, size, size])],
        [
            helper.make_tensor_value_info("pred_score", TensorProto.FLOAT, ["b"]),
            helper.make_tensor_value_info("anomaly_map", TensorProto.FLOAT, ["b", 1, size, size]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(folder / "model.onnx"))
    save_file({"w": np.zeros(1, np.float32)}, folder / "model.safetensors")
    saved = {"image_size_px": size, "seed": 0, "params": {}}
    words = ("fingerprint", "data_version", "backbone", "weights_sha256", "code")
    (folder / "detector.json").write_text(json.dumps(saved | dict.fromkeys(words, "x")))
    Calibration(
        image_threshold=threshold,
        pixel_threshold=0.5,
        rule="fpr<=0.05",
        fpr=0.05,
        split="tune",
        num_scores=10,
    ).save(folder / "calibration.json")
    files = {p.name: sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}
    Seal(files=files).save(folder / "seal.json")
    return folder


TAGS = {"model_fingerprint": "m1", "git_sha": "abc", "data_version": "0.dir"}


def test_the_same_model_is_registered_once(tracking: Tracking, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    run_id = record(tracking, "once", "f1")
    assert tracking.register("once", folder, run_id, TAGS) == "1"
    assert tracking.register("once", folder, run_id, TAGS) == "1"
    assert tracking.register("once", folder, run_id, TAGS | {"model_fingerprint": "m2"}) == "2"
    first, second = tracking.versions("once")
    assert (first.version, second.version) == ("1", "2")
    assert first.tags == TAGS
    assert first.run_id == run_id


def test_two_runs_that_register_the_same_model_at_once_get_one_version(
    tracking: Tracking, tmp_path: Path
) -> None:
    folder = model_folder(tmp_path / "m")
    run_id = record(tracking, "race", "f1")
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(tracking.register, "race", folder, run_id, TAGS) for _ in range(2)]
        assert [job.result() for job in jobs] == ["1", "1"]
    assert len(tracking.versions("race")) == 1


def test_one_appended_byte_keeps_the_served_model_from_loading(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from components.stores.served_model import ServedDetector

    folder = model_folder(tmp_path / "m")
    context = SimpleNamespace(artifacts={"model": str(folder)})
    ServedDetector().load_context(context)
    with (folder / "model.onnx").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(SealError, match=r"model\.onnx"):
        ServedDetector().load_context(context)


def test_one_array_or_many_become_a_list_of_images() -> None:
    from components.stores.served_model import as_images

    grey, colour = np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.uint16)
    assert [i.shape for i in as_images(grey)] == [(4, 5)]
    assert [i.shape for i in as_images(colour)] == [(4, 5, 3)]
    assert [i.shape for i in as_images(np.zeros((2, 4, 5), np.uint8))] == [(4, 5)] * 2
    assert [i.shape for i in as_images(np.zeros((2, 4, 5, 3), np.uint8))] == [(4, 5, 3)] * 2
    assert [i.shape for i in as_images([grey, colour])] == [(4, 5), (4, 5, 3)]
    with pytest.raises(ValueError, match=r"float64 \(4, 5\)"):
        as_images([np.zeros((4, 5))])


def test_a_registered_model_holds_no_pickle(tracking: Tracking, tmp_path: Path) -> None:
    run_id = record(tracking, "sound", "f1")
    tracking.register("sound", model_folder(tmp_path / "m"), run_id, TAGS)
    found = tracking.find_finished("sound", "f1", "fit")
    assert found is not None
    names = {path.name for path in found.artifacts.rglob("*") if path.is_file()}
    assert {"model.onnx", "model.safetensors", "seal.json", "served_model.py"} <= names
    assert not {n for n in names if n.endswith((".pkl", ".pickle", ".pyc", ".pt", ".pth"))}


def test_the_alias_moves_only_from_where_the_gate_saw_it(
    tracking: Tracking, tmp_path: Path
) -> None:
    folder = model_folder(tmp_path / "m")
    run_id = record(tracking, "alias", "f1")
    for mark in ("m1", "m2", "m3"):
        tracking.register("alias", folder, run_id, {"model_fingerprint": mark})
    assert tracking.champion("alias") is None
    tracking.set_champion("alias", "1", expected_current=None, tags={"promoted_by": "me"})
    champion = tracking.champion("alias")
    assert champion is not None
    assert (champion.version, champion.tags["promoted_by"]) == ("1", "me")
    with pytest.raises(StoreError, match=r"E173.*is v1, not None"):
        tracking.set_champion("alias", "2", expected_current=None, tags={})
    tracking.set_champion("alias", "2", expected_current="1", tags={})
    tracking.set_champion(
        "alias", "2", expected_current="1", tags={}
    )  # a resumed run says it again
    assert [v.version for v in tracking.versions("alias") if v.is_champion] == ["2"]


def test_a_download_is_the_model_folder_byte_for_byte(tracking: Tracking, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    tracking.register("down", folder, record(tracking, "down", "f1"), TAGS)
    got = tracking.download("down", "1", tmp_path / "deep/got")
    again = tracking.download("down", "1", tmp_path / "deep/got")
    assert got == again == tmp_path / "deep/got"
    assert {p.name: p.read_bytes() for p in got.iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir()
    }
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["got"]


def test_registering_nothing_says_what_is_missing(tracking: Tracking, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"E172.*no such folder"):
        tracking.register("none", tmp_path / "absent", "run", TAGS)
    with pytest.raises(StoreError, match=r"E172.*model_fingerprint"):
        tracking.register("none", tmp_path, "run", {})


FRESH = """
import sys, numpy as np, mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_registry_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/fresh@champion")
light = np.full((6, 5), 255, np.uint8)
table = model.predict([light, np.zeros((8, 8, 3), np.uint8)])
assert [round(s, 4) for s in table.pred_score] == [1.0, 0.0], table
assert list(table.pred_label) == [1, 0]
assert list(table.image_threshold) == [1.0, 1.0]
(mapped,) = model.predict(light, params={"maps": True}).anomaly_map
assert mapped.shape == (6, 5)
import components.predict
print(components.predict.__file__)
print("torch" in sys.modules or "anomalib" in sys.modules)
"""


def test_the_champion_loads_in_a_fresh_process_elsewhere_from_its_own_code(
    tracking: Tracking, store: Path, tmp_path: Path
) -> None:
    folder = model_folder(tmp_path / "m", threshold=1.0)  # a score of exactly 1 is anomalous
    tracking.register("fresh", folder, record(tracking, "fresh", "f1"), TAGS)
    tracking.set_champion("fresh", "1", None, {})
    command = [sys.executable, "-c", textwrap.dedent(FRESH), f"sqlite:///{store}/mlflow.db"]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    where, heavy = told.stdout.split()
    assert str(store) in where  # the code that travelled with the model, not today's checkout
    assert heavy == "False"


QUIET = """
import sys
from pathlib import Path
from components.stores.tracking import Tracking
root = Path(sys.argv[1])
tracking = Tracking(f"sqlite:///{root}/mlflow.db", root / "artifacts")
run = tracking.record("q", name="n", kind="k", fingerprint="f", params={}, metrics={}, tags={},
                      artifacts=None, parent=None, data=None)
tracking.register("q", root / "m", run, {"model_fingerprint": "m"})
tracking.set_champion("q", "1", None, {})
"""


def test_a_new_store_a_record_and_a_registration_say_nothing(tmp_path: Path) -> None:
    model_folder(tmp_path / "m")
    command = [sys.executable, "-c", QUIET, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, cwd=Path.cwd())
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
