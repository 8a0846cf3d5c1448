"""By hand: send a message again that failed or lacks its receipt, and cancel one that has not left.

Rows are locked first, so that of a worker and a person one decides; both are in the history.
"""

import uuid
from collections.abc import Collection, Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from transport import access_point_port
from transport.causes import Cause
from transport.jobs import task_named, wake
from transport.message_service import transitions
from transport.message_service.models import OutgoingMessage
from transport.message_service.states import OutgoingState
from transport.storage import blobs

from . import deadlines

# Sent again they would only fail again.
_FINAL_CAUSES = frozenset({Cause.MALWARE_FOUND, Cause.MESSAGE_INVALID})
_ON_THEIR_WAY = frozenset({OutgoingState.SUBMITTED, OutgoingState.SCHEDULED_FOR_RESEND})


class CannotBeSentAgain(Exception):
    """The message is on its way, is settled, or its content is kept no longer."""


class HasLeft(Exception):
    """The message has been handed over already, or will not be."""


def may_be_sent_again(row: OutgoingMessage) -> bool:
    """Whether the message has failed or lacks a receipt, and is still kept."""
    if row.is_receipt or not row.payload_name:
        return False
    match OutgoingState(row.state):
        case OutgoingState.MESSAGE_EXCHANGE_ERROR:
            return row.cause not in _FINAL_CAUSES
        case OutgoingState.WAITING_FOR_RECEIPT:
            return row.receipt_missing_at is not None
        case state if state in _ON_THEIR_WAY:
            return row.transport_missing_at is not None
    return False


def may_be_cancelled(row: OutgoingMessage, unsent: Collection[UUID]) -> bool:
    """Whether the message is still here: not handed over, or among what the access point has not sent."""
    if row.is_receipt:
        return False
    return row.state == OutgoingState.SCHEDULED or (row.state in _ON_THEIR_WAY and row.transfer in unsent)


def unsent_of(rows: Iterable[OutgoingMessage]) -> set[UUID]:
    """The transfers of these messages that the access point has, and has never begun to send."""
    handed_over = [row.transfer for row in rows if not row.is_receipt and row.state in _ON_THEIR_WAY]
    return access_point_port.access_point().unsent(handed_over) if handed_over else set()


def send_again(participant: str, message_id: UUID, *, actor: str) -> None:
    """Order the same message, by its id, in a new transfer; it is sealed anew. Raises `CannotBeSentAgain`."""
    with transaction.atomic():
        row = _locked(participant, message_id)
        if row is None or not may_be_sent_again(row):
            raise CannotBeSentAgain
        transitions.transition_to(row, OutgoingState.SCHEDULED, cause=transitions.BY_HAND, actor=actor)
        row.cause = ""
        blobs.remove_on_commit(row.envelope_name)
        row.envelope_name = ""
        row.transfer_reference = uuid.uuid4()
        row.ordered_at = row.due_at = timezone.now()
        row.attempts = 0
        row.transport_receipt_at = row.transport_missing_at = None
        row.receipt_due_at = row.receipt_missing_at = None
        row.transport_due_at = deadlines.for_transport_receipt()
        transitions.save_and_notify(row)
        wake(task_named("transport.message_service.tasks.seal"), row.pk)


def cancel(participant: str, message_id: UUID, *, actor: str) -> None:
    """See to it that the message does not leave. Raises `HasLeft`.

    A worker that is sealing or sending it finds its lease gone, and drops what it has made. A message that
    was sent before is kept: what is cancelled is only the new attempt.
    """
    with transaction.atomic():
        taken_back = _taken_back(participant, message_id)
        row = _locked(participant, message_id)
        if row is None or not may_be_cancelled(row, taken_back):
            raise HasLeft
        transitions.transition_to(
            row, OutgoingState.MESSAGE_EXCHANGE_ERROR, cause=Cause.CANCELLED, actor=actor
        )
        row.due_at = row.lease = row.lease_until = row.transport_due_at = None
        if row.transfer_reference is None:
            blobs.remove_on_commit(row.payload_name)
            row.payload_name = ""
        blobs.remove_on_commit(row.envelope_name)
        row.envelope_name = ""
        transitions.save_and_notify(row)


def _taken_back(participant: str, message_id: UUID) -> set[UUID]:
    """The message's transfer, if the access point had it and has given it back.

    Before the message's row is locked: a worker that tells of a transfer locks the two in the same order.
    """
    row = _rows(participant, message_id).first()
    if row is None or row.state not in _ON_THEIR_WAY:
        return set()
    return {row.transfer} if access_point_port.access_point().take_back(row.transfer) else set()


def _locked(participant: str, message_id: UUID) -> OutgoingMessage | None:
    rows = _rows(participant, message_id).select_for_update(of=("self",))
    return rows.select_related("organisation").first()


def _rows(participant: str, message_id: UUID) -> QuerySet[OutgoingMessage]:
    return OutgoingMessage.objects.filter(
        organisation__participant_id=participant,
        kind=OutgoingMessage.Kind.MESSAGE,
        message_id=message_id,
    )
