"""Senders that are slow on purpose, straight at the access point: an honest one is served beside them."""

import shlex
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack

import pytest
import requests

from testbed.node import PROJECT
from testbed.services import free_port

pytestmark = pytest.mark.xdist_group("federation")
SLOW = 8


@pytest.fixture
def own_tls(federation) -> Generator[tuple[int, str], None, None]:
    """The command of the shipped unit, with TLS of its own and one process; its port and the CA's file."""
    unit = (PROJECT / "deploy" / "systemd" / "sdkportal-access-point.service").read_text()
    (command,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    _, *arguments = shlex.split(command.removeprefix("ExecStart="))
    port, server = free_port(), federation.tls_files("localhost")
    arguments[arguments.index("--bind") + 1] = f"127.0.0.1:{port}"
    arguments[arguments.index("--workers") + 1] = "1"
    arguments += ["--keyfile", str(server.key), "--certfile", str(server.certificate), "--log-level", "error"]
    process = subprocess.Popen([sys.executable, "-m", "gunicorn", *arguments], cwd=PROJECT)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            try:
                requests.get(f"https://localhost:{port}/halsa/", verify=str(federation.tls_ca), timeout=2)
                break
            except requests.RequestException:
                time.sleep(0.1)
        yield port, str(federation.tls_ca)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "begun",
    [
        None,
        b"",
        b"POST /as4 HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /as4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n"
        b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n",
    ],
    ids=["no handshake", "nothing", "half a head", "half a body"],
)
def test_eight_slow_senders_do_not_stop_a_ninth(own_tls, begun):
    port, authority = own_tls
    context = ssl.create_default_context(cafile=authority)
    with ExitStack() as slow:
        for _ in range(SLOW):
            line = slow.enter_context(socket.create_connection(("localhost", port), timeout=30))
            if begun is None:
                # The beginning of a TLS record that never comes to its end.
                line.sendall(b"\x16\x03\x01\x02\x00")
                continue
            secured = slow.enter_context(context.wrap_socket(line, server_hostname="localhost"))
            secured.sendall(begun)
        # Shorter than anything after which a slow one is let go.
        answer = requests.get(f"https://localhost:{port}/halsa/", verify=authority, timeout=8)
        assert answer.status_code == 200


def test_a_head_that_does_not_come_to_an_end_is_not_waited_for(own_tls):
    port, authority = own_tls
    context = ssl.create_default_context(cafile=authority)
    with (
        socket.create_connection(("localhost", port), timeout=40) as line,
        context.wrap_socket(line, server_hostname="localhost") as secured,
    ):
        secured.sendall(b"POST /as4 HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        # Cut off, with or without a word; a line that stays open ends the test by its time limit.
        try:
            answer = secured.recv(1000)
        except (ssl.SSLError, ConnectionError):
            answer = b""
        assert not answer.startswith(b"HTTP/1.1 200")
