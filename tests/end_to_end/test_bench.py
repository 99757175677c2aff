"""A study from the command line: its figures are written, and the champion stays where it was."""

import json
import shutil
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from components.stores.tracked import Registered
from components.stores.tracking import Tracking
from tests.factories import defectloop, part_folder, workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bench")]

STUDY = {
    "name": "tiny",
    "title": "Tiny",
    "stations": ["parts", "magnetic_tile"],
    "detectors": ["patchcore", "padim"],
    "seeds": [0],
    "held_out": 0.2,
    "profiles": {"quick": {"latency_runs": 10, "batches": [1, 2]}, "full": {}},
}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = workspace(tmp_path_factory.mktemp("bench") / "plant")
    folder = part_folder(tmp_path_factory.mktemp("images") / "parts", num_defective=6)
    done = defectloop(root, "ingest", str(folder), "--station", "parts")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("patchcore", "padim"):
        path = root / f"params/models/{name}.yaml"
        values = yaml.safe_load(path.read_text()) | {"image_size_px": 64}
        path.write_text(yaml.safe_dump(values))
    (root / "params/studies/tiny.yaml").write_text(yaml.safe_dump(STUDY))
    return root


def registry(root: Path) -> tuple[Registered, ...]:
    state = root / ".defectloop"
    return Tracking(f"sqlite:///{state / 'mlflow.db'}", state / "artifacts").versions("parts")


@pytest.fixture(scope="module")
def champion(plant: Path) -> tuple[Registered, ...]:
    """A champion that stood before the study."""
    state = plant / ".defectloop"
    tracking = Tracking(f"sqlite:///{state / 'mlflow.db'}", state / "artifacts")
    model = plant.parent / "model"
    model.mkdir()
    (model / "model.onnx").write_bytes(b"weights")
    run = tracking.open_cycle("parts", "run", {}, {})
    tracking.register("parts", model, run, {"model_fingerprint": "f" * 64})
    tracking.set_champion("parts", "1", None, {})
    shutil.rmtree(model)
    return registry(plant)


@pytest.fixture(scope="module")
def done(plant: Path, champion: tuple[Registered, ...]) -> "subprocess.CompletedProcess[str]":
    return defectloop(plant, "bench", "params/studies/tiny.yaml", "--json")


def test_a_study_runs_what_it_can_and_says_what_it_left_out(
    done: "subprocess.CompletedProcess[str]",
) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["protocol"] == "paper"
    assert [cell["state"] for cell in answer["cells"]] == ["done", "done"]
    assert [s["what"] for s in answer["skipped"]] == ["magnetic_tile"]
    assert [[m["batch"] for m in x["measured"]] for x in answer["latencies"]] == [[1, 2], [1, 2]]


def test_it_leaves_parquet_tables_and_a_page(
    plant: Path, done: "subprocess.CompletedProcess[str]"
) -> None:
    (run,) = (plant / "runs").glob("*-bench-tiny")
    figures = pq.read_table(run / "cells.parquet").to_pylist()
    assert {row["protocol"] for row in figures} == {"paper"}
    assert {row["detector"] for row in figures} == {"patchcore", "padim"}
    assert (run / "study.html").is_file()
    assert (run / "tables/image_auroc.tex").is_file()


def test_the_registry_and_the_champion_are_as_they_were(
    plant: Path, champion: tuple[Registered, ...], done: "subprocess.CompletedProcess[str]"
) -> None:
    assert done.returncode == 0
    assert [version.is_champion for version in champion] == [True]
    assert registry(plant) == champion
    assert not (plant / ".defectloop/promotions").exists()
