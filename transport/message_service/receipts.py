"""Message receipts: each settles the message that it is for, once, and only from the message's recipient."""

from django.utils import timezone

from transport.protocol.message_receipt import MessageReceipt
from transport.protocol.xhe.envelope import Envelope
from transport.storage import blobs

from . import local_delivery, outbound, transitions
from .message_types.verdicts import AcceptReceipt, ReceiptUse
from .models import IncomingMessage, OutgoingMessage
from .states import OutgoingState
from .validation import uuid_of

_LONGEST_TEXT = 500


def apply(row: IncomingMessage, accepted: AcceptReceipt) -> ReceiptUse:
    """Settle the message that an accepted receipt is for (C3.2.4), in the caller's transaction.

    A receipt for no message of the organisation's to the receipt's sender, or after another receipt, changes
    nothing.
    """
    message = _answered_message(row, accepted)
    if message is None:
        return ReceiptUse(False, "receipt for no message of ours")
    if not transitions.can_transition_to(message, OutgoingState(accepted.receipt.code.value)):
        return ReceiptUse(False, "receipt after another")
    settle(message, accepted.receipt, row, accepted.envelope)
    return ReceiptUse(True, f"receipt {accepted.receipt.code}")


def settle(
    message: OutgoingMessage, receipt: MessageReceipt, incoming: IncomingMessage, envelope: Envelope
) -> None:
    """Settle a message by its receipt; the caller has locked the row and checked that the two fit.

    The receipt's causes and its signed envelope are kept with the message.
    """
    message.message_receipt_at = timezone.now()
    message.causes = [
        {
            "reason": cause.reason,
            "detail": cause.detail_code,
            "text": cause.text[:_LONGEST_TEXT],
            "place": cause.xpath[:_LONGEST_TEXT],
        }
        for cause in receipt.causes
    ]
    with local_delivery.envelope_store_of(incoming).open(incoming.transfer_id) as source:
        name = blobs.dated("outgoing", f"{message.pk}.{envelope.message_id}.receipt")
        message.message_receipt_name = blobs.store(name, source, message.message_receipt_binding)
    codes = sorted({f"{cause.reason}/{cause.detail_code or '-'}" for cause in receipt.causes})
    outbound.settle(message, OutgoingState(receipt.code.value), cause=", ".join(codes))


def _answered_message(row: IncomingMessage, accepted: AcceptReceipt) -> OutgoingMessage | None:
    """The message that the receipt is for, locked."""
    reference = uuid_of(accepted.receipt.ref_message_id)
    if reference is None:
        return None
    return (
        OutgoingMessage.objects.select_related("organisation")
        .select_for_update(of=("self",))
        .filter(
            organisation=row.organisation,
            message_id=reference,
            recipient=accepted.envelope.sender.value,
            kind=OutgoingMessage.Kind.MESSAGE,
        )
        .first()
    )
