"""What waits for a person, in all their mailboxes, the most urgent first. At most two queries for a kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.utils import timezone

from mailbox import access
from mailbox.conversations import notes
from mailbox.drafts.composer import written_drafts
from mailbox.models import Conversation, ConversationEvent, Draft, Mention, Person, ReadMark, Reassignment
from mailbox.staffed_hours import time_limits
from mailbox.staffed_hours.time_limits import LimitShown

from . import inbox

_MOST: Final = 20
# Unassigned conversations of each mailbox.
_OLDEST: Final = 3
# Older reminders are not shown any more; their conversations are still in the inbox.
_REMINDS_FOR: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class UrgentConversation:
    """A conversation whose time limit ends today or has been missed."""

    conversation: Conversation
    limit: LimitShown | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits; at most `_MOST` of each kind, and whether more is assigned to the person. `unassigned` are
    the oldest conversations of each mailbox that nobody is assigned."""

    not_delivered: Sequence[Conversation]
    urgent: Sequence[UrgentConversation]
    offers: Sequence[Reassignment]
    offered: Sequence[Reassignment]
    mentions: Sequence[Mention]
    reminders: Sequence[ConversationEvent]
    assigned: Sequence[Conversation]
    has_more_assigned: bool
    drafts: Sequence[Draft]
    unassigned: Sequence[Conversation]

    def __bool__(self) -> bool:
        return bool(
            self.not_delivered
            or self.urgent
            or self.offers
            or self.mentions
            or self.reminders
            or self.assigned
        )


def waiting_for(person: Person) -> Waiting:
    """Everything that waits for the person."""
    assigned = list(_assigned(person)[: _MOST + 1])
    return Waiting(
        list(_not_delivered(person)[:_MOST]),
        _urgent(person),
        list(_offers(person)[:_MOST]),
        list(_offered(person)[:_MOST]),
        list(notes.mentions_of(person)[:_MOST]),
        list(_reminders(person)[:_MOST]),
        assigned[:_MOST],
        len(assigned) > _MOST,
        list(_drafts(person)[:_MOST]),
        _unassigned(person),
    )


def _offers(person: Person) -> QuerySet[Reassignment]:
    rows = access.offers_to(person).select_related("conversation__mailbox", "made_by", "to_mailbox")
    return rows.order_by(F("due_on").asc(nulls_last=True), "made_at", "pk")


def _offered(person: Person) -> QuerySet[Reassignment]:
    """Offers by the person that nobody has answered yet."""
    rows = Reassignment.objects.filter(
        made_by=person, settled_at=None, conversation__in=access.conversations_of(person)
    )
    return rows.select_related("conversation__mailbox", "to_person", "to_mailbox").order_by("made_at", "pk")


def _reminders(person: Person) -> QuerySet[ConversationEvent]:
    """Conversations that a reminder of the person has brought up, and that they have not opened since."""
    looked = ReadMark.objects.filter(
        conversation=OuterRef("conversation"), person=person, seen_at__gte=OuterRef("at")
    )
    rows = ConversationEvent.objects.filter(
        actor=person,
        what=ConversationEvent.What.BROUGHT_UP,
        at__gt=timezone.now() - _REMINDS_FOR,
        conversation__state=Conversation.State.OPEN,
        conversation__in=access.conversations_of(person),
    )
    rows = rows.exclude(Exists(looked)).select_related("conversation__mailbox")
    return rows.order_by("-at", "-pk")


def _assigned(person: Person) -> QuerySet[Conversation]:
    """What is overdue first, then what is prioritised, then by due date."""
    rows = access.conversations_of(person).filter(assignee=person, state=Conversation.State.OPEN)
    rows = rows.select_related("mailbox")
    urgency = Case(When(due_on__lt=timezone.localdate(), then=0), When(is_priority=True, then=1), default=2)
    return rows.order_by(urgency, F("due_on").asc(nulls_last=True), "-last_activity_at", "-pk")


def _not_delivered(person: Person) -> QuerySet[Conversation]:
    rows = inbox.not_delivered(person).select_related("mailbox", "assignee")
    # Conversations of other assignees are left to them.
    return rows.filter(Q(assignee=person) | Q(assignee=None)).order_by("-last_activity_at", "-pk")


def urgent(person: Person) -> QuerySet[Conversation]:
    """What has a time limit that ends today or has been missed, and is the person's or nobody's."""
    rows = access.conversations_of(person).filter(inbox.is_urgent())
    return rows.filter(Q(assignee=person) | Q(assignee=None))


def _urgent(person: Person) -> list[UrgentConversation]:
    """What was missed longest ago first."""
    rows = list(urgent(person).select_related("mailbox").order_by("limit_at", "pk")[:_MOST])
    limits = time_limits.shown_of(rows)
    return [UrgentConversation(row, limits.get(row.pk)) for row in rows]


def _drafts(person: Person) -> QuerySet[Draft]:
    rows = written_drafts(access.drafts_of(person)).filter(changed_by=person).select_related("mailbox")
    return rows.order_by("-changed_at", "-pk")


def _unassigned(person: Person) -> list[Conversation]:
    """The oldest unassigned conversations of each mailbox, by mailbox."""
    rows = access.conversations_of(person).filter(
        mailbox=OuterRef("pk"), state=Conversation.State.OPEN, is_waiting=False, assignee=None
    )
    oldest = ArraySubquery(rows.order_by("last_activity_at", "pk").values("pk")[:_OLDEST])
    keys = access.mailboxes_of(person).annotate(oldest=oldest).values_list("oldest", flat=True)
    found = Conversation.objects.filter(pk__in=[key for of_mailbox in keys for key in of_mailbox])
    return list(
        found.select_related("mailbox").order_by("mailbox__name", "mailbox", "last_activity_at", "pk")
    )
