"""kill -9 in the middle of the story: nothing is lost, nothing is delivered twice.

The moment is chosen by a lock in the database: the process comes to the step that needs the row, waits
there, and is killed. No code of the node knows of it.
"""

import uuid
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
import pytest

from testbed.node import Role
from tests.nodes import NodeUnderTest, TwoNodes, eventually
from tests.world import work_is_clean

pytestmark = pytest.mark.xdist_group("nodes")

RECEPTION = "sdk:socialtjanst-mottagning:0203:habo.se"
TRAINING = "sdk:arbetstraning:0203:arbetsformedlingen.se"


@contextmanager
def locked(node: NodeUnderTest, statement: str, *parameters: object) -> Generator[None, None, None]:
    """Hold what the statement locks while the body runs."""
    with psycopg.connect(node.database_url) as connection:
        connection.execute(statement, parameters)
        yield
        connection.rollback()


def wait_until_blocked(node: NodeUnderTest, statement: str = "%") -> None:
    """Until a process of the node waits for a lock, with a statement like this one."""
    eventually(
        lambda: node.query(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
            "AND query LIKE %s",
            statement,
        ),
        what="a process to wait for the lock",
    )


def send(nodes: TwoNodes) -> str:
    return nodes.habo.send(RECEPTION, TRAINING, f"Fel {uuid.uuid4().hex[:8]}")


def state_of(node: NodeUnderTest, message_id: str) -> str:
    rows = node.query("SELECT state FROM message_service_outgoingmessage WHERE message_id = %s", message_id)
    return rows[0][0] if rows else ""


def assert_delivered_once(nodes: TwoNodes, message_id: str) -> None:
    """In the end it is accepted, is there once, and its history tells one story."""
    eventually(lambda: state_of(nodes.habo, message_id) == "ACCEPTED", what="the message to be accepted")
    receiver, sender = nodes.arbetsformedlingen, nodes.habo
    assert receiver.query(
        "SELECT count(*) FROM mailbox_message WHERE message_id = %s AND direction = 'in'", message_id
    ) == [(1,)]
    assert receiver.query(
        "SELECT count(*) FROM mailbox_attachment a JOIN mailbox_document d ON d.id = a.document_id "
        "JOIN mailbox_message m ON m.id = d.message_id WHERE m.message_id = %s",
        message_id,
    ) == [(1,)]
    assert receiver.query(
        "SELECT count(*) FROM message_service_incomingmessage WHERE message_id = %s AND is_accepted",
        message_id,
    ) == [(1,)]

    def names() -> list[str]:
        rows = sender.query(
            "SELECT e.name FROM message_service_event e JOIN message_service_outgoingmessage m "
            "ON m.id = e.outgoing_id WHERE m.message_id = %s",
            message_id,
        )
        return [name for (name,) in rows]

    # A message receipt may overtake the transport receipt of the attempt that was cut off.
    eventually(lambda: "TRANSPORT_RECEIPT" in names(), what="the transport receipt")
    for once in ("SCHEDULED", "SUBMITTED", "TRANSPORT_RECEIPT", "ACCEPTED"):
        assert names().count(once) == 1, names()


def test_the_sender_s_worker_dies_while_it_hands_over(two_nodes):
    with locked(two_nodes.habo, "LOCK TABLE access_point_outboundtransfer IN ACCESS EXCLUSIVE MODE"):
        message_id = send(two_nodes)
        wait_until_blocked(two_nodes.habo)
        two_nodes.habo.node.kill(Role.WORKER)
        assert state_of(two_nodes.habo, message_id) == "SCHEDULED"
    two_nodes.habo.node.start(Role.WORKER)
    assert_delivered_once(two_nodes, message_id)


def test_the_sender_s_worker_dies_before_it_notes_the_transport_receipt(two_nodes):
    receiver = two_nodes.arbetsformedlingen.node
    receiver.freeze(Role.ACCESS_POINT)
    try:
        message_id = send(two_nodes)
        eventually(lambda: state_of(two_nodes.habo, message_id) == "SUBMITTED", what="the hand-over")
        with locked(
            two_nodes.habo,
            "SELECT 1 FROM message_service_outgoingmessage WHERE message_id = %s FOR UPDATE",
            message_id,
        ):
            receiver.thaw(Role.ACCESS_POINT)
            wait_until_blocked(two_nodes.habo)
            two_nodes.habo.node.kill(Role.TRANSPORT)
    finally:
        receiver.thaw(Role.ACCESS_POINT)
    assert two_nodes.arbetsformedlingen.query(
        "SELECT count(*) FROM access_point_inboundtransfer WHERE conversation_id = %s", message_id
    ) == [(1,)]
    two_nodes.habo.node.start(Role.TRANSPORT)
    assert_delivered_once(two_nodes, message_id)
    # The resend was answered, not delivered.
    events = two_nodes.arbetsformedlingen.query(
        "SELECT kind FROM access_point_transferevent WHERE conversation_id = %s ORDER BY id", message_id
    )
    assert ("DUPLICATE",) in events


def test_the_receiver_s_access_point_dies_before_it_has_committed(two_nodes):
    receiver = two_nodes.arbetsformedlingen
    with locked(receiver, "LOCK TABLE message_service_incomingmessage IN ACCESS EXCLUSIVE MODE"):
        message_id = send(two_nodes)
        wait_until_blocked(receiver)
        receiver.node.kill(Role.ACCESS_POINT)
    receiver.node.start(Role.ACCESS_POINT)
    assert_delivered_once(two_nodes, message_id)


def test_the_receiver_s_worker_dies_while_it_delivers(two_nodes):
    receiver = two_nodes.arbetsformedlingen
    with locked(receiver, "LOCK TABLE mailbox_message IN ACCESS EXCLUSIVE MODE"):
        message_id = send(two_nodes)
        wait_until_blocked(receiver)
        receiver.node.kill(Role.WORKER)
    receiver.node.start(Role.WORKER)
    assert_delivered_once(two_nodes, message_id)


def test_the_sender_s_worker_dies_while_the_message_receipt_settles_the_message(two_nodes):
    sender = two_nodes.habo
    sender.node.freeze(Role.ACCESS_POINT)
    try:
        message_id = send(two_nodes)
        eventually(
            lambda: state_of(sender, message_id) == "WAITING_FOR_RECEIPT", what="the transport receipt"
        )
        with locked(sender, "LOCK TABLE mailbox_message IN ACCESS EXCLUSIVE MODE"):
            sender.node.thaw(Role.ACCESS_POINT)
            wait_until_blocked(sender)
            sender.node.kill(Role.WORKER)
    finally:
        sender.node.thaw(Role.ACCESS_POINT)
    sender.node.start(Role.WORKER)
    assert_delivered_once(two_nodes, message_id)


def test_nothing_is_left_in_the_work_directories(two_nodes):
    message_id = send(two_nodes)
    assert_delivered_once(two_nodes, message_id)
    for one in (two_nodes.habo, two_nodes.arbetsformedlingen):
        work = one.node.directory / "data" / "work"
        eventually(lambda work=work: work_is_clean(work), what="the work directory to be empty")
