"""Large and hostile transfers against the endpoint as a node serves it: memory, time, what is left.

Memory is the process's own peak, as the kernel counts it.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from django.db import connection

from testbed.node import PROJECT
from tests.world import work_is_clean
from transport.access_point.models import InboundTransfer, TransferEvent

from .build import Peer, a_transfer
from .test_served import log_of, served

__all__ = ["served"]
pytestmark = pytest.mark.xdist_group("federation")
MEGABYTE = 1024 * 1024
LARGE = 100 * MEGABYTE
ALLOWED_GROWTH = 64 * MEGABYTE


class Memory:
    """The peak of a process and its children, from a moment on (`VmHWM`, reset by `clear_refs`)."""

    def __init__(self, pid: int) -> None:
        self._pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        for each in self._pids:
            Path(f"/proc/{each}/clear_refs").write_text("5")
        self.idle = {each: self._field(each, "VmRSS") for each in self._pids}

    def growth(self) -> int:
        """How far the process that grew most has grown over what it held when idle; bytes."""
        return max(self._field(each, "VmHWM") - self.idle[each] for each in self._pids)

    @staticmethod
    def _field(pid: int, name: str) -> int:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(name)


def pid_of(url: str) -> int:
    """The process that listens at the URL: gunicorn's first."""
    port = urlsplit(url).port
    found = [
        line.pid
        for line in psutil.net_connections("tcp")
        if line.status == psutil.CONN_LISTEN and line.laddr.port == port
    ]
    return min(pid for pid in found if pid)


