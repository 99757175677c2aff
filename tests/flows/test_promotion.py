"""Promotions leave a chain in which no record can be changed unseen."""

from pathlib import Path

import pytest

from components.stores.tracking import Tracking
from flows.promotion import chain_holds, promote, read_promotions
from flows.settings import Settings
from tests.components.test_promote import decision


class RegistryStub(Tracking):
    """Only the alias: registering real models is tests/components/stores/test_tracking.py."""

    def __init__(self) -> None:
        self.moves: list[tuple[str, str | None]] = []

    def set_champion(self, station, version, expected_current, tags) -> None:
        self.moves.append((version, expected_current))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        root=tmp_path, workers=1, data_folder=None, weight_folders=(), tracking_uri="",
        artifact_root=tmp_path, prefect_api_url=None, s3_endpoint=None, user="ada",
    )  # fmt: skip


def move(settings: Settings, registry: RegistryStub, version: str, current: str | None) -> None:
    promote(settings, registry, "elpv", version, current=current, decision=decision(), why="better")


def test_each_record_names_the_one_before_it(settings: Settings) -> None:
    registry = RegistryStub()
    move(settings, registry, "1", None)
    move(settings, registry, "2", "1")
    history = read_promotions(settings.state / "promotions" / "elpv.jsonl")
    assert [(r.from_version, r.to_version) for r in history] == [(None, "1"), ("1", "2")]
    assert registry.moves == [("1", None), ("2", "1")]
    assert chain_holds(history)


def test_a_changed_record_breaks_the_chain(settings: Settings) -> None:
    registry = RegistryStub()
    for version, current in (("1", None), ("2", "1")):
        move(settings, registry, version, current)
    first, second = read_promotions(settings.state / "promotions" / "elpv.jsonl")
    assert not chain_holds([first.model_copy(update={"why": "nicer"}), second])


def test_a_run_killed_between_record_and_move_completes_the_move_once(settings: Settings) -> None:
    move(settings, RegistryStub(), "1", None)
    registry = RegistryStub()
    move(settings, registry, "1", None)
    assert len(read_promotions(settings.state / "promotions" / "elpv.jsonl")) == 1
    assert registry.moves == [("1", None)]
