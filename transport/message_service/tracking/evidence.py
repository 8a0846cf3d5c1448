"""What proves that a message was exchanged: the signed envelope and both receipts, as they were on the wire.

For a message that was sent, the receipts are the other side's; for one that arrived, they are ours. What was
handed over inside this node has no transport receipt: nobody carried it.
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
from transport.storage.blobs import Place


class Kind(StrEnum):
    """The pieces, by what they are called in file names."""

    ENVELOPE = "envelope"
    TRANSPORT_RECEIPT = "transport-receipt"
    MESSAGE_RECEIPT = "message-receipt"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece: XML, as it was on the wire. `open` gives its bytes as a file."""

    kind: Kind
    open: Callable[[], AbstractContextManager[BinaryIO]]


def evidence_of(participant: str, message_id: UUID, *, was_sent: bool) -> dict[Kind, Evidence]:
    """The pieces that there are of a message; empty where the participant has none by that id."""
    if was_sent:
        sent = OutgoingMessage.objects.filter(
            organisation__participant_id=participant,
            kind=OutgoingMessage.Kind.MESSAGE,
            message_id=message_id,
        ).first()
        return _of_sent(sent) if sent is not None else {}
    arrived = IncomingMessage.objects.filter(
        organisation__participant_id=participant, message_id=message_id, is_accepted=True
    ).first()
    return _of_arrived(arrived) if arrived is not None else {}


def _of_sent(row: OutgoingMessage) -> dict[Kind, Evidence]:
    receipt = access_point_port.access_point().receipt_of_sent(row.transfer)
    return _those_that_are(
        _stored(Kind.ENVELOPE, row.envelope_name, row.envelope_place),
        _held(Kind.TRANSPORT_RECEIPT, receipt),
        _stored(Kind.MESSAGE_RECEIPT, row.message_receipt_name, row.message_receipt_place),
    )


def _of_arrived(row: IncomingMessage) -> dict[Kind, Evidence]:
    arrivals = local_delivery.arrivals_of(row)
    answer = OutgoingMessage.objects.filter(answers=row).first()
    return _those_that_are(
        Evidence(Kind.ENVELOPE, lambda: arrivals.open(row.transfer_id)),
        _held(Kind.TRANSPORT_RECEIPT, arrivals.receipt_of_arrived(row.transfer_id)),
        _stored(Kind.MESSAGE_RECEIPT, answer.envelope_name, answer.envelope_place) if answer else None,
    )


def _those_that_are(*pieces: Evidence | None) -> dict[Kind, Evidence]:
    return {piece.kind: piece for piece in pieces if piece is not None}


def _stored(kind: Kind, name: str, place: Place) -> Evidence | None:
    return Evidence(kind, lambda: blobs.open_stored(name, place)) if name else None


def _held(kind: Kind, content: bytes | None) -> Evidence | None:
    return Evidence(kind, lambda: BytesIO(content)) if content else None
