"""A server of the federation that answers slowly has its share of those who ask, and a rest."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.transport.outgoing_http.servers import RawServer, read_head, serving
from transport.federation import http, lookup, server_share
from transport.federation.errors import LookupUnavailable
from transport.outgoing_http import Origin
from transport.protocol.identifiers import ParticipantId

# What hangs fails by it.
pytestmark = pytest.mark.timeout(60)


def a_byte_now_and_then(server: RawServer, connection: socket.socket) -> None:
    read_head(connection)
    server.dribble(connection, b"HTTP/1.1 200 OK\r\nX: " + b"a" * 3000, 0.1)


def at_once(server: RawServer, connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def fetch(server: RawServer, path: str = "") -> bytes:
    return http.fetch(server.url + path, origin=Origin.SETTINGS)


@pytest.fixture(autouse=True)
def _short_deadlines(settings, monkeypatch):
    settings.SDK_COUNTERPART_SHARE = 2
    settings.SDK_HTTP_TIMEOUT_SECONDS = 2
    settings.SDK_SLOW_SERVER_SECONDS = 1
    monkeypatch.setattr(server_share, "_WAIT_SECONDS", 0.2)


def test_lookups_of_many_participants_at_a_slow_server_hold_its_share_and_others_are_answered():
    with serving(a_byte_now_and_then) as slow, serving(at_once) as honest, ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(fetch, slow, f"participant-{number}") for number in range(6)]
        assert fetch(honest) == b"ok"
        reasons = sorted(str(one.exception()) for one in asked)
        assert reasons == ["ReadTimeout"] * 2 + ["not asked: others wait for it"] * 4
        assert len(slow.connections) == 2


def test_a_server_that_was_slow_is_not_asked_again_for_a_while():
    with serving(a_byte_now_and_then) as slow, serving(at_once) as honest:
        with pytest.raises(http.NoAnswer, match="ReadTimeout"):
            fetch(slow, "one")
        for number in range(5):
            with pytest.raises(http.NoAnswer, match="slow a moment ago"):
                fetch(slow, f"another-{number}")
        assert len(slow.connections) == 1
        assert fetch(honest) == b"ok"


def test_many_lookups_at_once_are_answered_one_after_the_other_by_a_quick_server(monkeypatch):
    monkeypatch.setattr(server_share, "_WAIT_SECONDS", 30)
    with serving(at_once) as honest, ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(fetch, honest, str(number)) for number in range(24)]
        assert {one.result() for one in asked} == {b"ok"}


def test_a_slot_whose_process_was_killed_ends_by_itself(monkeypatch, settings):
    settings.SDK_COUNTERPART_SHARE = 1
    monkeypatch.setattr(server_share, "_GRACE_SECONDS", -1)
    with serving(at_once) as honest:
        killed = server_share.slot_at(f"127.0.0.1:{honest.port}", 2)
        killed.__enter__()
        monkeypatch.setattr(server_share, "_WAIT_SECONDS", 30)
        assert fetch(honest) == b"ok"


def test_name_servers_that_do_not_answer_are_not_waited_for_by_each_message(settings):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        settings.SDK_DNS_SERVERS = [f"127.0.0.1:{silent.getsockname()[1]}"]
        reasons = []
        for name in ("ett", "tva", "tre"):
            with pytest.raises(LookupUnavailable) as unavailable:
                lookup.smp_address_of(ParticipantId(f"0203:{name}.se"))
            reasons.append(str(unavailable.value))
    assert reasons == ["DNS: LifetimeTimeout", *["DNS: not asked: it was slow a moment ago"] * 2]


def test_while_the_broker_is_away_nobody_is_refused(settings):
    settings.CACHES = {
        **settings.CACHES,
        "rates": {**settings.CACHES["rates"], "LOCATION": "redis://127.0.0.1:1/0"},
    }
    with serving(at_once) as honest:
        assert [fetch(honest) for _ in range(4)] == [b"ok"] * 4
