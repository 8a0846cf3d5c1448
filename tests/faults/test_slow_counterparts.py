"""A counterpart that holds on to whoever calls it has its share of the workers, and no more."""

import socket
import ssl
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from testbed.node import Role
from tests.faults.test_kill import RECEPTION, TRAINING, send, state_of
from tests.nodes import TwoNodes, eventually
from tests.transport.outgoing_http.servers import RawServer, read_head, serving

pytestmark = pytest.mark.xdist_group("nodes")

SLOW = "0203:langsam-granne.se"
SLOW_FUNCTION = "sdk:vaxel:0203:langsam-granne.se"
_SHARE = 2
Habit = Callable[[RawServer, socket.socket], None]


def a_byte_a_second(server: RawServer, connection: socket.socket) -> None:
    connection.recv(1000)
    server.dribble(connection, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 60_000, 1)


def no_answer(server: RawServer, connection: socket.socket) -> None:
    while connection.recv(1000):
        """It listens, and that is all."""


@contextmanager
def slow_access_point(nodes: TwoNodes, habit: Habit) -> Generator[RawServer, None, None]:
    """An access point of the federation's with this habit, and a participant behind it."""
    tls = nodes.federation.tls_files()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.certificate, tls.key)
    with serving(habit, context) as server:
        name = f"AP-{uuid.uuid4().hex[:8]}"
        nodes.federation.add_access_point(name, f"https://localhost:{server.port}/as4")
        nodes.federation.add_participant(SLOW, "Långsam granne", name, ())
        yield server
    # Nothing of it is left for tests that come later.
    nodes.federation.change_participant(SLOW, published=False)
    nodes.habo.query(
        "UPDATE access_point_outboundtransfer SET due_at = NULL, state = 'FAILED' "
        "WHERE recipient = %s RETURNING 1",
        SLOW,
    )
    nodes.habo.query("DELETE FROM federation_cachedanswer RETURNING 1")


def order_six(nodes: TwoNodes) -> list[str]:
    output = nodes.habo.node.run_module(
        "tests.faults.order", nodes.habo.organisation.participant_id, RECEPTION, SLOW_FUNCTION, SLOW, "6"
    )
    return output.split()


def places(nodes: TwoNodes, table: str) -> int:
    """How many workers of the sending node are at others' servers; what one claimed together has one slot."""
    ((count,),) = nodes.habo.query(
        f"SELECT count(DISTINCT place) FROM {table} WHERE place = lease AND lease_until > now()"
    )
    return count


def unsettled(nodes: TwoNodes) -> int:
    ((count,),) = nodes.habo.query(
        "SELECT count(*) FROM access_point_outboundtransfer WHERE recipient = %s AND state = 'PENDING'", SLOW
    )
    return count


@pytest.mark.parametrize("habit", [a_byte_a_second, no_answer])
def test_an_honest_access_point_is_sent_to_while_another_holds_on(two_nodes, habit):
    with slow_access_point(two_nodes, habit) as slow:
        assert len(order_six(two_nodes)) == 6
        eventually(lambda: slow.open >= _SHARE, what="its share to be used")
        message_id = send(two_nodes)
        held: list[int] = []

        def is_accepted() -> bool:
            held.append(places(two_nodes, "access_point_outboundtransfer"))
            return state_of(two_nodes.habo, message_id) == "ACCEPTED"

        eventually(is_accepted, what="the honest one")
        assert max(held) <= _SHARE + 1, "its share, and the honest one's place"
        assert unsettled(two_nodes) == 6, "none of them was given up for it"
        # Nobody waits longer than a deadline: they are tried again.
        eventually(lambda: len(slow.connections) > 6, what="the deadline of the first")


def test_places_that_a_killed_worker_held_are_free_again(two_nodes):
    with slow_access_point(two_nodes, no_answer) as slow:
        order_six(two_nodes)
        eventually(lambda: slow.open >= _SHARE, what="its share to be used")
        two_nodes.habo.node.kill(Role.TRANSPORT)
        tried = len(slow.connections)
        two_nodes.habo.node.start(Role.TRANSPORT)
        eventually(lambda: len(slow.connections) >= tried + _SHARE, what="its places to be taken again")
        message_id = send(two_nodes)
        eventually(lambda: state_of(two_nodes.habo, message_id) == "ACCEPTED", what="the honest one")


@pytest.mark.parametrize("habit", [a_byte_a_second, no_answer])
def test_an_honest_client_is_told_while_another_s_server_holds_on(two_nodes, habit):
    habo = two_nodes.habo

    def taken(server: RawServer, connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")

    def told(name: str) -> int:
        ((count,),) = habo.query(
            "SELECT count(*) FROM message_api_webhooknotice n JOIN message_api_apiclient c "
            "ON c.id = n.client_id WHERE c.client_id = %s AND told_at IS NOT NULL",
            name,
        )
        return count

    slow_name, honest_name = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("slow", "honest"))
    with serving(habit) as slow, serving(taken) as honest:
        register(two_nodes, slow_name, f"http://127.0.0.1:{slow.port}/")
        register(two_nodes, honest_name, f"http://localhost:{honest.port}/")
        try:
            order_notices(two_nodes, slow_name, 6)
            eventually(lambda: slow.open >= _SHARE, what="its share to be used")
            order_notices(two_nodes, honest_name, 3)
            eventually(lambda: told(honest_name) == 3, what="the honest one to be told")
            assert told(slow_name) == 0
            eventually(lambda: len(slow.connections) > _SHARE, what="the deadline of the first")
            assert places(two_nodes, "message_api_webhooknotice") <= _SHARE
            # Messages are not held up by any of it.
            message_id = habo.send(RECEPTION, TRAINING, "Under tiden")
            eventually(lambda: state_of(habo, message_id) == "ACCEPTED", what="the message")
        finally:
            habo.query("UPDATE message_api_webhooknotice SET due_at = NULL RETURNING 1")
            habo.query("UPDATE message_api_apiclient SET is_active = false RETURNING 1")


def register(nodes: TwoNodes, name: str, url: str) -> None:
    participant = nodes.habo.organisation.participant_id
    nodes.habo.node.manage("add_api_client", participant, name, "--webhook", url)


def order_notices(nodes: TwoNodes, name: str, count: int) -> None:
    nodes.habo.query(
        "INSERT INTO message_api_webhooknotice (id, client_id, resource_id, created_at, due_at, attempts) "
        "SELECT gen_random_uuid(), c.id, gen_random_uuid(), now(), now(), 0 "
        "FROM message_api_apiclient c, generate_series(1, %s) WHERE c.client_id = %s RETURNING 1",
        count,
        name,
    )
