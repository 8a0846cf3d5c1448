"""Sending a message again, and cancelling it, on a person's order.

The message service records both in the message's history; here they are recorded in the conversation's too.
"""

from django.db import transaction

from mailbox import access
from mailbox.approval.rule import check_may_send_again
from mailbox.conversations import assignment, state_changes
from mailbox.models import ConversationEvent, Message, Person
from transport.message_service.api import resend


def send_again(message: Message, person: Person) -> None:
    """Send a failed message again. Raises `CannotBeSentAgain`, `NotByWriter`, and `assignment.NotAMember`
    where the person does not send from the mailbox."""
    if message.direction != Message.Direction.OUT:
        raise resend.CannotBeSentAgain
    participant = message.conversation.mailbox.participant_id
    with transaction.atomic():
        message.conversation = assignment.locked_for(message.conversation_id, person)
        if not access.messages_to_send_again(person).filter(pk=message.pk).exists():
            raise assignment.NotAMember
        check_may_send_again(message, person)
        resend.send_again(participant, message.message_id, actor=person.name)
        assignment.record_event(message.conversation, ConversationEvent.What.SENT_AGAIN, person)


def cancel(message: Message, person: Person) -> None:
    """Cancel a message that has not left, and put its conversation in the inbox again. Raises `HasLeft`."""
    if message.direction != Message.Direction.OUT:
        raise resend.HasLeft
    participant = message.conversation.mailbox.participant_id
    with transaction.atomic():
        assignment.locked_for(message.conversation_id, person)
        resend.cancel(participant, message.message_id, actor=person.name)
        state_changes.bring_back(message.conversation_id, ConversationEvent.What.CANCELLED, person)
