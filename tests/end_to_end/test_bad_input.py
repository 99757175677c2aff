"""Bad input ends in a clear error with its own exit code, and nothing is lost.

Files that are truncated, disguised or too large are in tests/components/data/test_ingest.py and
test_images.py, a full disk in tests/components/stores/test_tracking.py, a killed run in
test_cycle.py.
"""

import importlib.util
import shutil
from pathlib import Path

import pytest
from PIL import Image

from components.errors import WeightsError
from components.station import load_station
from flows.preflight import examine, require
from flows.settings import load_settings
from tests.factories import (
    ROOT,
    defectloop,
    edit_station,
    part_folder,
    part_image,
    tiny_study,
    workspace,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace(tmp_path_factory.mktemp("bad") / "plant")


def test_a_typo_in_a_station_file_names_the_key_and_the_valid_ones(root: Path) -> None:
    path = root / "params" / "stations" / "typo.yaml"
    text = (root / "params" / "stations" / "elpv.yaml").read_text(encoding="utf-8")
    text = text.replace("name: elpv", "name: typo").replace("num_per_kind", "num_per_knid")
    path.write_text(text, encoding="utf-8")
    done = defectloop(root, "run", "typo")
    assert done.returncode == 2
    assert "synthesize.num_per_knid" in done.stderr
    assert "num_per_kind" in done.stderr


def test_an_unknown_station_is_answered_with_the_known_ones(root: Path) -> None:
    done = defectloop(root, "run", "epvl")
    assert done.returncode == 2
    assert "elpv" in done.stderr


def test_a_setting_of_bytes_that_dvc_versions_is_refused_with_the_remedy(root: Path) -> None:
    done = defectloop(root, "run", "elpv", "--set", "split.seed=3")
    assert done.returncode == 2
    assert "E014" in done.stderr
    assert "Edit" in done.stderr


def test_a_folder_without_good_parts_makes_no_station(root: Path, tmp_path: Path) -> None:
    folder = part_folder(tmp_path / "parts", num_normal=0, num_defective=3)
    done = defectloop(root, "ingest", str(folder), "--station", "empty")
    assert done.returncode == 3
    assert "E10" in done.stderr
    assert not (root / "params" / "stations" / "empty.yaml").exists()


def test_weights_with_other_bytes_stop_the_run_before_it_starts(root: Path, tmp_path: Path) -> None:
    (tmp_path / "efficientnet-lite0-57934424.pth").write_bytes(b"not these")
    done = defectloop(root, "run", "elpv", DEFECTLOOP_WEIGHTS=str(tmp_path))
    assert done.returncode == 1
    assert "E132" in done.stderr
    assert not (root / "runs").exists()


def test_missing_weights_stop_the_run_and_say_how_to_get_them(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    settings = load_settings(root)
    config = load_station(settings.params_dir, "elpv")
    with pytest.raises(WeightsError, match=r"E131 .*Nothing is substituted.*pip install"):
        require(examine(settings, config))


def test_a_station_whose_folder_is_nowhere_says_where_it_looked(root: Path) -> None:
    done = defectloop(root, "run", "magnetic_tile")
    assert done.returncode == 2
    assert "E020" in done.stderr
    assert "DEFECTLOOP_DATA" in done.stderr


@pytest.mark.slow
def test_the_same_image_in_train_and_test_stops_with_a_table_of_files(tmp_path: Path) -> None:
    root = workspace(tmp_path / "plant")
    folder = tmp_path / "tiles"
    for place, count, defective in (("train/good", 20, False), ("test/scratch", 12, True)):
        (folder / place).mkdir(parents=True)
        for index in range(count):
            image = part_image(index + 10_000 * defective, defective=defective)
            Image.fromarray(image).save(folder / place / f"{index}.png")
    shutil.copy(folder / "train/good/3.png", folder / "test/scratch/copy.png")
    assert defectloop(root, "ingest", str(folder), "--station", "tiles").returncode == 0
    tiny_study(root, "tiles")
    done = defectloop(root, "run", "tiles")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "train/good/3.png" in done.stdout
    assert "test/scratch/copy.png" in done.stdout
    (summary,) = (root / "runs").glob("*/summary.json")
    assert '"bad_data"' in summary.read_text(encoding="utf-8")
    assert (summary.parent / "report.html").is_file()


def test_a_user_station_keeps_its_edits_when_its_images_are_ingested_again(
    tmp_path: Path,
) -> None:
    root = workspace(tmp_path / "plant")
    folder = part_folder(tmp_path / "parts", num_normal=12, num_defective=4)
    assert defectloop(root, "ingest", str(folder), "--station", "mine").returncode == 0
    edit_station(root, "mine", title="Mine, edited")
    Image.fromarray(part_image(77)).save(folder / "good" / "new.png")
    assert defectloop(root, "ingest", str(folder), "--station", "mine").returncode == 0
    text = (root / "params" / "stations" / "mine.yaml").read_text(encoding="utf-8")
    assert "Mine, edited" in text
    assert (root / "data" / "raw" / "mine" / "good" / "new.png").is_file()


def test_the_project_itself_is_a_workspace() -> None:
    assert load_settings(ROOT).root == ROOT
