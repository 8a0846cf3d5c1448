"""Erasure of a message's content, when a client's retention rules say so. Its history stays."""

from uuid import UUID

from django.db import transaction

from transport.message_service import local_delivery
from transport.message_service.models import IncomingMessage, OutgoingMessage
from transport.message_service.states import OutgoingState
from transport.storage import blobs

_CAUSE = "retention"


class StillInProgress(Exception):
    """A worker has yet to do something with the message."""


def erase(participant: str, message_id: UUID, *, was_sent: bool) -> None:
    """Delete the files that hold a message's content, in the caller's transaction. Raises `StillInProgress`.

    States, history and receipts stay: they hold no content, and are evidence. A message that is not known
    here, or was erased before, changes nothing.
    """
    with transaction.atomic():
        if was_sent:
            _erase_outgoing(participant, message_id)
        else:
            _erase_incoming(participant, message_id)


def _erase_outgoing(participant: str, message_id: UUID) -> None:
    row = (
        OutgoingMessage.objects.select_for_update()
        .filter(
            organisation__participant_id=participant,
            kind=OutgoingMessage.Kind.MESSAGE,
            message_id=message_id,
        )
        .first()
    )
    if row is None:
        return
    if row.due_at is not None or (row.is_by_api and row.state == OutgoingState.SCHEDULED):
        raise StillInProgress
    for name in (row.payload_name, row.envelope_name):
        blobs.remove_on_commit(name)
    row.payload_name = row.envelope_name = ""
    row.save(update_fields=["payload_name", "envelope_name"])


def _erase_incoming(participant: str, message_id: UUID) -> None:
    rows = IncomingMessage.objects.select_for_update().filter(
        organisation__participant_id=participant, message_id=message_id
    )
    for row in rows:
        if row.due_at is not None:
            raise StillInProgress
        if row.is_by_api:
            continue
        local_delivery.discard(row, str(message_id), _CAUSE)