def test_receiving_a_hundred_megabytes_takes_bounded_memory(peer, served, settings, tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    for path, size in ((small, 1000), (large, LARGE)):
        _message, packed = peer.pack(os.urandom(size))
        with packed, path.open("wb") as out:
            for chunk in packed.chunks():
                out.write(chunk)
        path.with_suffix(".type").write_text(packed.content_type)
    assert post(served, small) == 200
    memory = Memory(pid_of(served))
    assert post(served, large) == 200
    assert InboundTransfer.objects.order_by("-size")[0].size == LARGE
    assert memory.growth() < ALLOWED_GROWTH, f"{memory.growth() / MEGABYTE:.0f} MB"
    assert work_is_clean(settings.SDK_WORK_DIR)


def post(url: str, path: Path) -> int:
    with path.open("rb") as body:
        headers = {"Content-Type": path.with_suffix(".type").read_text()}
        return requests.post(url, data=body, headers=headers, timeout=120).status_code


def test_sending_a_hundred_megabytes_takes_bounded_memory(world, served, settings, federation):
    """The sender is a process of its own, as a worker is; it tells of its own peak."""
    transfers = [a_transfer(world, b"<envelope/>"), a_transfer(world, os.urandom(LARGE))]
    program = (
        "import sys, django; django.setup()\n"
        "from pathlib import Path\n"
        "from transport.access_point import outbound\n"
        "def field(name):\n"
        "    lines = Path('/proc/self/status').read_text().splitlines()\n"
        "    return int([line for line in lines if line.startswith(name)][0].split()[1]) * 1024\n"
        "outbound.send(sys.argv[1])\n"
        "Path('/proc/self/clear_refs').write_text('5')\n"
        "idle = field('VmRSS')\n"
        "outbound.send(sys.argv[2])\n"
        "sys.stdout.write(str(field('VmHWM') - idle))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *(str(transfer.pk) for transfer in transfers)],
        cwd=PROJECT,
        env=environment_of(world, settings, federation),
        capture_output=True,
        text=True,
        check=True,
    )
    for transfer in transfers:
        transfer.refresh_from_db()
        assert transfer.state == "DELIVERED"
    assert int(done.stdout.splitlines()[-1]) < ALLOWED_GROWTH
    assert work_is_clean(settings.SDK_WORK_DIR)


def environment_of(world, settings, federation) -> dict[str, str]:
    database = urlsplit(os.environ["SDK_DATABASE_URL"])
    return {
        **os.environ,
        **federation.environment(),
        "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
        "SDK_DATABASE_URL": database._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        "SDK_DATA_DIR": str(settings.MEDIA_ROOT.parent),
        "SDK_WORK_DIR": str(settings.SDK_WORK_DIR),
        "SDK_ACCESS_POINT_KEY": settings.SDK_ACCESS_POINT_KEY,
        "SDK_ACCESS_POINT_CERTIFICATE": settings.SDK_ACCESS_POINT_CERTIFICATE,
    }


def many_parts() -> Iterator[bytes]:
    yield part(b"<x/>", "application/soap+xml")
    for number in range(10_000):
        yield part(b"x", "application/octet-stream", f"Content-ID: <{number}>\r\n".encode())
    yield b"--b--\r\n"


def endless_headers() -> Iterator[bytes]:
    yield b"--b\r\n"
    for number in range(2_000_000):
        yield b"X-Header-%d: %s\r\n" % (number, b"x" * 50)


def half_a_message() -> Iterator[bytes]:
    yield part(b"<x/>", "application/soap+xml")
    yield b"--b\r\nContent-Type: application/octet-stream\r\n\r\n" + os.urandom(5 * MEGABYTE)


def endless_part() -> Iterator[bytes]:
    yield b"--b\r\nContent-Type: application/soap+xml\r\n\r\n"
    for _ in range(300):
        yield b"x" * MEGABYTE


def part(content: bytes, media_type: str, more: bytes = b"") -> bytes:
    return b"--b\r\nContent-Type: " + media_type.encode() + b"\r\n" + more + b"\r\n" + content + b"\r\n"


@pytest.mark.parametrize(
    "body", [many_parts, endless_headers, half_a_message, endless_part], ids=lambda body: body.__name__
)
def test_what_is_hostile_is_refused_in_bounded_memory_and_leaves_nothing(served, settings, body):
    memory = Memory(pid_of(served))
    begun = time.monotonic()
    answer = spoken(served, body())
    assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 4"))
    if answer.startswith(b"HTTP/1.1 200"):
        assert b"EBMS:" in answer
    assert time.monotonic() - begun < 60
    assert memory.growth() < ALLOWED_GROWTH, f"{memory.growth() / MEGABYTE:.0f} MB"
    assert not InboundTransfer.objects.exists()
    # Nothing shows who sent it: no event is kept, and the log line tells of it.
    assert not TransferEvent.objects.exists()
    assert re.search(r"transfer[ _]refused .*cause=", log_of(settings).read_text())
    assert work_is_clean(settings.SDK_WORK_DIR)
    assert not [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]


def spoken(url: str, body: Iterator[bytes], *, pause: float = 0.0) -> bytes:
    """Send a body in chunks of unknown length and give what is answered until the other side closes."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as line:
        line.sendall(
            b"POST /as4 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
            b'Content-Type: multipart/related; boundary=b; type="application/soap+xml"\r\n\r\n'
        )
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in body:
                line.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                if pause:
                    time.sleep(pause)
            line.sendall(b"0\r\n\r\n")
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while data := line.recv(65536):
                answer += data
        return answer


def test_a_gzip_that_unpacks_to_a_hundred_times_its_size_is_refused_in_bounded_memory(
    peer: Peer, world, served, settings
):
    """Zeros compress a thousand times; the limit is on what comes out."""
    _message, packed = peer.pack(bytes(LARGE * 2))
    with packed:
        body = b"".join(packed.chunks())
    assert len(body) < MEGABYTE
    memory = Memory(pid_of(served))
    answer = requests.post(served, data=body, headers={"Content-Type": packed.content_type}, timeout=60)
    assert b"EBMS:0303" in answer.content
    assert memory.growth() < ALLOWED_GROWTH
    assert not InboundTransfer.objects.exists()
    assert work_is_clean(settings.SDK_WORK_DIR)
