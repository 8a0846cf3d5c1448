"""What a person does by hand about a message that was sent: send it again, cancel it.

The message service has both in the message's own history; here they come into the conversation's too.
"""

from django.db import transaction

from mailbox.conversations import assignment, state_changes
from mailbox.models import ConversationEvent, Message, Person
from transport.message_service.api import resend


def send_again(message: Message, person: Person) -> None:
    """Send the same message once more. Raises `resending.CannotBeSentAgain`."""
    if message.direction != Message.Direction.OUT:
        raise resend.CannotBeSentAgain
    participant = message.conversation.mailbox.participant_id
    with transaction.atomic():
        assignment.locked_for(message.conversation_id, person)
        resend.send_again(participant, message.message_id, actor=person.name)
        assignment.record_event(message.conversation, ConversationEvent.What.SENT_AGAIN, person)


def cancel(message: Message, person: Person) -> None:
    """Keep a message from leaving: it is in the inbox again. Raises `resending.HasLeft`."""
    if message.direction != Message.Direction.OUT:
        raise resend.HasLeft
    participant = message.conversation.mailbox.participant_id
    with transaction.atomic():
        assignment.locked_for(message.conversation_id, person)
        resend.cancel(participant, message.message_id, actor=person.name)
        state_changes.bring_back(message.conversation_id, ConversationEvent.What.CANCELLED, person)
