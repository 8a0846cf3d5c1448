"""Reminders, which bring a conversation to the top of the inbox at a time."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from mailbox.models import Conversation, ConversationEvent, Person
from mailbox.staffed_hours import calendars

from . import assignment

What = ConversationEvent.What
State = Conversation.State
# The days that one button sets, by the button's action, from the day it is pressed.
PRESETS: Final[dict[str, Callable[[date], date]]] = {
    "remind-tomorrow": lambda today: today + timedelta(days=1),
    "remind-monday": lambda today: today + timedelta(days=7 - today.weekday()),
    "remind-in-a-week": lambda today: today + timedelta(days=7),
}


def set_reminder(
    conversation_id: int, person: Person, at: datetime | None, *, is_moved_to_working_day: bool = False
) -> ConversationEvent:
    """Set the time of the conversation's reminder; None removes it. Raises `NotAMember`.

    With `is_moved_to_working_day` it comes at that time of the mailbox's next working day, which the event
    tells.
    """
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        before = assignment.snapshot_for_undo(row)
        if at is not None and is_moved_to_working_day:
            local = timezone.localtime(at)
            day = calendars.working_day_from(row.mailbox, local.date())
            at = timezone.make_aware(datetime.combine(day, local.time()))
        row.remind_at = at
        row.save(update_fields=["remind_at"])
        to = timezone.localtime(at).date().isoformat() if at else ""
        return assignment.record_event(row, What.REMIND, person, before=before, to=to)


def preset_day(action: str) -> date | None:
    """The day that a button stands for, counted from today in local time; None for other actions."""
    preset = PRESETS.get(action)
    return preset(timezone.localdate()) if preset else None


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
