"""The feature store: what is found is what was kept, and a folder never outgrows its limit."""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.models import feature_store as module
from components.models.feature_store import (
    FeatureStore,
    StoredMap,
    feature_store,
    images_that,
    saved_seconds,
    use_feature_store,
)

KEY = "ab" * 32


def a_map(value: float = 1.0, num: int = 250) -> StoredMap:
    """Four bytes a value: 250 of them are 1,000 bytes, and 1,169 with all that goes with them."""
    return StoredMap(np.full((num, 1, 1), value, np.float32), True, 0.25)


def key(number: int) -> str:
    return f"{number:02x}" * 32


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("??/*"))


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    last=st.booleans(),
    seconds=st.floats(0, 1e3),
    seed=st.integers(0, 99),
)
def test_what_was_kept_comes_back_to_the_bit(
    shape: tuple[int, ...], last: bool, seconds: float, seed: int, tmp_path_factory: object
) -> None:
    store = FeatureStore(tmp_path_factory.mktemp("features"), 10**6)  # type: ignore[attr-defined]
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    values[0, 0, 0] = np.nan
    store.put(KEY, StoredMap(values, last, seconds))
    found = FeatureStore(store.folder, 10**6).get(KEY)
    assert found is not None
    np.testing.assert_array_equal(found.values, values)
    assert (found.channels_last, found.seconds) == (last, seconds)


def test_an_entry_is_a_plain_npy_file_that_numpy_can_map(tmp_path: Path) -> None:
    FeatureStore(tmp_path, 10**6).put(KEY, a_map(3.0))
    mapped = np.load(tmp_path / "ab" / f"{KEY}.npy", mmap_mode="r", allow_pickle=False)
    assert mapped.shape == (250, 1, 1)
    assert float(mapped[7, 0, 0]) == 3.0


def test_what_was_never_kept_is_not_found(tmp_path: Path) -> None:
    assert FeatureStore(tmp_path / "not there yet", 10**6).get(KEY) is None


@pytest.mark.parametrize(
    "break_it",
    [
        lambda whole: whole[:-1],
        lambda whole: whole[:200],
        lambda whole: whole[:5],
        lambda whole: whole[:0],
        lambda whole: whole[:300] + bytes([whole[300] ^ 1]) + whole[301:],
        lambda whole: whole[:-41] + bytes([whole[-41] ^ 1]) + whole[-40:],
        lambda whole: whole + b"\0",
        lambda whole: b"PK" + whole[2:],
    ],
    ids=["a byte short", "half", "header", "empty", "a bit", "a note", "a byte more", "magic"],
)  # fmt: skip
def test_a_broken_entry_is_removed_and_counts_as_not_there(
    break_it: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FeatureStore(tmp_path, 10**6)
    store.put(KEY, a_map())
    (path,) = files(tmp_path)
    path.write_bytes(break_it(path.read_bytes()))  # type: ignore[operator]
    assert store.get(KEY) is None
    assert "E331" in caplog.text
    assert files(tmp_path) == []
    assert store.use.num_broken == 1


def test_a_write_that_dies_half_way_leaves_no_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(stream: object, stored: object) -> None:
        stream.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_write", die)
    with pytest.raises(KeyboardInterrupt):
        FeatureStore(tmp_path, 10**6).put(KEY, a_map())
    monkeypatch.undo()
    store = FeatureStore(tmp_path, 10**6)
    assert store.get(KEY) is None
    (left,) = files(tmp_path)
    assert left.suffix == ".part"
    assert store.size_bytes() == 0
    os.utime(left, (time.time() - 7200,) * 2)
    store.put(KEY, a_map())
    assert store.get(KEY) is not None
    assert left not in files(tmp_path)


def test_a_full_disk_stops_the_keeping_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(stream: object, stored: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    store = FeatureStore(tmp_path, 10**6)
    store.put(KEY, a_map())
    monkeypatch.undo()
    assert "E332" in caplog.text
    assert files(tmp_path) == []
    store.put(KEY, a_map())
    assert store.get(KEY) is None


def used_at(store: FeatureStore, number: int, when: float) -> None:
    os.utime(store.folder / key(number)[:2] / f"{key(number)}.npy", (when, when))


def test_those_used_longest_ago_make_room(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, 5_000)  # four of them, not five
    for number in range(4):
        store.put(key(number), a_map(number))
        used_at(store, number, 1000.0 + number)
    assert store.get(key(0)) is not None  # now the youngest
    store.put(key(4), a_map(4))
    kept = [number for number in range(5) if store.get(key(number)) is not None]
    assert kept == [0, 2, 3, 4]  # one had to go: 3 × 1,169 bytes leave room for the new one


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 600), min_size=1, max_size=30), limit=st.integers(500, 9000))
def test_the_folder_never_outgrows_its_limit(
    sizes: list[int], limit: int, tmp_path_factory: object
) -> None:
    store = FeatureStore(tmp_path_factory.mktemp("features"), limit)  # type: ignore[attr-defined]
    for number, num in enumerate(sizes):
        store.put(key(number), a_map(num=num))
        assert store.size_bytes() <= limit


def test_an_evicted_entry_stays_readable_for_who_mapped_it(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, 2_400)
    store.put(key(0), a_map(5.0))
    mapped = store.get(key(0))
    for number in range(1, 4):
        store.put(key(number), a_map())
    assert store.get(key(0)) is None
    assert mapped is not None
    assert float(mapped.values.sum()) == 1250.0


def write_and_read(folder: Path, offset: int) -> tuple[int, int]:
    """Keep and look for entries as a compute process does; count wrong and broken ones."""
    store, wrong = FeatureStore(folder, 20_000), 0
    for step in range(120):
        number = (offset + 7 * step) % 40
        found = store.get(key(number))
        if found is None:
            store.put(key(number), a_map(number))
        else:
            wrong += not bool((np.asarray(found.values) == number).all())
    return wrong, store.use.num_broken


def test_processes_share_a_folder_that_is_too_small_for_all(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("fork")) as pool:
        found = list(pool.map(write_and_read, [tmp_path] * 3, [0, 5, 11]))
    assert found == [(0, 0)] * 3
    assert FeatureStore(tmp_path, 20_000).size_bytes() <= 20_000 + 2 * 1_200  # one under way each


def test_images_that_do_not_come_again_are_not_remembered(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, 10**6)
    store.use.saved_s = 2.5
    use_feature_store(store)
    try:
        assert feature_store() is store
        with images_that(repeat=False):
            assert feature_store() is None
        assert feature_store() is store
        assert saved_seconds() == 2.5
    finally:
        use_feature_store(None)
    assert feature_store() is None
    assert saved_seconds() == 0
