"""What goes wrong in real life, at organisations made for it: each ends in the state that is true."""

import pytest

from tests.faults.test_kill import RECEPTION, state_of
from tests.nodes import TwoNodes, eventually

pytestmark = pytest.mark.xdist_group("nodes")


def outcome(nodes: TwoNodes, address: str) -> tuple[str, str]:
    """(state, cause) of a message to one of the odd organisations, once it is settled."""
    message_id = nodes.habo.send(RECEPTION, address, "Till en ovanlig mottagare")
    final = {"ACCEPTED", "REJECTED", "MESSAGE_EXCHANGE_ERROR"}
    eventually(lambda: state_of(nodes.habo, message_id) in final, what="the message to be settled")
    query = "SELECT state, cause FROM message_service_outgoingmessage WHERE message_id = %s"
    return nodes.habo.query(query, message_id)[0]


@pytest.mark.parametrize(
    ("address", "state", "cause"),
    [
        ("sdk:test:0203:avvisar-allt.testbed.se", "REJECTED", "BV/invariant"),
        ("sdk:test:0203:langsam.testbed.se", "ACCEPTED", ""),
        ("sdk:1:0203:regionstockholm.se", "MESSAGE_EXCHANGE_ERROR", "unreachable"),
        ("sdk:1:0203:kriminalvarden.se", "MESSAGE_EXCHANGE_ERROR", "access-point-untrusted"),
        ("sdk:1:0203:migrationsverket.se", "MESSAGE_EXCHANGE_ERROR", "participant-unknown"),
    ],
)
def test_odd_organisations_end_as_they_should(two_nodes, address, state, cause):
    assert outcome(two_nodes, address) == (state, cause)
