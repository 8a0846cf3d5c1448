"""What proves that a message was exchanged: the signed envelope and both receipts, as they were on the wire.

For a message that was sent, the receipts are the other side's; for one that arrived, they are ours.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import BinaryIO, cast
from uuid import UUID

from django.core.files.storage import default_storage

from .. import hand_over
from .models import IncomingMessage, OutgoingMessage


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
    receipt = hand_over.access_point().receipt_of_sent(row.pk)
    return _those_that_are(
        _stored(Kind.ENVELOPE, row.envelope_name),
        _held(Kind.TRANSPORT_RECEIPT, receipt),
        _stored(Kind.MESSAGE_RECEIPT, row.message_receipt_name),
    )


def _of_arrived(row: IncomingMessage) -> dict[Kind, Evidence]:
    access_point = hand_over.access_point()
    answer = OutgoingMessage.objects.filter(answers=row).first()
    return _those_that_are(
        Evidence(Kind.ENVELOPE, lambda: access_point.open(row.transfer_id)),
        _held(Kind.TRANSPORT_RECEIPT, access_point.receipt_of_arrived(row.transfer_id)),
        _stored(Kind.MESSAGE_RECEIPT, answer.envelope_name if answer is not None else ""),
    )


def _those_that_are(*pieces: Evidence | None) -> dict[Kind, Evidence]:
    return {piece.kind: piece for piece in pieces if piece is not None}


def _stored(kind: Kind, name: str) -> Evidence | None:
    return Evidence(kind, lambda: _open(name)) if name else None


def _held(kind: Kind, content: bytes | None) -> Evidence | None:
    return Evidence(kind, lambda: BytesIO(content)) if content else None


@contextmanager
def _open(name: str) -> Generator[BinaryIO, None, None]:
    with default_storage.open(name) as source:
        yield cast(BinaryIO, source)
