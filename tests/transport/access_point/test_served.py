"""The endpoint as a node serves it: gunicorn with threads, in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from django.db import connection
from urllib3.connection import HTTPConnection

from testbed.node import PROJECT
from testbed.services import free_port
from transport.access_point import http_client, outbound
from transport.access_point.models import InboundTransfer, TransferEvent

from .build import a_transfer

pytestmark = pytest.mark.xdist_group("federation")


@pytest.fixture
def served(world, federation, settings):
    """The endpoint's URL; what SMP says of this access point leads there. Its log is `log_of`."""
    port = free_port()
    database = urlsplit(os.environ["SDK_DATABASE_URL"])
    environment = {
        **os.environ,
        **federation.environment(),
        "SDK_DATABASE_URL": database._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        "SDK_DATA_DIR": str(settings.MEDIA_ROOT.parent),
        "SDK_WORK_DIR": str(settings.SDK_WORK_DIR),
        "SDK_ACCESS_POINT_KEY": settings.SDK_ACCESS_POINT_KEY,
        "SDK_ACCESS_POINT_CERTIFICATE": settings.SDK_ACCESS_POINT_CERTIFICATE,
        "SDK_TLS_CLIENT_HEADER": settings.SDK_TLS_CLIENT_HEADER,
    }
    arguments = ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4"]
    arguments += ["--no-control-socket", "--log-level", "warning"]
    with log_of(settings).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "sdkportal.wsgi_access_point:application", *arguments],
            cwd=PROJECT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    url = f"http://localhost:{port}"
    try:
        wait_for(f"{url}/halsa/", process)
        world.federation.add_access_point(world.access_point, f"{url}/as4")
        yield f"{url}/as4"
    finally:
        process.terminate()
        process.wait(15)


def log_of(settings) -> Path:
    """What the served endpoint writes."""
    return Path(settings.MEDIA_ROOT.parent / "access-point.log")


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise AssertionError("gunicorn did not start")


def test_a_large_message_to_somebody_not_served_gets_the_answer_not_a_broken_line(world, served):
    """The refusal is known long before the sender has sent it all."""
    stranger = world.party("annorstades", is_here=False)
    transfer = a_transfer(world, os.urandom(12_000_000), recipient=stranger)
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.cause) == ("FAILED", "not-serviced")
    assert TransferEvent.objects.get(kind="REFUSED").recipient == stranger.participant.value


def test_a_message_in_chunks_is_taken(peer, served):
    """Without a Content-Length, as Java's HTTP clients send what they stream."""
    content = os.urandom(300_000)
    message, packed = peer.pack(content)
    with packed:
        headers = {"Content-Type": packed.content_type}
        response = requests.post(served, data=packed.chunks(), headers=headers, timeout=30)
    assert response.status_code == 200
    assert b"NonRepudiationInformation" in response.content
    transfer = InboundTransfer.objects.get()
    assert (transfer.as4_message_id, transfer.size) == (message.message_id, len(content))


@pytest.mark.parametrize("connection_field", ["keep-alive", "close"])
def test_a_simple_client_may_send_all_before_it_reads_the_refusal(peer, world, served, connection_field):
    """The refusal is known with the header; a client that is cut off while it sends never sees it."""
    stranger = world.party("annorstades", is_here=False)
    _, packed = peer.pack(os.urandom(30_000_000), final_recipient=stranger.participant)
    address = urlsplit(served)
    fields = {
        "Host": "localhost",
        "Content-Type": packed.content_type,
        "Content-Length": packed.content_length,
        "Connection": connection_field,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    with packed, socket.create_connection((address.hostname, address.port), timeout=30) as line:
        line.sendall(f"POST /as4 HTTP/1.1\r\n{head}\r\n".encode())
        for chunk in packed.chunks():
            line.sendall(chunk)
        answer = line.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"NOT_SERVICED" in answer + line.recv(65536)


def test_transfers_right_after_one_another_share_a_connection_and_later_ones_do_not(
    world, served, monkeypatch
):
    """A connection that has been idle may be about to be closed by the other side."""
    opened = []
    connect = HTTPConnection.connect

    def noted(self) -> None:
        if self.port == urlsplit(served).port:
            opened.append(self)
        connect(self)

    monkeypatch.setattr(HTTPConnection, "connect", noted)
    monkeypatch.setattr(http_client, "_connections", http_client._Connections())
    now = time.monotonic()
    monkeypatch.setattr(http_client.time, "monotonic", lambda: now)
    for _ in range(3):
        outbound.send(a_transfer(world).pk)
    assert len(opened) == 1
    now += http_client._REUSED_SECONDS + 0.1
    outbound.send(a_transfer(world).pk)
    assert len(opened) == 2
    assert InboundTransfer.objects.count() == 4
