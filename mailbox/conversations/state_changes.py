"""Changes of a conversation's state (open, done, in the trash), whose turn it is, due date and priority.

Every change locks the conversation first and records an event. A person can undo their own change for some
seconds (`undo`).
"""

from collections.abc import Collection
from datetime import date

from django.db import transaction
from django.db.models import Case, OuterRef, Subquery, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from mailbox.models import (
    NOT_DELIVERED,
    CaseDelivery,
    Conversation,
    ConversationEvent,
    Message,
    Person,
    Reassignment,
    TimeLimit,
)
from mailbox.staffed_hours import calendars, time_limits

from . import assignment, case_deliveries

What = ConversationEvent.What
State = Conversation.State


class NotRegistered(Exception):
    """The mailbox demands that messages are registered, or found to be of minor importance, before done."""


def finish(conversation_id: int, person: Person) -> ConversationEvent:
    """Mark the conversation as done. Raises `NotAMember`, and `NotRegistered` (decided under the lock)."""
    return _move(conversation_id, person, State.DONE, What.DONE)


def reopen(conversation_id: int, person: Person) -> ConversationEvent:
    """Open a conversation again that is done or in the trash. Raises `NotAMember`."""
    return _move(conversation_id, person, State.OPEN, What.REOPENED)


def move_to_trash(conversation_id: int, person: Person) -> ConversationEvent:
    """Put the conversation in the trash, where retention rules delete it. Raises `NotAMember`."""
    return _move(conversation_id, person, State.TRASH, What.TRASHED)


def reopen_for_arrival(conversation: Conversation) -> None:
    """Open a conversation again in which a message has arrived."""
    if conversation.state != State.OPEN:
        Conversation.objects.filter(pk=conversation.pk).update(state=State.OPEN)
        assignment.record_event(conversation, What.ARRIVED, None)


def bring_back(conversation_id: int, what: ConversationEvent.What, person: Person | None = None) -> None:
    """Put a conversation at the top of the inbox, since a message of it may not have been delivered."""
    row = assignment.locked(conversation_id)
    row.state, row.is_waiting, row.last_activity_at = State.OPEN, False, timezone.now()
    row.save(update_fields=["state", "is_waiting", "last_activity_at"])
    assignment.record_event(row, what, person)


def wait_again(message: Message) -> None:
    """Let a conversation wait for an answer again, if its latest message was delivered after all."""
    row = assignment.locked(message.conversation_id)
    later = row.messages.filter(at__gt=message.at)
    if row.state == State.OPEN and not row.is_waiting and not later.exists():
        row.is_waiting = True
        row.save(update_fields=["is_waiting"])


def update_not_delivered(conversation_ids: Collection[int]) -> None:
    """Store whether the latest sent message of each of these conversations has not been delivered, or perhaps
    not; call it when the delivery of a message has changed."""
    rows = Conversation.objects.filter(pk__in=set(conversation_ids)).order_by("pk")
    # Locked first: the next statement sees what others have committed until then.
    keys = list(rows.select_for_update(of=("self",)).values_list("pk", flat=True))
    latest = Message.objects.filter(
        conversation=OuterRef("pk"), direction=Message.Direction.OUT, is_automatic=False
    )
    is_concern = Case(When(NOT_DELIVERED, then=True), default=False)
    latest = latest.order_by("-at", "-pk").annotate(is_concern=is_concern)
    Conversation.objects.filter(pk__in=keys).update(
        is_not_delivered=Coalesce(Subquery(latest.values("is_concern")[:1]), False)
    )


def _move(
    conversation_id: int, person: Person, state: Conversation.State, what: ConversationEvent.What
) -> ConversationEvent:
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        if state == State.DONE and row.state != State.DONE and row.lacks_registration:
            raise NotRegistered
        before = assignment.snapshot_for_undo(row)
        row.state = state
        row.save(update_fields=["state"])
        if state != State.OPEN:
            before["time_limits"] = time_limits.end(row, *TimeLimit.Kind)
            assignment.set_assignee(row, None)
            # A conversation that is not open is offered to nobody.
            assignment.end_offer(row, Reassignment.Outcome.WITHDRAWN)
        event = assignment.record_event(row, what, person, before=before)
        if what == What.DONE:
            case_deliveries.order_by_itself(row, CaseDelivery.Trigger.DONE)
        return event


def set_due_on(conversation_id: int, person: Person, due_on: date | None) -> ConversationEvent:
    """Set the conversation's due date; None removes it. Raises `NotAMember`.

    A day on which nobody is there becomes the next working day, which the event tells.
    """
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        before = assignment.snapshot_for_undo(row)
        if due_on is not None:
            due_on = calendars.working_day_from(row.mailbox, due_on)
        row.due_on = due_on
        row.save(update_fields=["due_on"])
        to = due_on.isoformat() if due_on else ""
        return assignment.record_event(row, What.DUE, person, before=before, to=to)


def prioritise(conversation_id: int, person: Person) -> ConversationEvent | None:
    """Mark the conversation as prioritised; None where it is already. Raises `NotAMember`."""
    return _set_priority(conversation_id, person, is_priority=True)


def remove_priority(conversation_id: int, person: Person) -> ConversationEvent | None:
    """Remove the conversation's priority; None where it has none. Raises `NotAMember`."""
    return _set_priority(conversation_id, person, is_priority=False)


def _set_priority(conversation_id: int, person: Person, *, is_priority: bool) -> ConversationEvent | None:
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        if row.is_priority == is_priority:
            return None
        before = assignment.snapshot_for_undo(row)
        row.is_priority = is_priority
        row.save(update_fields=["is_priority"])
        what = What.PRIORITISED if is_priority else What.PRIORITY_REMOVED
        return assignment.record_event(row, what, person, before=before)
