"""Updating what lists show of a sent message's delivery, and whose turn it is when that changes."""

from collections.abc import Sequence
from uuid import UUID

from mailbox import events
from mailbox.conversations import state_changes
from mailbox.models import FAILED, Attachment, ConversationEvent, Message
from transport import unit_of_work
from transport.message_service.api import Cause, MessageKey, quarantine, states_of

from .ladder import CANCELLED


def update(sent: Sequence[MessageKey]) -> None:
    """Store what is known now of the delivery of sent messages, in the message service's transaction."""
    by_participant: dict[str, list[UUID]] = {}
    for participant, message_id in sent:
        by_participant.setdefault(participant, []).append(message_id)
    for participant, message_ids in by_participant.items():
        _update(participant, message_ids)


def _update(participant: str, message_ids: Sequence[UUID]) -> None:
    deliveries = states_of(participant, message_ids)
    rows = Message.objects.filter(
        direction=Message.Direction.OUT,
        message_id__in=deliveries,
        conversation__mailbox__participant_id=participant,
    ).select_related("conversation")
    messages = [(row, deliveries[row.message_id]) for row in rows.order_by("pk")]
    for message, delivery in messages:
        if delivery.cause == Cause.MALWARE_FOUND:
            found = quarantine.digests_of(participant, message.message_id)
            Attachment.objects.filter(document__message=message, sha256__in=found).update(is_blocked=True)
    before = [_concern(message) for message, _ in messages]
    undelivered_before = {message.pk for message, _ in messages if _is_not_delivered(message)}
    with unit_of_work.saving([message for message, _ in messages]):
        for message, delivery in messages:
            is_cancelled = delivery.cause == Cause.CANCELLED
            message.delivery_state = CANCELLED if is_cancelled else delivery.state
            message.is_receipt_missing = delivery.lacks_transport_receipt or delivery.lacks_message_receipt
    changed = {
        message.conversation_id
        for message, _ in messages
        if _is_not_delivered(message) != (message.pk in undelivered_before)
    }
    if changed:
        state_changes.update_not_delivered(changed)
    for (message, _), concern in zip(messages, before, strict=True):
        if _concern(message) != concern:
            _act_on(message)
        events.announce(message.conversation.mailbox_id)


def _act_on(message: Message) -> None:
    """Members have to act on a message that has not arrived, or perhaps not: it does not wait for an
    answer."""
    if message.is_automatic or message.delivery_state == CANCELLED:
        # `resend.cancel` brings the conversation back, in the same transaction; nobody waits for what was
        # sent automatically.
        return
    if _has_failed(message):
        state_changes.bring_back(message.conversation_id, ConversationEvent.What.UNDELIVERED)
    elif message.is_receipt_missing:
        state_changes.bring_back(message.conversation_id, ConversationEvent.What.OVERDUE)
    else:
        state_changes.wait_again(message)


def _concern(message: Message) -> tuple[bool, bool]:
    """Whether it has failed, and whether a receipt for it is overdue."""
    return _has_failed(message), message.is_receipt_missing


def _is_not_delivered(message: Message) -> bool:
    """As `NOT_DELIVERED` asks it of a row."""
    return message.delivery_state in FAILED or message.is_receipt_missing


def _has_failed(message: Message) -> bool:
    return message.delivery_state in FAILED or message.delivery_state == CANCELLED
