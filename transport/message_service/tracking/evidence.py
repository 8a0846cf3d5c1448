"""Evidence that a message was exchanged: the signed envelope and both receipts, as they were on the wire.

For a sent message the receipts are the other side's; for a received one they are ours. A message that was
delivered locally has no transport receipt: no access point was involved.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import BinaryIO
from uuid import UUID

from transport import access_point_port
from transport.message_service import local_delivery
from transport.message_service.models import IncomingMessage, OutgoingMessage
from transport.storage import blobs
from transport.storage.blobs import BlobBinding


class Kind(StrEnum):
    """The pieces of evidence, by their names in files."""

    ENVELOPE = "envelope"
    TRANSPORT_RECEIPT = "transport-receipt"
    MESSAGE_RECEIPT = "message-receipt"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece: XML, as it was on the wire. `open` gives its bytes as a file."""

    kind: Kind
    open: Callable[[], AbstractContextManager[BinaryIO]]


def evidence_of(participant: str, message_id: UUID, *, was_sent: bool) -> dict[Kind, Evidence]:
    """The pieces that exist for a message, by kind; empty where the participant has no message by that id."""
    if was_sent:
        sent = OutgoingMessage.objects.filter(
            organisation__participant_id=participant,
            kind=OutgoingMessage.Kind.MESSAGE,
            message_id=message_id,
        ).first()
        return _of_outgoing(sent) if sent is not None else {}
    arrived = IncomingMessage.objects.filter(
        organisation__participant_id=participant, message_id=message_id, is_accepted=True
    ).first()
    # What another message service has received for us was opened there, and its envelope is not here.
    return _of_incoming(arrived) if arrived is not None and not arrived.is_by_api else {}


def _of_outgoing(row: OutgoingMessage) -> dict[Kind, Evidence]:
    receipt = access_point_port.access_point().receipt_of_sent(row.transfer)
    return _by_kind(
        _stored(Kind.ENVELOPE, row.envelope_name, row.envelope_binding),
        _in_memory(Kind.TRANSPORT_RECEIPT, receipt),
        _stored(Kind.MESSAGE_RECEIPT, row.message_receipt_name, row.message_receipt_binding),
    )


def _of_incoming(row: IncomingMessage) -> dict[Kind, Evidence]:
    envelopes = local_delivery.envelope_store_of(row)
    answer = OutgoingMessage.objects.filter(answers=row).first()
    return _by_kind(
        Evidence(Kind.ENVELOPE, lambda: envelopes.open(row.transfer_id)),
        _in_memory(Kind.TRANSPORT_RECEIPT, envelopes.receipt_of_arrived(row.transfer_id)),
        _stored(Kind.MESSAGE_RECEIPT, answer.envelope_name, answer.envelope_binding) if answer else None,
    )


def _by_kind(*pieces: Evidence | None) -> dict[Kind, Evidence]:
    return {piece.kind: piece for piece in pieces if piece is not None}


def _stored(kind: Kind, name: str, binding: BlobBinding) -> Evidence | None:
    return Evidence(kind, lambda: blobs.open_stored(name, binding)) if name else None


def _in_memory(kind: Kind, content: bytes | None) -> Evidence | None:
    return Evidence(kind, lambda: BytesIO(content)) if content else None
