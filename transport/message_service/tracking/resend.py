"""By hand: send a message again that failed or lacks its receipt, and cancel one that has not left.

Rows are locked first, so that of a worker and a person one decides; both are in the history.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from transport import access_point_port
from transport.causes import Cause
from transport.message_service import outbound
from transport.message_service.models import OutgoingMessage
from transport.message_service.states import OutgoingState

# A message that failed so would only fail again.
_FINAL_CAUSES = frozenset({Cause.MALWARE_FOUND, Cause.MESSAGE_INVALID})
_NOT_HANDED_OVER = frozenset(
    {
        Cause.MESSAGE_SERVICE_UNAVAILABLE,
        Cause.MESSAGE_SERVICE_REFUSED,
        Cause.SCANNER_UNAVAILABLE,
        Cause.CANCELLED,
    }
)
_IN_TRANSFER = frozenset({OutgoingState.SUBMITTED, OutgoingState.SCHEDULED_FOR_RESEND})


class CannotBeSentAgain(Exception):
    """The message is on its way, is settled, or its content is kept no longer."""


class HasLeft(Exception):
    """The message has been submitted and perhaps sent, or will not be sent anyway."""


def may_be_sent_again(row: OutgoingMessage) -> bool:
    """Whether the message has failed or lacks a receipt, and is still kept."""
    if row.is_receipt or not row.payload_name:
        return False
    if row.is_by_api:
        # What another message service has, it does not accept again by the same id.
        return row.state == OutgoingState.MESSAGE_EXCHANGE_ERROR and row.cause in _NOT_HANDED_OVER
    match OutgoingState(row.state):
        case OutgoingState.MESSAGE_EXCHANGE_ERROR:
            return row.cause not in _FINAL_CAUSES
        case OutgoingState.WAITING_FOR_RECEIPT:
            return row.receipt_missing_at is not None
        case state if state in _IN_TRANSFER:
            return row.transport_missing_at is not None
    return False


def may_be_cancelled(row: OutgoingMessage, cancellable: Collection[UUID]) -> bool:
    """Whether the message is still here: not submitted, or among the transfers that can be cancelled."""
    if row.is_receipt or row.handed_over_at is not None:
        return False
    return row.state == OutgoingState.SCHEDULED or (row.state in _IN_TRANSFER and row.transfer in cancellable)


def cancellable_transfers(rows: Iterable[OutgoingMessage]) -> set[UUID]:
    """The transfers of these messages that the access point has, and has never begun to send."""
    submitted = [row.transfer for row in rows if not row.is_receipt and row.state in _IN_TRANSFER]
    return access_point_port.access_point().cancellable(submitted) if submitted else set()


def send_again(participant: str, message_id: UUID, *, actor: str) -> None:
    """Order the same message, by its id, in a new transfer; it is sealed anew. Raises `CannotBeSentAgain`.

    `actor` goes into the history.
    """
    with transaction.atomic():
        row = _locked(participant, message_id)
        if row is None or not may_be_sent_again(row):
            raise CannotBeSentAgain
        outbound.schedule_again(row, actor=actor)


def cancel(participant: str, message_id: UUID, *, actor: str) -> None:
    """See to it that the message does not leave. Raises `HasLeft`.

    A worker that is sealing or sending it finds its lease gone, and drops what it has made.
    """
    with transaction.atomic():
        cancelled = _cancel_transfer(participant, message_id)
        row = _locked(participant, message_id)
        if row is None or not may_be_cancelled(row, cancelled):
            raise HasLeft
        outbound.cancel(row, actor=actor)


def _cancel_transfer(participant: str, message_id: UUID) -> set[UUID]:
    """The message's transfer, if the access point had it and has cancelled it; else nothing.

    Before the message's row is locked: a worker that reports on a transfer locks the two in the same order.
    """
    row = _rows(participant, message_id).first()
    if row is None or row.state not in _IN_TRANSFER:
        return set()
    return {row.transfer} if access_point_port.access_point().cancel(row.transfer) else set()


def _locked(participant: str, message_id: UUID) -> OutgoingMessage | None:
    rows = _rows(participant, message_id).select_for_update(of=("self",))
    return rows.select_related("organisation").first()


def _rows(participant: str, message_id: UUID) -> QuerySet[OutgoingMessage]:
    return OutgoingMessage.objects.filter(
        organisation__participant_id=participant,
        kind=OutgoingMessage.Kind.MESSAGE,
        message_id=message_id,
    )
