"""Trouble around an access point: a disk that is full, clocks that are wrong, DNS and SMP that are away,
senders that are slow. What was not taken is not receipted, and goes through once when the trouble is over."""

import contextlib
import os
import resource
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from django.utils import timezone

from mailbox.models import Message
from testbed.node import PROJECT
from testbed.services import free_port
from tests.world import work_is_clean
from transport.access_point import outbound
from transport.access_point.models import InboundTransfer, OutboundTransfer, TransferEvent
from transport.federation import lookup
from transport.federation.models import CachedAnswer
from transport.message_service import inbound
from transport.message_service import orders as sending_orders
from transport.message_service import outbound as message_service_outbound
from transport.message_service.models import IncomingMessage, OutgoingMessage

from .build import Peer, a_transfer
from .test_served import wait_for
from .test_size import environment_of

pytestmark = pytest.mark.xdist_group("federation")
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@contextmanager
def serving(world, settings, federation, *, limit: int | None = None, **variables: str) -> Iterator[str]:
    """The endpoint in a process of its own, where no file may grow beyond `limit` bytes."""
    port = free_port()
    arguments = ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4"]

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "sdkportal.wsgi_access_point:application", *arguments),
            *("--no-control-socket", "--log-level", "warning", "--worker-tmp-dir", "/dev/shm"),
        ],
        cwd=PROJECT,
        env={**environment_of(world, settings, federation), **variables},
        preexec_fn=limited,
    )
    try:
        wait_for(f"http://localhost:{port}/halsa/", process)
        yield f"http://localhost:{port}/as4"
    finally:
        process.terminate()
        process.wait(15)


@pytest.mark.parametrize("limit", [100_000, 1_500_000], ids=["while it is read", "while it is unpacked"])
def test_a_disk_that_is_full_takes_nothing_and_leaves_nothing(peer: Peer, world, settings, federation, limit):
    """The kernel refuses to write more: half of what is unpacked here came over the line."""
    _, packed = peer.pack(os.urandom(1_000_000).hex().encode())
    with packed:
        body = b"".join(packed.chunks())
        headers = {"Content-Type": packed.content_type}
        with serving(world, settings, federation, limit=limit) as url:
            answer = requests.post(url, data=body, headers=headers, timeout=30)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "60"
        assert b"Receipt" not in answer.content
        assert not InboundTransfer.objects.exists()
        assert work_is_clean(settings.SDK_WORK_DIR)
        assert not [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]
        with serving(world, settings, federation) as url:
            again = requests.post(url, data=body, headers=headers, timeout=30)
    assert b"NonRepudiationInformation" in again.content
    assert InboundTransfer.objects.count() == IncomingMessage.objects.count() == 1


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
def test_a_receiver_whose_clock_is_an_hour_off_takes_a_message_once(world, settings, federation, offset):
    if FAKETIME is None:
        pytest.fail("libfaketime is needed: scripts/install faketime")
    transfer = a_transfer(world)
    wrong = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": offset}
    with serving(world, settings, federation, **wrong) as url:
        world.federation.add_access_point(world.access_point, url)
        outbound.send(transfer.pk)
    transfer.refresh_from_db()
    if transfer.state != "DELIVERED":
        # It could not judge our certificate by its clock, and said so: the message waits.
        assert transfer.state == "PENDING"
        assert not InboundTransfer.objects.exists()
        OutboundTransfer.objects.update(due_at=timezone.now())
        with serving(world, settings, federation) as url:
            world.federation.add_access_point(world.access_point, url)
            outbound.send(transfer.pk)
        transfer.refresh_from_db()
    assert transfer.state == "DELIVERED"
    assert InboundTransfer.objects.count() == IncomingMessage.objects.count() == 1


@pytest.mark.parametrize("hours", [1, -1])
def test_a_sender_whose_clock_is_an_hour_off_is_taken(peer: Peer, hours):
    message, packed = peer.pack(timestamp=timezone.now() + timedelta(hours=hours))
    with packed:
        assert peer.post(packed).status_code == 200
    assert InboundTransfer.objects.get().as4_message_id == message.message_id


