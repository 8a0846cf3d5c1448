"""Every call ends by its deadline and reads no more than it may, whatever the other side does."""

import gzip
import socket
import threading

import pytest
import requests

from transport.outgoing_http import Client, NoAnswer, Origin, TooLong, request
from transport.outgoing_http.deadline import BoundedSocket
from transport.outgoing_http.requests_session import bounded_session

from .servers import RawServer, read_head, serving

_SECONDS = 1.0
# The slow ones would take far longer than this; what hangs fails by it.
pytestmark = pytest.mark.timeout(60)


def fetch(url: str, **options):
    return request(
        options.pop("method", "GET"),
        url,
        **{"origin": Origin.SETTINGS, "seconds": _SECONDS, "max_bytes": 1000, **options},
    )


def _slow_head(server: RawServer, connection: socket.socket) -> None:
    read_head(connection)
    server.dribble(connection, b"HTTP/1.1 200 OK\r\nX: " + b"a" * 3000, 0.1)


def _slow_interim_answers(server: RawServer, connection: socket.socket) -> None:
    read_head(connection)
    while not server.closing.wait(0.1):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def _slow_body(server: RawServer, connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    server.dribble(connection, b"a" * 900, 0.1)


def _slow_chunks(server: RawServer, connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    server.dribble(connection, b"1\r\na\r\n" * 900, 0.1)


def _silence(server: RawServer, connection: socket.socket) -> None:
    server.closing.wait(50)


@pytest.mark.parametrize("answer", [_slow_head, _slow_interim_answers, _slow_body, _slow_chunks, _silence])
def test_a_byte_now_and_then_renews_no_deadline(answer):
    with serving(answer) as server, pytest.raises(NoAnswer, match="ReadTimeout"):
        fetch(server.url)


def test_a_handshake_of_tls_that_never_comes_is_not_waited_for():
    with serving(_silence) as server, pytest.raises(NoAnswer):
        fetch(server.url.replace("http:", "https:"))


def test_a_handshake_of_tls_byte_by_byte_is_left_at_the_deadline():
    # The beginning of a record that is said to be long, and never ends.
    def handshake(server: RawServer, connection: socket.socket) -> None:
        server.dribble(connection, b"\x16\x03\x03\x40\x00" + b"\x02" * 2000, 0.1)

    with serving(handshake) as server, pytest.raises(NoAnswer):
        fetch(server.url.replace("http:", "https:"))


def test_a_server_that_takes_the_request_byte_by_byte_is_left_at_the_deadline():
    def slow_reader(server: RawServer, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        while not server.closing.wait(0.05):
            connection.recv(64)

    chunks = (b"a" * 65536 for _ in range(1000))
    with serving(slow_reader) as server, pytest.raises(NoAnswer):
        fetch(server.url, method="POST", body=chunks, headers={"Content-Length": str(65536 * 1000)})


def test_a_name_that_is_resolved_for_ever_is_not_waited_for(monkeypatch):
    released, answered = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        released.wait(50)
        answered.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        with pytest.raises(NoAnswer, match="ReadTimeout"):
            fetch("https://slow.example/")
        assert not answered.is_set(), "it was waited for"
    finally:
        released.set()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), BrokenPipeError(32, "broken")])
def test_a_connection_that_is_reset_while_it_is_made_is_no_answer(monkeypatch, error, scheme):
    def connect(*_: object) -> None:
        raise error

    monkeypatch.setattr(BoundedSocket, "connect", connect)
    with pytest.raises(NoAnswer, match="ConnectionError"):
        fetch(f"{scheme}://127.0.0.1:9/")


def _answering(head: bytes, body: bytes):
    def answer(server: RawServer, connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)

    return answer


def test_an_answer_as_long_as_it_may_be_is_read_and_one_byte_more_is_not():
    with serving(_answering(b"Content-Length: 1000\r\n", b"a" * 1000)) as server:
        assert fetch(server.url).body == b"a" * 1000
    with serving(_answering(b"Content-Length: 1001\r\n", b"a" * 1001)) as server, pytest.raises(TooLong):
        fetch(server.url)


def test_the_limit_is_of_what_was_decompressed():
    bomb = gzip.compress(b"a" * 50_000_000)
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(bomb)
    with serving(_answering(head, bomb)) as server, pytest.raises(TooLong):
        fetch(server.url)


def test_a_streamed_answer_is_left_as_soon_as_it_is_too_long():
    def endless(server: RawServer, connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.closing.is_set():
            connection.sendall(b"a" * 1000)

    def read(url: str) -> None:
        with Client(origin=Origin.SETTINGS).stream("GET", url, seconds=30, max_bytes=100_000) as answer:
            while answer.read(1000):
                assert answer.bytes_read <= 100_000

    with serving(endless) as server, pytest.raises(TooLong):
        read(server.url)


def test_a_redirect_is_an_answer_and_is_not_followed():
    with serving(_answering(b"", b"")) as target:
        moved = b"HTTP/1.1 302 Found\r\nLocation: " + target.url.encode() + b"\r\nContent-Length: 0\r\n\r\n"

        def answer(server: RawServer, connection: socket.socket) -> None:
            read_head(connection)
            connection.sendall(moved)

        with serving(answer) as server:
            assert fetch(server.url).status == 302
            session = bounded_session(origin=Origin.SETTINGS, seconds=_SECONDS, max_bytes=1000)
            assert session.get(server.url).status_code == 302
        assert target.connections == []


def test_neither_proxy_nor_password_of_the_environment_is_used(monkeypatch, tmp_path):
    seen: list[bytes] = []

    def answer(server: RawServer, connection: socket.socket) -> None:
        seen.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login karin password hemligt\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(_silence) as proxy, serving(answer) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        fetch(server.url)
        bounded_session(origin=Origin.SETTINGS, seconds=_SECONDS, max_bytes=1000).get(server.url)
        assert proxy.connections == []
    assert len(seen) == 2
    assert not any(b"authorization" in head.lower() for head in seen)


def test_a_library_s_session_has_the_same_limits():
    session = bounded_session(origin=Origin.SETTINGS, seconds=_SECONDS, max_bytes=1000)
    with serving(_slow_body) as server, pytest.raises(requests.RequestException):
        session.get(server.url, timeout=None)
    with serving(_answering(b"", b"a" * 5000)) as server, pytest.raises(requests.RequestException):
        session.post(server.url, data="x")


def test_the_e_id_provider_is_asked_within_the_limits(settings):
    from mozilla_django_oidc import auth

    settings.OIDC_TIMEOUT = _SECONDS
    with serving(_slow_body) as server:
        with pytest.raises(requests.RequestException):
            auth.requests.get(server.url)
        with pytest.raises(requests.RequestException):
            auth.requests.post(server.url, data={"code": "x"})


def test_a_connection_is_used_again_and_each_call_has_a_deadline_of_its_own():
    def answer(server: RawServer, connection: socket.socket) -> None:
        for _ in range(2):
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        server.dribble(connection, b"HTTP/1.1 200 OK\r\nX: " + b"a" * 3000, 0.1)

    client = Client(origin=Origin.SETTINGS)
    with serving(answer) as server:
        for _ in range(2):
            assert client.request("GET", server.url, seconds=30, max_bytes=10).body == b"ok"
        with pytest.raises(NoAnswer):
            client.request("GET", server.url, seconds=_SECONDS, max_bytes=10)
        assert len(server.connections) == 1
    client.close()
