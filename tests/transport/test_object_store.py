"""An object store that does not answer is an `OSError` for whoever uses storage, within seconds."""

import io
import socket
from collections.abc import Iterator
from uuid import uuid4

import pytest
from botocore.config import Config
from django.core.files import File
from moto.server import ThreadedMotoServer

from testbed.services import free_port
from transport.storage import object_store
from transport.storage.errors import StorageUnavailable
from transport.storage.object_store import ObjectStore

CREDENTIALS = {"access_key": "test", "secret_key": "test", "region_name": "eu-north-1"}


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    bucket = f"payloads-{uuid4().hex[:8]}"
    made = ObjectStore(bucket_name=bucket, endpoint_url=f"http://{host}:{port}", **CREDENTIALS)
    made.connection.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"}
    )
    yield made
    server.stop()


def an_object_store_at(port: int) -> ObjectStore:
    return ObjectStore(bucket_name="payloads", endpoint_url=f"http://127.0.0.1:{port}", **CREDENTIALS)


USES = {
    "open": lambda store: store.open("folder/file", "rb"),
    "save": lambda store: store.save("folder/file", File(io.BytesIO(b"content"))),
    "delete": lambda store: store.delete("folder/file"),
    "exists": lambda store: store.exists("folder/file"),
    "listdir": lambda store: store.listdir("folder"),
    "size": lambda store: store.size("folder/file"),
    "get_modified_time": lambda store: store.get_modified_time("folder/file"),
}


def test_a_file_is_kept(store):
    assert store.save("folder/file", File(io.BytesIO(b"content"))) == "folder/file"
    with store.open("folder/file", "rb") as stored:
        assert stored.read() == b"content"
    assert store.exists("folder/file")
    assert store.listdir("folder") == ([], ["file"])
    assert store.size("folder/file") == 7
    store.delete("folder/file")
    assert not store.exists("folder/file")


@pytest.mark.parametrize("use", ["open", "size", "get_modified_time"])
def test_a_file_that_is_not_there_is_not_found(store, use):
    with pytest.raises(FileNotFoundError):
        USES[use](store)


def test_a_bucket_that_is_not_ours_is_an_error_of_the_store(store):
    store.bucket_name = "strange"
    with pytest.raises((StorageUnavailable, FileNotFoundError)):
        store.listdir("folder")


@pytest.mark.parametrize("use", USES)
def test_a_store_that_refuses_connections_is_unavailable(use):
    with pytest.raises(StorageUnavailable) as raised:
        USES[use](an_object_store_at(free_port()))
    assert "folder" not in str(raised.value)


@pytest.mark.parametrize("use", ["open", "save", "exists"])
def test_a_store_that_takes_connections_and_does_not_answer_is_unavailable(monkeypatch, use):
    limits = Config(read_timeout=0.2, retries={"mode": "standard", "total_max_attempts": 1})
    monkeypatch.setattr(object_store, "_LIMITS", limits)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(StorageUnavailable):
        USES[use](an_object_store_at(silent.getsockname()[1]))


def test_a_file_that_goes_before_it_is_read_is_not_found(store):
    store.save("folder/file", File(io.BytesIO(b"content")))
    with store.open("folder/file", "rb") as stored:
        store.delete("folder/file")
        with pytest.raises(FileNotFoundError):
            stored.read()


def test_a_request_waits_for_seconds_not_for_minutes():
    limits = an_object_store_at(1).client_config
    assert limits.connect_timeout + limits.read_timeout <= 15
    assert limits.retries["total_max_attempts"] == 2
