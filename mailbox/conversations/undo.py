"""Undoing: for some seconds a person can reverse their latest change, if nothing has changed since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from mailbox.access import undoable_by
from mailbox.models import Conversation, ConversationEvent, FunctionMailbox, Label, Person, Reassignment
from mailbox.staffed_hours import time_limits

from . import assignment

UNDO_SECONDS: Final = 20
What = ConversationEvent.What
# Events that do not change the conversation's state, assignee, days, priority or labels.
_NO_CHANGES: Final = (
    What.OPENED,
    What.NOTED,
    What.NOTE_REMOVED,
    What.RETENTION_HOLD,
    What.RELEASED,
    What.REGISTERED,
    What.OF_MINOR_IMPORTANCE,
    What.REGISTRATION_CORRECTED,
    What.REGISTRATION_WITHDRAWN,
    What.NOTIFIED_BY_RULE,
    What.CASE_ORDERED,
    What.CASE_DELIVERED,
    What.CASE_ACKNOWLEDGED,
    What.CASE_REFUSED,
    What.CASE_FAILED,
    What.CASE_WITHDRAWN,
)


class TooLateToUndo(Exception):
    """The change is too old, somebody else made it, or something has changed since."""


@dataclass(frozen=True, slots=True)
class UndoOffer:
    """Changes that were made by one click, and can be undone by one."""

    events: tuple[ConversationEvent, ...]

    @property
    def what(self) -> str:
        """The code of the change."""
        return self.events[0].what

    @property
    def conversation_id(self) -> int:
        """The key of the first conversation that was changed."""
        return self.events[0].conversation_id

    @property
    def subject(self) -> str:
        """The subject of the conversation; empty where several were changed."""
        return self.events[0].conversation.subject if len(self.events) == 1 else ""


def undo(event_id: int, person: Person) -> Conversation:
    """Reverse a change, and return the conversation. Raises `TooLateToUndo`."""
    with transaction.atomic():
        requested = ConversationEvent.objects.filter(pk=event_id).first()
        if requested is None:
            raise TooLateToUndo
        row = assignment.locked(requested.conversation_id)
        event = undoable(row, person)
        if not undoable_by(person).filter(pk=row.pk).exists():
            raise TooLateToUndo
        if event is None or event.before is None or event.pk != event_id:
            raise TooLateToUndo
        before = event.before
        mailbox_id = before.get("mailbox", row.mailbox_id)
        if mailbox_id != row.mailbox_id:
            try:
                assignment.move(row, FunctionMailbox.objects.get(pk=mailbox_id), person)
            except (assignment.AlreadyThere, assignment.BeingSent):
                raise TooLateToUndo from None
        becomes_done = before["state"] == Conversation.State.DONE != row.state
        if becomes_done and row.lacks_registration:
            raise TooLateToUndo
        _restore_assignee(row, before["assignee"])
        row.state = before["state"]
        row.remind_at = datetime.fromisoformat(before["remind_at"]) if before["remind_at"] else None
        row.due_on = date.fromisoformat(before["due_on"]) if before.get("due_on") else None
        row.is_priority = before.get("is_priority", row.is_priority)
        row.save(update_fields=["state", "remind_at", "due_on", "is_priority"])
        if before.get("time_limits"):
            time_limits.resume(row, before["time_limits"])
        _restore_offer(row, before.get("offer"))
        if "labels" in before:
            row.labels.set(Label.objects.filter(pk__in=before["labels"], mailbox=row.mailbox))
        event.undone_at = timezone.now()
        event.save(update_fields=["undone_at"])
        assignment.record_event(row, What.UNDONE, person, to=event.what)
        return row


def undoable(conversation: Conversation, person: Person) -> ConversationEvent | None:
    """The change that the person can still undo: the latest one, if it is recent and their own."""
    latest = conversation.events.exclude(what__in=_NO_CHANGES).order_by("-at", "-pk").first()
    if latest is None or latest.actor_id != person.pk or latest.before is None or latest.undone_at:
        return None
    return latest if timezone.now() - latest.at <= timedelta(seconds=UNDO_SECONDS) else None


def offer_of(person: Person) -> UndoOffer | None:
    """The person's latest change in any mailbox, while they can undo it."""
    since = timezone.now() - timedelta(seconds=UNDO_SECONDS)
    mine = ConversationEvent.objects.filter(actor=person, at__gte=since)
    latest = mine.filter(before__isnull=False).order_by("-at", "-pk").first()
    if latest is None:
        return None
    # The changes of one click have the same time (`bulk`).
    together = list(
        mine.filter(at=latest.at, before__isnull=False, undone_at=None)
        .select_related("conversation")
        .order_by("pk")
    )
    changed_since = _changed_since(together)
    events = tuple(event for event in together if event.conversation_id not in changed_since)
    return UndoOffer(events) if events else None


def _changed_since(events: Sequence[ConversationEvent]) -> set[int]:
    """Keys of the conversations in which something has changed after those events; in one query."""
    if not events:
        return set()
    later = ConversationEvent.objects.filter(conversation__in=[event.conversation_id for event in events])
    later = later.exclude(what__in=_NO_CHANGES).exclude(pk__in=[event.pk for event in events])
    return set(
        later.filter(at__gte=events[0].at, pk__gt=events[0].pk).values_list("conversation__pk", flat=True)
    )


def _restore_assignee(row: Conversation, assignee_id: int | None) -> None:
    """Assign it to the earlier assignee again, if they still work on it."""
    if row.assignee_id == assignee_id:
        return
    assignee = Person.objects.filter(pk=assignee_id).first() if assignee_id else None
    sees_it = assignee is not None and assignment.may_be_assigned(row, assignee)
    assignment.set_assignee(row, assignee if sees_it else None)


def _restore_offer(row: Conversation, offer_id: int | None) -> None:
    """Renew the earlier offer, if there was one, and withdraw one that has been made since."""
    current = row.reassignments.filter(settled_at=None).first()
    if current is not None and current.pk != offer_id:
        assignment.end_offer(row, Reassignment.Outcome.WITHDRAWN)
    if offer_id is not None:
        row.reassignments.filter(pk=offer_id).update(settled_at=None, outcome="")
