"""The envelope and the AS4 header that it came with say the same (C3.4.6 3.1.6); else it is deleted and
logged with what did not agree (3.2.2)."""

from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from transport.access_point.models import InboundTransfer, TransferEvent
from transport.message_service.models import IncomingMessage
from transport.protocol.identifiers import MESSAGE_RECEIPT, DocumentType, ParticipantId

pytestmark = pytest.mark.xdist_group("federation-messages")


@pytest.mark.parametrize(
    ("on_envelope", "rule"),
    [
        ({"recipient": ParticipantId("0203:nagon-annan.se")}, "final-recipient"),
        ({"header_sender": ParticipantId("0203:nagon-annan.se")}, "original-sender"),
        ({"document_type": MESSAGE_RECEIPT}, "action"),
        ({"document_type": DocumentType("urn:annan")}, "action"),
        ({"process_id": "urn:annan"}, "service"),
        ({"process_scheme": "urn:annan"}, "service"),
    ],
    ids=["recipient", "sender", "type", "unknown type", "process", "process scheme"],
)
def test_an_envelope_that_says_something_else_than_its_header_is_refused_and_deleted(
    world, on_envelope, rule
):
    if "header_sender" in on_envelope:
        # One that is in the federation: a message from nobody there is dropped, whatever else is wrong.
        on_envelope = {"header_sender": world.party("annan").participant}
    _, envelope = world.sealed(world.message(), **on_envelope)
    world.transfer(envelope)
    (row,) = IncomingMessage.objects.filter(organisation=world.recipient.organisation)
    assert not row.is_accepted
    assert rule in row.cause.removeprefix("rejected: ").split(", ")
    event = TransferEvent.objects.get(kind="DISCARDED")
    transfer = InboundTransfer.objects.get(pk=row.transfer_id)
    assert (event.as4_message_id, event.cause) == (transfer.as4_message_id, row.cause)
    assert transfer.envelope_name == ""
    stored = {path.name for path in Path(default_storage.location, "inbound").rglob("*") if path.is_file()}
    assert str(transfer.pk) not in stored
