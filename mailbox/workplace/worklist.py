"""What waits for a person, in all their mailboxes, the most urgent first.

One query finds the keys of all of it. Then each kind that there is anything of is fetched by its keys.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Exists, F, Model, OuterRef, Q, QuerySet, When
from django.db.models.functions import Now
from django.utils import timezone

from mailbox import access
from mailbox.conversations import notes
from mailbox.drafts.composer import written_drafts
from mailbox.models import (
    Conversation,
    ConversationEvent,
    Draft,
    FunctionMailbox,
    Mention,
    Person,
    ReadMark,
    Reassignment,
)
from mailbox.prepared_query import PreparedQuery
from mailbox.staffed_hours import time_limits
from mailbox.staffed_hours.time_limits import LimitShown

from . import inbox

ModelT = TypeVar("ModelT", bound=Model)
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
    found = dict(zip(_KINDS, _KEYS.row(person) or ((),) * len(_KINDS), strict=True))
    keys = {row for kind in _CONVERSATIONS for row in found[kind]}
    conversations = _by_key(Conversation.objects.select_related("mailbox"), keys)
    assigned = _in_order(conversations, found["assigned"])
    return Waiting(
        _in_order(conversations, found["not_delivered"]),
        _with_limits(_in_order(conversations, found["urgent"])),
        _reassignments(found["offers"]),
        _reassignments(found["offered"]),
        _fetched(notes.with_notes(Mention.objects.all()), found["mentions"]),
        _fetched(ConversationEvent.objects.select_related("conversation__mailbox"), found["reminders"]),
        assigned[:_MOST],
        len(assigned) > _MOST,
        _fetched(Draft.objects.select_related("mailbox"), found["drafts"]),
        _in_order(conversations, found["unassigned"]),
    )


def urgent(person: Person) -> QuerySet[Conversation]:
    """What has a time limit that ends today or has been missed, and is the person's or nobody's."""
    return access.conversations_of(person).filter(inbox.is_urgent(), _is_for(person))


def not_delivered(person: Person) -> QuerySet[Conversation]:
    """What did not reach its recipient, and is the person's or nobody's."""
    return inbox.not_delivered(person).filter(_is_for(person))


def _is_for(person: Person) -> Q:
    """Conversations that the person is assigned, or nobody in a mailbox where the person works.

    Those of other assignees are left to them, and readers are told of nothing that they cannot handle.
    """
    of_nobody = Q(assignee=None, mailbox__in=access.mailboxes_to_work_in(person))
    return Q(assignee_id=person.pk) | of_nobody


def _not_delivered(person: Person) -> QuerySet[Conversation]:
    return not_delivered(person).order_by("-last_activity_at", "-pk")


def _offers(person: Person) -> QuerySet[Reassignment]:
    return access.offers_to(person).order_by(F("due_on").asc(nulls_last=True), "made_at", "pk")


def _offered(person: Person) -> QuerySet[Reassignment]:
    """Offers by the person that nobody has answered yet."""
    rows = Reassignment.objects.filter(
        made_by_id=person.pk, settled_at=None, conversation__in=access.conversations_of(person)
    )
    return rows.order_by("made_at", "pk")


def _reminders(person: Person) -> QuerySet[ConversationEvent]:
    """Conversations that a reminder of the person has brought up, and that they have not opened since."""
    looked = ReadMark.objects.filter(
        conversation=OuterRef("conversation"), person_id=person.pk, seen_at__gte=OuterRef("at")
    )
    rows = ConversationEvent.objects.filter(
        actor_id=person.pk,
        what=ConversationEvent.What.BROUGHT_UP,
        at__gt=Now() - _REMINDS_FOR,
        conversation__state=Conversation.State.OPEN,
        conversation__in=access.conversations_of(person),
    )
    return rows.exclude(Exists(looked)).order_by("-at", "-pk")


def _assigned(person: Person) -> QuerySet[Conversation]:
    """What is overdue first, then what is prioritised, then by due date."""
    rows = access.conversations_of(person).filter(assignee_id=person.pk, state=Conversation.State.OPEN)
    urgency = Case(When(due_on__lt=timezone.localdate(), then=0), When(is_priority=True, then=1), default=2)
    return rows.order_by(urgency, F("due_on").asc(nulls_last=True), "-last_activity_at", "-pk")


def _drafts(person: Person) -> QuerySet[Draft]:
    rows = written_drafts(access.drafts_of(person)).filter(changed_by_id=person.pk)
    return rows.order_by("-changed_at", "-pk")


def _unassigned(person: Person) -> QuerySet[FunctionMailbox, Any]:
    """Keys of the oldest unassigned conversations of each mailbox where the person works, by mailbox."""
    rows = access.conversations_of(person).filter(
        mailbox=OuterRef("pk"), state=Conversation.State.OPEN, is_waiting=False, assignee=None
    )
    oldest = rows.order_by("last_activity_at", "pk").values("pk")[:_OLDEST]
    boxes = access.mailboxes_to_work_in(person).order_by("name", "pk")
    return boxes.annotate(oldest=inbox.EachKey(oldest)).values("oldest")


def _keys_of(person: Person) -> QuerySet[Person, Any]:
    kinds: dict[str, QuerySet[Any, Any]] = {
        "not_delivered": _not_delivered(person).values("pk")[:_MOST],
        # What was missed longest ago first.
        "urgent": urgent(person).order_by("limit_at", "pk").values("pk")[:_MOST],
        "offers": _offers(person).values("pk")[:_MOST],
        "offered": _offered(person).values("pk")[:_MOST],
        "mentions": notes.mentions_of(person).values("pk")[:_MOST],
        "reminders": _reminders(person).values("pk")[:_MOST],
        "assigned": _assigned(person).values("pk")[: _MOST + 1],
        "drafts": _drafts(person).values("pk")[:_MOST],
        "unassigned": _unassigned(person),
    }
    columns = {name: ArraySubquery(rows) for name, rows in kinds.items()}
    return Person.objects.filter(pk=person.pk).annotate(**columns).values_list(*_KINDS)


_KINDS: Final = (
    "not_delivered",
    "urgent",
    "offers",
    "offered",
    "mentions",
    "reminders",
    "assigned",
    "drafts",
    "unassigned",
)
_CONVERSATIONS: Final = ("not_delivered", "urgent", "assigned", "unassigned")
_KEYS: Final = PreparedQuery(_keys_of)


def _reassignments(keys: Sequence[int]) -> list[Reassignment]:
    related = ("conversation__mailbox", "made_by", "to_person", "to_mailbox")
    return _fetched(Reassignment.objects.select_related(*related), keys)


def _with_limits(rows: Sequence[Conversation]) -> list[UrgentConversation]:
    limits = time_limits.shown_of(rows)
    return [UrgentConversation(row, limits.get(row.pk)) for row in rows]


def _fetched(rows: QuerySet[ModelT], keys: Sequence[int]) -> list[ModelT]:
    return _in_order(_by_key(rows, keys), keys)


def _by_key(rows: QuerySet[ModelT], keys: Collection[int]) -> dict[int, ModelT]:
    return {row.pk: row for row in rows.filter(pk__in=keys)} if keys else {}


def _in_order(rows: Mapping[int, ModelT], keys: Sequence[int]) -> list[ModelT]:
    """The rows with these keys; what has been deleted meanwhile is not among them."""
    return [rows[key] for key in keys if key in rows]
