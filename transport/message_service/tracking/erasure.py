"""Deleting what a message said, when a client's rules say that its time is up. What happened to it stays."""

from uuid import UUID

from django.db import transaction

from transport.message_service import local_delivery
from transport.message_service.models import IncomingMessage, OutgoingMessage
from transport.storage import blobs

_CAUSE = "retention"


class StillInProgress(Exception):
    """A worker has yet to do something with the message."""


def erase(participant: str, message_id: UUID, *, was_sent: bool) -> None:
    """Delete the files that hold what a message said, in the caller's transaction. Raises `StillInWork`.

    States, history and receipts stay: they hold no content, and are evidence. A message that is not known
    here, or was forgotten before, changes nothing.
    """
    with transaction.atomic():
        if was_sent:
            _forget_sent(participant, message_id)
        else:
            _forget_arrived(participant, message_id)


def _forget_sent(participant: str, message_id: UUID) -> None:
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
    if row.due_at is not None:
        raise StillInProgress
    for name in (row.payload_name, row.envelope_name):
        blobs.remove_on_commit(name)
    row.payload_name = row.envelope_name = ""
    row.save(update_fields=["payload_name", "envelope_name"])


def _forget_arrived(participant: str, message_id: UUID) -> None:
    rows = IncomingMessage.objects.select_for_update().filter(
        organisation__participant_id=participant, message_id=message_id
    )
    for row in rows:
        if row.due_at is not None:
            raise StillInProgress
        local_delivery.discard(row, str(message_id), _CAUSE)
