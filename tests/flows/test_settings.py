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
