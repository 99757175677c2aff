"""``defectloop ingest PATH`` on the layouts of data sets: what it says, writes and refuses."""

from pathlib import Path

import pytest
import yaml

from components.data.sections import load_sections
from flows.stages import run_stage
from tests.components.data.trees import autovi, pictures, visa, visa_row
from tests.factories import defectloop, workspace


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace(tmp_path_factory.mktemp("plant") / "plant")


def written(plant: Path, station: str) -> dict[str, object]:
    return yaml.safe_load((plant / f"params/stations/{station}.yaml").read_text())


def test_a_category_of_visa_becomes_a_station(plant: Path, tmp_path: Path) -> None:
    root = visa(tmp_path / "visa")
    rows = [visa_row("fryum", "train", f"000{i}") for i in range(3)]
    with (root / "split_csv/1cls.csv").open("a") as table:
        table.writelines(f"{row}\n" for row in rows)
    pictures(root, *(row.split(",")[3] for row in rows))

    unsaid = defectloop(plant, "ingest", str(root), "--station", "candles")
    assert unsaid.returncode == 3
    assert "E225" in unsaid.stderr
    assert "candle, fryum. Give one: --category NAME." in unsaid.stderr
    assert not (plant / "params/stations/candles.yaml").exists()

    said = defectloop(plant, "ingest", str(root), "--station", "candles", "--category", "candle")
    assert said.returncode == 0, said.stderr
    assert "layout     visa: split_csv/1cls.csv beside 2 folders with Data/Images" in said.stdout
    assert "images     3 normal · 1 anomalous" in said.stdout
    source = written(plant, "candles")["source"]
    assert source == {
        "kind": "visa",
        "path": None,
        "category": "candle",
        "split_csv": "split_csv/1cls.csv",
    }
    assert run_stage("ingest", "candles", plant) == 0


def test_an_object_of_autovi_keeps_its_defects_apart(plant: Path, tmp_path: Path) -> None:
    from components.data.manifest import read_manifest

    root = autovi(tmp_path / "wiring")
    done = defectloop(plant, "ingest", str(root), "--station", "wiring")
    assert done.returncode == 0, done.stderr
    assert "layout     autovi: one mask a defect, defects_config.json, 2 types" in done.stdout
    assert load_sections(plant / "params", "wiring").source.kind == "autovi"
    assert run_stage("ingest", "wiring", plant) == 0
    found = read_manifest(plant / "data/ingest/wiring/manifest.parquet", root)
    saturations = {r.defect_type: [d.saturation_px for d in r.defects] for r in found.records}
    assert saturations == {"good": [], "gap+screw": [6, 10], "screw": [1]}


def test_the_folder_of_all_objects_is_answered_with_the_right_one(
    plant: Path, tmp_path: Path
) -> None:
    autovi(tmp_path / "autovi/wiring")
    done = defectloop(plant, "ingest", str(tmp_path / "autovi"), "--station", "all")
    assert done.returncode == 3
    assert "wiring/ (autovi)" in done.stderr
