"""Trouble around an access point: a disk that is full, clocks that are wrong, DNS that is away. What was
not taken is not receipted, and goes through once when the trouble is over."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from django.utils import timezone

from testbed.node import PROJECT
from testbed.services import free_port
from tests.access_point.build import Peer, a_transfer
from tests.access_point.test_served import wait_for
from tests.access_point.test_size import environment_of
from tests.world import work_is_clean
from transport.access_point import sending
from transport.access_point.models import InboundTransfer, OutboundTransfer, TransferEvent
from transport.message_service.models import IncomingMessage

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
        assert answer.status_code == 500
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
        sending.send(transfer.pk)
    transfer.refresh_from_db()
    if transfer.state != "DELIVERED":
        # It could not judge our certificate by its clock, and said so: the message waits.
        assert transfer.state == "PENDING"
        assert not InboundTransfer.objects.exists()
        OutboundTransfer.objects.update(due_at=timezone.now())
        with serving(world, settings, federation) as url:
            world.federation.add_access_point(world.access_point, url)
            sending.send(transfer.pk)
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
    sending.send(transfer.pk)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.cause) == ("PENDING", "lookup-unavailable")
    assert transfer.due_at > timezone.now()
    settings.SDK_DNS_SERVERS = servers
    OutboundTransfer.objects.update(due_at=timezone.now())
    sending.send(transfer.pk)
    transfer.refresh_from_db()
    assert transfer.state == "DELIVERED"
    assert InboundTransfer.objects.count() == 1
    kinds = list(TransferEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["RESENDING", "SENT", "RECEIVED", "DELIVERED"]


def test_what_a_dead_access_point_left_is_swept_when_it_starts_again(world, settings, federation):
    left = Path(settings.SDK_WORK_DIR) / f"receiving.{os.uname().nodename}.999999999.{'0' * 32}"
    left.mkdir(parents=True)
    (left / "part-0").write_bytes(b"what was being read")
    with serving(world, settings, federation):
        assert not left.exists()
