"""What waits for a person, wherever: what is handed to them, what mentions them, what came up again, and what
they have in hand. One query each, however much there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from mailbox import access
from mailbox.conversations import notes
from mailbox.models import Conversation, ConversationEvent, Mention, Person, ReadMark, Reassignment

_MOST: Final = 20
# A reminder that nobody has looked at for so long is one no more; the conversation is still in its inbox.
_REMINDS_FOR: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits, the most urgent first; at most `_MOST` of each, and whether there is more in hand."""

    offers: Sequence[Reassignment]
    offered: Sequence[Reassignment]
    mentions: Sequence[Mention]
    reminders: Sequence[ConversationEvent]
    held: Sequence[Conversation]
    has_more_held: bool

    def __bool__(self) -> bool:
        return bool(self.offers or self.mentions or self.reminders or self.held)


def waiting_for(person: Person) -> Waiting:
    """All of it."""
    held = list(_held(person)[: _MOST + 1])
    return Waiting(
        list(_offers(person)[:_MOST]),
        list(_offered(person)[:_MOST]),
        list(notes.mentions_of(person)[:_MOST]),
        list(_reminders(person)[:_MOST]),
        held[:_MOST],
        len(held) > _MOST,
    )


def _offers(person: Person) -> QuerySet[Reassignment]:
    rows = access.offers_to(person).select_related("conversation__mailbox", "made_by", "to_mailbox")
    return rows.order_by(F("due_on").asc(nulls_last=True), "made_at", "pk")


def _offered(person: Person) -> QuerySet[Reassignment]:
    """What the person waits for somebody else to accept."""
    rows = Reassignment.objects.filter(
        made_by=person, settled_at=None, conversation__mailbox__in=access.mailboxes_of(person)
    )
    return rows.select_related("conversation__mailbox", "to_person", "to_mailbox").order_by("made_at", "pk")


def _reminders(person: Person) -> QuerySet[ConversationEvent]:
    """What came up again for the person, and they have not looked at since."""
    looked = ReadMark.objects.filter(
        conversation=OuterRef("conversation"), person=person, seen_at__gte=OuterRef("at")
    )
    rows = ConversationEvent.objects.filter(
        actor=person,
        what=ConversationEvent.What.BROUGHT_UP,
        at__gt=timezone.now() - _REMINDS_FOR,
        conversation__state=Conversation.State.OPEN,
        conversation__mailbox__in=access.mailboxes_of(person),
    )
    rows = rows.exclude(Exists(looked)).select_related("conversation__mailbox")
    return rows.order_by("-at", "-pk")


def _held(person: Person) -> QuerySet[Conversation]:
    rows = access.conversations_of(person).filter(assignee=person, state=Conversation.State.OPEN)
    rows = rows.select_related("mailbox")
    return rows.order_by(F("due_on").asc(nulls_last=True), "-last_activity_at", "-pk")
