"""The state of a conversation: open, done or in the trash; and whose turn it is, ours or the other side's.

Every change locks the conversation first and is a line of its history. What a person has changed they can
undo for some seconds (`undo`).
"""

from datetime import date

from django.db import transaction
from django.utils import timezone

from mailbox.models import Conversation, ConversationEvent, Message, Person, Reassignment

from . import assignment

What = ConversationEvent.What
State = Conversation.State


def finish(conversation_id: int, person: Person) -> ConversationEvent:
    """Nothing more is to be done. Raises `NotAMember`."""
    return _move(conversation_id, person, State.DONE, What.DONE)


def reopen(conversation_id: int, person: Person) -> ConversationEvent:
    """Something is to be done after all; also takes it out of the trash. Raises `NotAMember`."""
    return _move(conversation_id, person, State.OPEN, What.REOPENED)


def move_to_trash(conversation_id: int, person: Person) -> ConversationEvent:
    """Put it in the trash. What is deleted, and when, retention rules say. Raises `NotAMember`."""
    return _move(conversation_id, person, State.TRASH, What.TRASHED)


def arrived(conversation: Conversation) -> None:
    """A message has come: what was done or thrown away is open again."""
    if conversation.state != State.OPEN:
        Conversation.objects.filter(pk=conversation.pk).update(state=State.OPEN)
        assignment.record_event(conversation, What.ARRIVED, None)


def bring_back(conversation_id: int, what: ConversationEvent.What, person: Person | None = None) -> None:
    """Something that was sent did not come out, or may not have: it is in the inbox again, at the top."""
    row = assignment.locked(conversation_id)
    row.state, row.is_waiting, row.last_activity_at = State.OPEN, False, timezone.now()
    row.save(update_fields=["state", "is_waiting", "last_activity_at"])
    assignment.record_event(row, what, person)


def wait_again(message: Message) -> None:
    """What brought it back is over: if the message was the last word, it is the other side's turn again."""
    row = assignment.locked(message.conversation_id)
    later = row.messages.filter(at__gt=message.at)
    if row.state == State.OPEN and not row.is_waiting and not later.exists():
        row.is_waiting = True
        row.save(update_fields=["is_waiting"])


def _move(
    conversation_id: int, person: Person, state: Conversation.State, what: ConversationEvent.What
) -> ConversationEvent:
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        before = assignment.snapshot_for_undo(row)
        row.state = state
        row.save(update_fields=["state"])
        if state != State.OPEN:
            assignment.set_assignee(row, None)
            # What is finished is not on its way to somebody else.
            assignment.end_offer(row, Reassignment.Outcome.WITHDRAWN)
        return assignment.record_event(row, what, person, before=before)


def set_due_on(conversation_id: int, person: Person, due_on: date | None) -> ConversationEvent:
    """Say by which day the conversation is to be done; None takes the day away. Raises `NotAMember`."""
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        before = assignment.snapshot_for_undo(row)
        row.due_on = due_on
        row.save(update_fields=["due_on"])
        to = due_on.isoformat() if due_on else ""
        return assignment.record_event(row, What.DUE, person, before=before, to=to)
