"""S3 against moto's server, with a real boto3: what comes back is what was put."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from components.errors import SealError, StoreError
from components.stores.objects import ObjectStore


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def open_store(address: str, bucket: str = "weights") -> ObjectStore:
    return ObjectStore(
        bucket, endpoint_url=address, access_key_id="testing", secret_access_key="testing"
    )


@pytest.fixture
def store(address: str) -> ObjectStore:
    opened = open_store(address)
    opened.create_bucket_if_absent()
    return opened


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "lite0.pth"
    path.write_bytes(b"weights")
    return path


def test_a_bucket_is_created_once(address: str) -> None:
    fresh = open_store(address, "fresh")
    assert fresh.create_bucket_if_absent()
    assert not fresh.create_bucket_if_absent()


def test_a_file_comes_back_byte_for_byte(store: ObjectStore, weights: Path, tmp_path: Path) -> None:
    digest = store.put_file(weights, "a/lite0.pth")
    assert digest == sha256(b"weights").hexdigest() == store.digest("a/lite0.pth")
    got = store.get_file("a/lite0.pth", tmp_path / "deep/lite0.pth", sha256=digest)
    assert got.read_bytes() == b"weights"
    assert [p.name for p in got.parent.iterdir()] == ["lite0.pth"]  # no half file beside it


def test_keys_are_listed_by_prefix(store: ObjectStore, weights: Path) -> None:
    for key in ("runs/2", "runs/1", "other"):
        store.put_file(weights, key)
    assert store.keys("runs/") == ("runs/1", "runs/2")
    assert store.exists("other")
    assert not store.exists("absent")
    assert store.digest("absent") is None


def test_changed_bytes_are_refused_and_the_old_file_stays(
    store: ObjectStore, weights: Path, tmp_path: Path
) -> None:
    digest = store.put_file(weights, "changed")
    store._client.put_object(
        Bucket="weights", Key="changed", Body=b"weightsX", Metadata={"sha256": digest}
    )
    here = tmp_path / "here.pth"
    here.write_bytes(b"old")
    with pytest.raises(SealError, match="E178"):
        store.get_file("changed", here)
    assert here.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []


def test_the_same_bytes_are_not_sent_twice(store: ObjectStore, weights: Path) -> None:
    store.put_file(weights, "once")
    stamp = store._client.head_object(Bucket="weights", Key="once")["ETag"]
    sent: list[str] = []
    store._client.meta.events.register("before-call.s3.PutObject", lambda **_: sent.append("put"))
    store.put_file(weights, "once")
    assert sent == []
    weights.write_bytes(b"other weights")
    store.put_file(weights, "once")
    assert sent == ["put"]
    assert store._client.head_object(Bucket="weights", Key="once")["ETag"] != stamp


def test_errors_name_the_object_and_the_address(
    store: ObjectStore, address: str, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=r"E177 s3://weights/absent .*http"):
        store.get_file("absent", tmp_path / "x")
    with pytest.raises(StoreError, match="E176"):
        store.put_file(tmp_path / "nothing", "x")
    with pytest.raises(StoreError, match=r"E179 s3://nobucket at http"):
        open_store(address, "nobucket").keys()
    with pytest.raises(StoreError, match="E179"):
        open_store("http://127.0.0.1:9").create_bucket_if_absent()
