"""Reminders, which bring a conversation to the top of the inbox at a time."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from mailbox.models import Conversation, ConversationEvent, Person

from . import assignment

What = ConversationEvent.What
State = Conversation.State


def set_reminder(conversation_id: int, person: Person, at: datetime | None) -> ConversationEvent:
    """Set the time of the conversation's reminder; None removes it. Raises `NotAMember`."""
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        before = assignment.snapshot_for_undo(row)
        row.remind_at = at
        row.save(update_fields=["remind_at"])
        to = timezone.localtime(at).date().isoformat() if at else ""
        return assignment.record_event(row, What.REMIND, person, before=before, to=to)


def send_due_reminders() -> int:
    """Bring up the conversations whose reminder is due; returns how many.

    The event names the person who set the reminder: their start page shows the conversation until they have
    opened it.
    """
    count = 0
    due = Conversation.objects.filter(remind_at__lte=timezone.now())
    for key in list(due.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            row = assignment.locked(key)
            if row.remind_at is None or row.remind_at > timezone.now():
                continue
            row.remind_at, row.state, row.is_waiting = None, State.OPEN, False
            row.last_activity_at = timezone.now()
            row.save(update_fields=["remind_at", "state", "is_waiting", "last_activity_at"])
            reminder = (
                row.events.filter(what=What.REMIND).select_related("actor").order_by("-at", "-pk").first()
            )
            assignment.record_event(row, What.BROUGHT_UP, reminder.actor if reminder else None)
            count += 1
    return count
