"""What became of a message that was sent: told by the access point, then by the recipient's receipt."""

import logging
from uuid import UUID

from django.utils import timezone

from transport.access_point_port import Outcome
from transport.protocol.message_receipt import MessageReceipt
from transport.protocol.xhe.envelope import Envelope
from transport.storage import blobs

from . import local_delivery, transitions
from .models import IncomingMessage, OutgoingMessage
from .states import IncomingState, OutgoingState
from .tracking import deadlines

logger = logging.getLogger(__name__)
_LONGEST_TEXT = 500


def transfer_changed(reference: UUID, outcome: Outcome, cause: str) -> None:
    """Note what became of a transfer of ours, in the access point's transaction."""
    rows = OutgoingMessage.of_transfer(reference).select_related("organisation")
    row = rows.select_for_update(of=("self",)).first()
    if row is None:
        return
    match outcome:
        case Outcome.DELIVERED:
            acknowledged(row)
        case Outcome.RESENDING:
            if transitions.can_transition_to(row, OutgoingState.SCHEDULED_FOR_RESEND):
                transitions.transition_to(row, OutgoingState.SCHEDULED_FOR_RESEND, cause=cause)
        case Outcome.FAILED:
            if transitions.can_transition_to(row, OutgoingState.MESSAGE_EXCHANGE_ERROR):
                failed(row, cause)
    transitions.save_and_notify(row)


def failed(row: OutgoingMessage, cause: str) -> None:
    """The message did not get there. What an undelivered receipt answered was not acknowledged, then."""
    transitions.transition_to(row, OutgoingState.MESSAGE_EXCHANGE_ERROR, cause=cause)
    row.transport_due_at = None
    answered = _answered(row)
    if answered is not None and answered.state == IncomingState.RETRIEVED:
        transitions.transition_incoming(
            answered, IncomingState.MESSAGE_EXCHANGE_ERROR, cause=f"receipt {cause}"
        )
        transitions.save_arrival_and_notify(answered)


def apply_receipt(
    message: OutgoingMessage, receipt: MessageReceipt, incoming: IncomingMessage, arrived_as: Envelope
) -> None:
    """Let a receipt settle the message that it is for; the caller has locked the row and judged both."""
    message.message_receipt_at = timezone.now()
    message.transport_due_at = message.receipt_due_at = None
    # It may be about to be sent again: that is needless now, and a worker that is at it drops what it makes.
    message.due_at = message.lease = message.lease_until = None
    message.causes = [
        {
            "reason": cause.reason,
            "detail": cause.detail_code,
            "text": cause.text[:_LONGEST_TEXT],
            "place": cause.xpath[:_LONGEST_TEXT],
        }
        for cause in receipt.causes
    ]
    with local_delivery.arrivals_of(incoming).open(incoming.transfer_id) as source:
        name = blobs.dated("outgoing", f"{message.pk}.{arrived_as.message_id}.receipt")
        message.message_receipt_name = blobs.store(name, source, message.message_receipt_place)
    codes = sorted({f"{cause.reason}/{cause.detail_code or '-'}" for cause in receipt.causes})
    transitions.transition_to(message, OutgoingState(receipt.code.value), cause=", ".join(codes))
    _let_go_of_payload(message)
    transitions.save_and_notify(message)


def acknowledged(row: OutgoingMessage, *, cause: str = "") -> None:
    """It has arrived: the transport receipt has come, or it was handed over inside this node.

    For a message, the wait for its message receipt begins. The caller saves the row.
    """
    row.transport_receipt_at = timezone.now()
    row.transport_due_at = None
    if not transitions.can_transition_to(row, OutgoingState.ACKNOWLEDGE):
        # The message receipt was faster.
        transitions.record_event(row, transitions.TRANSPORT_RECEIPT, cause=cause)
        return
    states = [OutgoingState.ACKNOWLEDGE]
    if not row.is_receipt:
        states.append(OutgoingState.WAITING_FOR_RECEIPT)
    transitions.acknowledge(row, states, cause=cause)
    if not row.is_receipt:
        row.receipt_due_at = deadlines.for_message_receipt()
        return
    _let_go_of_payload(row)
    answered = _answered(row)
    if answered is not None and answered.state == IncomingState.RETRIEVED:
        transitions.transition_incoming(answered, IncomingState.RECEIPT_SENT, IncomingState.NEW)
        transitions.save_arrival_and_notify(answered)


def _answered(row: OutgoingMessage) -> IncomingMessage | None:
    """The message that a receipt of ours answers."""
    if row.answers_id is None:
        return None
    rows = IncomingMessage.objects.select_related("organisation").select_for_update(of=("self",))
    return rows.get(pk=row.answers_id)


def _let_go_of_payload(row: OutgoingMessage) -> None:
    """The message in the clear is not needed any more; its envelope and receipts are kept as evidence."""
    blobs.remove_on_commit(row.payload_name)
    row.payload_name = ""