def test_a_message_waits_while_dns_is_away_and_goes_once_it_answers(world, settings):
    transfer = a_transfer(world)
    servers = settings.SDK_DNS_SERVERS
    settings.SDK_DNS_SERVERS = [f"127.0.0.1:{free_port()}"]
    settings.SDK_HTTP_TIMEOUT_SECONDS = 1
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.cause) == ("PENDING", "lookup-unavailable")
    assert transfer.due_at > timezone.now()
    settings.SDK_DNS_SERVERS = servers
    OutboundTransfer.objects.update(due_at=timezone.now())
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    assert transfer.state == "DELIVERED"
    assert InboundTransfer.objects.count() == 1
    kinds = list(TransferEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["RESENDING", "SENT", "RECEIVED", "DELIVERED"]


@pytest.mark.parametrize(
    ("limit", "pause"),
    [("SDK_AS4_SILENCE_SECONDS", None), ("SDK_AS4_RECEIVE_SECONDS", 0.2)],
    ids=["falls silent", "sends a byte now and then"],
)
def test_a_slow_sender_is_cut_off_without_a_proxy_too(world, settings, federation, limit, pause):
    """It would keep a thread of the server: it is answered 408, its connection is closed, nothing is left."""
    with serving(world, settings, federation, **{limit: "1"}) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=20) as line:
            line.sendall(
                b"POST /as4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
                b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"
                b"Content-Type: application/soap+xml\r\n\r\n<half"
            )
            with contextlib.suppress(OSError):
                for _ in range(75 if pause is not None else 0):
                    if select.select([line], [], [], pause)[0]:
                        break
                    line.sendall(b"x")
            answer = line.recv(65536)
            assert answer.startswith(b"HTTP/1.1 408 ")
            with contextlib.suppress(ConnectionResetError):
                assert b"".join(iter(lambda: line.recv(65536), b"")) == b""
    assert not TransferEvent.objects.exists()
    assert not InboundTransfer.objects.exists()
    assert work_is_clean(settings.SDK_WORK_DIR)


def test_a_message_waits_while_smp_is_away_and_goes_once_it_answers(world, settings, monkeypatch):
    """What DNS says leads nowhere: neither sealing nor sending gives up, and nothing is sent twice."""
    message_id = sending_orders.order(world.message(), actor="test")
    with monkeypatch.context() as away:
        nowhere = f"http://localhost:{free_port()}/smp"
        away.setattr(lookup, "_smp_of", lambda participant: nowhere)
        message_service_outbound.seal_and_submit(OutgoingMessage.objects.get().pk)
        row = OutgoingMessage.objects.get()
        assert (row.state, row.cause) == ("SCHEDULED", "lookup-unavailable")
        assert row.due_at > timezone.now()
    OutgoingMessage.objects.update(due_at=timezone.now())
    message_service_outbound.seal_and_submit(row.pk)
    assert OutgoingMessage.objects.get().state == "SUBMITTED"
    CachedAnswer.objects.all().delete()
    with monkeypatch.context() as away:
        away.setattr(lookup, "_smp_of", lambda participant: nowhere)
        transfer = OutboundTransfer.objects.get()
        outbound.send(transfer.pk)
        transfer.refresh_from_db()
        assert (transfer.state, transfer.cause) == ("PENDING", "lookup-unavailable")
        assert not InboundTransfer.objects.exists()
    OutboundTransfer.objects.update(due_at=timezone.now())
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    assert transfer.state == "DELIVERED"
    CachedAnswer.objects.filter(expires_at__gt=timezone.now()).delete()
    with monkeypatch.context() as away:
        # The recipient cannot judge who sent it: it waits too, and gives no answer.
        away.setattr(lookup, "_smp_of", lambda participant: nowhere)
        incoming = IncomingMessage.objects.get()
        inbound.process(incoming.pk)
        incoming.refresh_from_db()
        assert (incoming.state, incoming.cause) == ("ARRIVED", "lookup-unavailable")
        assert OutgoingMessage.objects.count() == 1
    IncomingMessage.objects.update(due_at=timezone.now())
    world.pump()
    assert OutgoingMessage.objects.get(message_id=message_id).state == "ACCEPTED"
    assert Message.objects.filter(message_id=message_id, direction="in").count() == 1
    assert IncomingMessage.objects.filter(message_id=message_id, is_accepted=True).count() == 1
    assert work_is_clean(settings.SDK_WORK_DIR)


def test_what_a_dead_access_point_left_is_swept_when_it_starts_again(world, settings, federation):
    left = Path(settings.SDK_WORK_DIR) / f"receiving.{os.uname().nodename}.999999999.{'0' * 32}"
    left.mkdir(parents=True)
    (left / "part-0").write_bytes(b"what was being read")
    with serving(world, settings, federation):
        assert not left.exists()
