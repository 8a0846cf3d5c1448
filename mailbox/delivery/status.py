"""Updating what lists show of a sent message's delivery, and whose turn it is when that changes."""

from uuid import UUID

from mailbox import events
from mailbox.conversations import state_changes
from mailbox.models import FAILED, Attachment, ConversationEvent, Message
from transport.message_service.api import Cause, Delivery, quarantine, state_of

from .ladder import CANCELLED


def update(participant: str, message_id: UUID) -> None:
    """Store what is known now of a sent message's delivery, in the message service's transaction."""
    delivery = state_of(participant, message_id)
    if delivery is None:
        return
    sent = Message.objects.filter(
        direction=Message.Direction.OUT,
        message_id=message_id,
        conversation__mailbox__participant_id=participant,
    ).select_related("conversation")
    if delivery.cause == Cause.MALWARE_FOUND:
        found = quarantine.digests_of(participant, message_id)
        Attachment.objects.filter(document__message__in=sent, sha256__in=found).update(is_blocked=True)
    for message in sent:
        _update_message(message, delivery)
        events.announce(message.conversation.mailbox_id)


def _update_message(message: Message, delivery: Delivery) -> None:
    before = _has_failed(message), message.is_receipt_missing
    message.delivery_state = CANCELLED if delivery.cause == Cause.CANCELLED else delivery.state
    message.is_receipt_missing = delivery.lacks_transport_receipt or delivery.lacks_message_receipt
    message.save(update_fields=["delivery_state", "is_receipt_missing"])
    after = _has_failed(message), message.is_receipt_missing
    if after == before:
        return
    # Members have to act on a message that has not arrived, or perhaps not: it does not wait for an answer.
    if message.delivery_state == CANCELLED:
        # `resend.cancel` brings the conversation back, in the same transaction.
        return
    if after[0]:
        state_changes.bring_back(message.conversation_id, ConversationEvent.What.UNDELIVERED)
    elif after[1]:
        state_changes.bring_back(message.conversation_id, ConversationEvent.What.OVERDUE)
    else:
        state_changes.wait_again(message)


def _has_failed(message: Message) -> bool:
    return message.delivery_state in FAILED or message.delivery_state == CANCELLED
