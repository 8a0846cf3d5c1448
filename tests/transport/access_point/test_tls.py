"""TLS both ways: nginx in front as deploy/ has it, which passes the client certificate; and our own side."""

import os
import pwd
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from testbed.authorities import Authority, KeyFiles
from testbed.node import PROJECT
from testbed.services import free_port
from transport.access_point import outbound
from transport.access_point.models import InboundTransfer, TransferEvent

from .build import a_transfer
from .test_served import served

__all__ = ["served"]
pytestmark = pytest.mark.xdist_group("federation")
NGINX = "/usr/sbin/nginx"


@dataclass(frozen=True)
class Front:
    """nginx in front of the access point: its URL, and the client certificates that it takes."""

    url: str
    authority: Authority
    server_ca: Path


@pytest.fixture
def passes_certificates(settings) -> None:
    settings.SDK_TLS_CLIENT_HEADER = "X-Client-Certificate"


@pytest.fixture
def front(passes_certificates, served, world, federation, settings, tmp_path) -> Iterator[Front]:
    if not Path(NGINX).exists():
        pytest.fail("nginx is needed: scripts/install nginx")
    clients = Authority(_made(tmp_path / "clients"), "tls-clients", federation.url)
    server, port = federation.tls_files("localhost"), free_port()
    configuration = (PROJECT / "deploy" / "nginx" / "sdkportal.conf").read_text()
    for pattern, value in (
        (r"127\.0\.0\.1:8441", f"127.0.0.1:{urlsplit(served).port}"),
        (r"listen 443 ssl;\n    server_name as4\.kommun\.example;", f"listen 127.0.0.1:{port} ssl;"),
        (r"listen 443 ssl http2;", f"listen 127.0.0.1:{free_port()} ssl;"),
        (r"/etc/sdkportal/tls/(web|as4)\.pem", str(server.certificate)),
        (r"/etc/sdkportal/tls/(web|as4)\.key", str(server.key)),
        (r"/etc/sdkportal/trust/tls-ca\.pem", str(clients.files.certificate)),
        (r"client_body_timeout 30s", "client_body_timeout 1s"),
    ):
        configuration, count = re.subn(pattern, value, configuration)
        assert count, pattern
    directory = _made(tmp_path / "nginx")
    (directory / "site.conf").write_text(configuration)
    temporary = "".join(
        f"{name}_temp_path {directory}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"daemon off; pid {directory}/pid; error_log stderr warn; user {_user()};"
        f"events {{}} http {{ access_log off; {temporary} include {directory}/site.conf; }}"
    )
    process = subprocess.Popen([NGINX, "-p", str(directory), "-c", "nginx.conf"])
    try:
        _wait_for_port(port, process)
        url = f"https://localhost:{port}/as4"
        world.federation.add_access_point(world.access_point, url)
        yield Front(url, clients, federation.tls_ca)
    finally:
        process.terminate()
        process.wait(15)


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx did not start")


def a_client(authority: Authority, directory: Path) -> KeyFiles:
    files = KeyFiles(directory / "client.key", directory / "client.pem")
    return authority.issue(files, "another access point", hosts=("localhost",))


def test_a_message_goes_through_the_proxy_with_a_client_certificate(front, world, settings, tmp_path):
    client = a_client(front.authority, tmp_path)
    settings.SDK_TLS_CLIENT_CERTIFICATE = str(client.certificate)
    settings.SDK_TLS_CLIENT_KEY = str(client.key)
    transfer = a_transfer(world, os.urandom(300_000))
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    assert transfer.state == "DELIVERED"
    assert InboundTransfer.objects.count() == 1


def test_without_a_certificate_nothing_is_taken(front, world, settings):
    settings.SDK_TLS_CLIENT_CERTIFICATE = settings.SDK_TLS_CLIENT_KEY = ""
    transfer = a_transfer(world)
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    assert (transfer.state, transfer.cause) == ("PENDING", "unreachable")
    assert TransferEvent.objects.filter(kind="RESENDING", cause__contains="HTTP 400").exists()
    assert not InboundTransfer.objects.exists()


