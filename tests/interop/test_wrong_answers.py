"""Peers that answer wrongly: no receipt is evidence unless the one who was sent to signed what was sent."""

import uuid

import pytest

from tests.interop.as4 import As4
from tests.interop.build import Pair
from tests.interop.oxalis import Oxalis
from tests.interop.phase4 import Phase4
from transport.access_point.models import OutboundTransfer, TransferEvent

pytestmark = pytest.mark.xdist_group("interop")
PEERS = [As4, Oxalis, Phase4]
every_peer = pytest.mark.parametrize("pair", PEERS, indirect=True, ids=[peer.kind for peer in PEERS])
WRONG = [
    ("digests", "receipt-invalid a digest in the receipt does not fit"),
    ("reference", "receipt-invalid the receipt is for another message"),
    ("less", "receipt-invalid the receipt does not cover exactly what was sent"),
    ("more", "receipt-invalid the receipt does not cover exactly what was sent"),
    ("unsigned", "receipt-invalid the signal is not signed"),
]


def is_not_believed(pair: Pair, cause: str) -> OutboundTransfer:
    """We send a message, the peer takes it, and its receipt is no evidence."""
    transfer = pair.send(pair.transfer(b"<envelope/>"))
    messages, _ = pair.peer.received()
    assert [message["message_id"] for message in messages] == [transfer.as4_message_id]
    assert transfer.state == "PENDING"
    assert transfer.receipt is None
    assert TransferEvent.objects.get(kind="RESENDING").cause == cause
    return transfer


@every_peer
@pytest.mark.parametrize(("wrong", "cause"), WRONG, ids=[wrong for wrong, _ in WRONG])
def test_a_receipt_that_is_not_for_exactly_what_was_sent_or_not_signed_is_no_evidence(
    pair: Pair, answering, wrong, cause
):
    answering(wrong)
    is_not_believed(pair, cause)


@every_peer
def test_a_receipt_that_another_access_point_of_the_federation_signed_is_no_evidence(pair: Pair, answering):
    other = f"AP-{uuid.uuid4().hex[:8]}-TEST"
    answering("signer", pair.world.federation.add_access_point(other, "https://localhost:9/as4"))
    is_not_believed(pair, "receipt-untrusted the receipt is signed by another access point")


@every_peer
def test_what_was_answered_wrongly_is_sent_again_and_then_counts_as_delivered(pair: Pair, answering):
    answering("digests")
    transfer = is_not_believed(pair, "receipt-invalid a digest in the receipt does not fit")
    answering("")
    transfer = pair.send(transfer)
    assert (transfer.state, transfer.cause) == ("DELIVERED", "")
