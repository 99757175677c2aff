"""Where a run executes: found, read once, and never part of a fingerprint."""

from pathlib import Path

import pytest

from components.errors import ParamsError
from flows.settings import load_settings


def workspace_like(folder: Path) -> Path:
    (folder / "params").mkdir(parents=True)
    (folder / "dvc.yaml").write_text("stages: {}\n")
    return folder


def test_the_workspace_is_found_from_a_folder_inside_it(tmp_path: Path) -> None:
    root = workspace_like(tmp_path / "plant")
    inside = root / "docs" / "deep"
    inside.mkdir(parents=True)
    assert load_settings(inside).root == root


def test_outside_a_workspace_the_error_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"E001 .*dvc\.yaml and params"):
        load_settings(tmp_path)


def test_state_and_tracking_live_inside_the_workspace_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings = load_settings(workspace_like(tmp_path / "plant"))
    assert settings.tracking_uri == f"sqlite:///{settings.root}/.defectloop/mlflow.db"


@pytest.mark.parametrize("text", ["0", "-1", "two"])
def test_a_senseless_number_of_workers_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFECTLOOP_WORKERS", text)
    with pytest.raises(ParamsError, match="E002"):
        load_settings(workspace_like(tmp_path / "plant"))


def test_features_are_kept_in_the_state_folder_within_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workspace_like(tmp_path)
    monkeypatch.setenv("DEFECTLOOP_FEATURES_BYTES", "1000")
    features = load_settings(root).features
    assert features is not None
    assert (features.folder, features.limit_bytes) == (root / ".defectloop/features", 1000)
    monkeypatch.setenv("DEFECTLOOP_FEATURES_BYTES", "0")
    assert load_settings(root).features is None
    monkeypatch.setenv("DEFECTLOOP_FEATURES_BYTES", "4 GB")
    with pytest.raises(ParamsError, match=r"E330 .*'4 GB' is no number of bytes"):
        load_settings(root)


def test_declared_memory_is_shared_by_the_processes_beside_the_one_that_orders_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workspace_like(tmp_path)
    assert load_settings(root).process_bytes is None
    monkeypatch.setenv("DEFECTLOOP_WORKERS", "2")
    monkeypatch.setenv("DEFECTLOOP_MEMORY_BYTES", "4600000000")
    assert load_settings(root).process_bytes == 2_000_000_000  # 0.6 GB stay with the parent
    monkeypatch.setenv("DEFECTLOOP_MEMORY_BYTES", "1000")
    assert load_settings(root).process_bytes == 0
    monkeypatch.setenv("DEFECTLOOP_MEMORY_BYTES", "much")
    with pytest.raises(ParamsError, match=r"E330 DEFECTLOOP_MEMORY_BYTES='much'"):
        load_settings(root)


def test_features_never_take_more_than_half_of_what_the_disk_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workspace_like(tmp_path)
    usage = type("Usage", (), {"free": 600})
    monkeypatch.setattr("flows.settings.shutil.disk_usage", lambda _: usage)
    features = load_settings(root).features
    assert features is not None
    assert features.limit_bytes == 300