def test_a_certificate_of_somebody_else_s_authority_is_refused(front, world, settings, tmp_path, federation):
    stranger = a_client(Authority(_made(tmp_path / "strangers"), "strangers", federation.url), tmp_path)
    response = requests.post(
        front.url,
        data=b"x",
        cert=(str(stranger.certificate), str(stranger.key)),
        verify=str(front.server_ca),
        timeout=10,
    )
    assert response.status_code == 400
    assert not TransferEvent.objects.exists()


@pytest.mark.parametrize(
    ("version", "is_taken"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
    ids=["1.1", "1.2", "1.3"],
)
def test_the_proxy_speaks_tls_1_2_or_newer(front, tmp_path, version, is_taken):
    client = a_client(front.authority, tmp_path)
    context = ssl.create_default_context(cafile=str(front.server_ca))
    context.load_cert_chain(client.certificate, client.key)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    with socket.create_connection(("localhost", urlsplit(front.url).port), timeout=10) as line:
        if is_taken:
            with context.wrap_socket(line, server_hostname="localhost") as secured:
                assert secured.version() == f"TLSv1.{version - ssl.TLSVersion.TLSv1}"
        else:
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(line, server_hostname="localhost")


def test_a_slow_sender_is_cut_off_and_leaves_nothing(front, tmp_path, settings):
    """nginx holds the connection, and lets go of it when nothing comes for as long as it is told to wait."""
    client = a_client(front.authority, tmp_path)
    context = ssl.create_default_context(cafile=str(front.server_ca))
    context.load_cert_chain(client.certificate, client.key)
    begun = time.monotonic()
    line = socket.create_connection(("localhost", urlsplit(front.url).port), timeout=20)
    with line, context.wrap_socket(line, server_hostname="localhost") as secured:
        secured.sendall(
            b"POST /as4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
            b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"
        )
        answer = b"".join(iter(lambda: secured.recv(65536), b""))
    assert answer == b"" or b" 408 " in answer
    assert time.monotonic() - begun < 15
    assert not InboundTransfer.objects.exists()
    assert not [path for path in (tmp_path / "nginx").rglob("*") if path.name.isdigit() and path.is_file()]


@pytest.mark.parametrize(("version", "state"), [("1.1", "PENDING"), ("1.2", "DELIVERED")])
def test_as_a_client_we_speak_tls_1_2_or_newer(world, federation, settings, tmp_path, served, version, state):
    """A server that offers no more than this version, in front of our own endpoint."""
    versions = {"1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2}
    files = federation.tls_files("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(files.certificate, files.key)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = versions[version]
    with TlsLine(context, urlsplit(served).port) as line:
        world.federation.add_access_point(world.access_point, f"https://localhost:{line.port}/as4")
        transfer = a_transfer(world)
        outbound.send(transfer.pk)
    transfer.refresh_from_db()
    assert transfer.state == state


class TlsLine:
    """Ends TLS and passes on what comes, one connection after the other."""

    def __init__(self, context: ssl.SSLContext, behind: int) -> None:
        self._context = context
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> "TlsLine":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(plain, server_side=True) as outside:
                    self._pass(outside)
            except OSError:
                plain.close()

    def _pass(self, outside: ssl.SSLSocket) -> None:
        with socket.create_connection(("127.0.0.1", self._behind)) as inside:
            back = threading.Thread(target=_copy, args=(inside, outside), daemon=True)
            back.start()
            _copy(outside, inside)
            back.join(10)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.mark.parametrize("header", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----%0Ax"])
def test_a_proxy_that_passes_no_certificate_is_not_enough(peer, world, settings, header):
    settings.SDK_TLS_CLIENT_HEADER = "X-Client-Certificate"
    _, packed = peer.pack()
    with packed:
        body = b"".join(packed.chunks())
    headers = {"Content-Type": packed.content_type}
    if header is not None:
        headers["X-Client-Certificate"] = header
    assert requests.post(world.url, data=body, headers=headers, timeout=10).status_code == 403
    assert not TransferEvent.objects.exists()
    assert not InboundTransfer.objects.exists()
