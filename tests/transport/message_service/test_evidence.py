"""What proves an exchange is the same on both sides, to the byte, and can be judged by itself."""

import io
import uuid

import pytest

from transport.message_service import orders
from transport.message_service.tracking.evidence import Kind, evidence_of
from transport.protocol.message_receipt import ResponseCode, read_receipt
from transport.protocol.xhe.opening import verify_envelope
from transport.protocol.xml.safe_xml import parse

pytestmark = pytest.mark.xdist_group("federation-messages")


def content(pieces) -> dict[Kind, bytes]:
    found = {}
    for kind, piece in pieces.items():
        with piece.open() as source:
            found[kind] = source.read()
    return found


def test_both_sides_hold_the_same_envelope_and_receipts(world):
    message = world.message()
    message_id = orders.order(message, actor="Karin")
    assert evidence_of(world.sender.participant.value, message_id, was_sent=True) == {}
    world.pump()
    sent = content(evidence_of(world.sender.participant.value, message_id, was_sent=True))
    arrived = content(evidence_of(world.recipient.participant.value, message_id, was_sent=False))
    assert set(sent) == set(Kind)
    assert sent == arrived
    assert verify_envelope(io.BytesIO(sent[Kind.ENVELOPE])).envelope.message_id == str(message_id)
    out = io.BytesIO()
    verify_envelope(io.BytesIO(sent[Kind.MESSAGE_RECEIPT])).write_payload(out)
    assert read_receipt(parse(out.getvalue())).code is ResponseCode.ACCEPTED
    assert b"NonRepudiationInformation" in sent[Kind.TRANSPORT_RECEIPT]


def test_nobody_s_message_has_no_evidence(world):
    stranger = world.sender.participant.value
    for was_sent in (True, False):
        assert evidence_of(stranger, uuid.uuid4(), was_sent=was_sent) == {}
