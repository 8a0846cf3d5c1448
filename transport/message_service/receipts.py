"""Message receipts: each settles the message that it is for, once, and only from the message's recipient."""

from collections.abc import Sequence
from uuid import UUID

from django.utils import timezone

from transport import unit_of_work
from transport.protocol.message_receipt import MessageReceipt
from transport.protocol.xhe.envelope import Envelope
from transport.storage import blobs

from . import local_delivery, outbound, transitions
from .message_types.verdicts import AcceptReceipt, ReceiptUse
from .models import IncomingMessage, OutgoingMessage
from .states import OutgoingState
from .validation import uuid_of

_LONGEST_TEXT = 500


def apply_all(accepted: Sequence[tuple[IncomingMessage, AcceptReceipt]]) -> list[ReceiptUse]:
    """Settle the messages that accepted receipts are for (C3.2.4), in the caller's transaction.

    A receipt for no message of the organisation's to the receipt's sender, or after another receipt, changes
    nothing.
    """
    messages = _answered_messages(accepted)
    with unit_of_work.saving(messages.values()):
        return [_apply(row, verdict, messages.get(_key(row, verdict))) for row, verdict in accepted]


def _apply(row: IncomingMessage, accepted: AcceptReceipt, message: OutgoingMessage | None) -> ReceiptUse:
    if message is None:
        return ReceiptUse(False, "receipt for no message of ours")
    if not transitions.can_transition_to(message, OutgoingState(accepted.receipt.code.value)):
        return ReceiptUse(False, "receipt after another")
    settle(message, accepted.receipt, row, accepted.envelope)
    return ReceiptUse(True, f"receipt {accepted.receipt.code}")


def settle(
    message: OutgoingMessage, receipt: MessageReceipt, incoming: IncomingMessage, envelope: Envelope
) -> None:
    """Settle a message by its receipt; the caller has locked the row, checked that the two fit, and saves it.

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


_Key = tuple[int, UUID | None, str]


def _key(row: IncomingMessage, accepted: AcceptReceipt) -> _Key:
    """Whose message a receipt is for, by which id, and to whom."""
    reference = uuid_of(accepted.receipt.ref_message_id)
    return row.organisation_id, reference, accepted.envelope.sender.value


def _answered_messages(
    accepted: Sequence[tuple[IncomingMessage, AcceptReceipt]],
) -> dict[_Key, OutgoingMessage]:
    """The messages that the receipts are for, locked in the order of their keys."""
    keys = {_key(row, verdict) for row, verdict in accepted}
    rows = OutgoingMessage.objects.filter(
        organisation__in={organisation for organisation, _, _ in keys},
        message_id__in={reference for _, reference, _ in keys if reference is not None},
        kind=OutgoingMessage.Kind.MESSAGE,
    )
    rows = rows.select_related("organisation").order_by("pk").select_for_update(of=("self",))
    found = {(row.organisation_id, row.message_id, row.recipient): row for row in rows}
    return {key: row for key, row in found.items() if key in keys}
