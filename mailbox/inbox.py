"""What lists show: mailboxes with their counts, conversations page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from .access import Viewer, conversations_of, mailboxes_of
from .compose import written_drafts
from .models import Conversation, Draft, FunctionMailbox, Message, ReadMark

PAGE = 25


@dataclass(frozen=True, slots=True)
class Page:
    """Conversations, the latest first; `after` asks for the next page, empty on the last."""

    conversations: Sequence[Conversation]
    after: str


def mailboxes_with_counts(person: Viewer) -> QuerySet[FunctionMailbox]:
    """The person's mailboxes, each with how many conversations are new to them and how many drafts."""
    of_mailbox = Conversation.objects.filter(mailbox=OuterRef("pk"), last_arrived_at__isnull=False)
    unread = (
        of_mailbox.exclude(Exists(_seen_by(person)))
        .order_by()
        .values("mailbox")
        .annotate(count=Count("pk"))
        .values("count")
    )
    of_drafts = written_drafts(Draft.objects.filter(mailbox=OuterRef("pk"))).order_by()
    drafts = of_drafts.values("mailbox").annotate(count=Count("pk", distinct=True)).values("count")
    return (
        mailboxes_of(person)
        .annotate(unread_count=Subquery(unread), draft_count=Subquery(drafts))
        .order_by("name", "pk")
    )


def page_of(mailbox: FunctionMailbox, person: Viewer, after: str = "") -> Page:
    """A page of a mailbox, by key: its cost does not grow with what lies before it."""
    rows = _with_unread(conversations_of(person).filter(mailbox=mailbox), person)
    latest_out = Message.objects.filter(
        conversation=OuterRef("pk"), direction=Message.Direction.OUT
    ).order_by("-at", "-pk")
    rows = rows.annotate(
        last_state=Subquery(latest_out.values("delivery_state")[:1]),
        last_receipt_missing=Subquery(latest_out.values("is_receipt_missing")[:1]),
        last_out_at=Subquery(latest_out.values("at")[:1]),
    )
    key = _key(after)
    if key is not None:
        moment, identity = key
        rows = rows.filter(Q(last_activity_at__lt=moment) | Q(last_activity_at=moment, pk__lt=identity))
    found = list(rows.order_by("-last_activity_at", "-pk")[: PAGE + 1])
    more = found[PAGE - 1] if len(found) > PAGE else None
    return Page(found[:PAGE], f"{more.last_activity_at.isoformat()}_{more.pk}" if more else "")


def mark_seen(conversation: Conversation, person: Viewer) -> None:
    """What has arrived until now is not new to this person any more."""
    ReadMark.objects.update_or_create(
        person_id=person.pk or 0, conversation=conversation, defaults={"seen_at": timezone.now()}
    )


def _with_unread(rows: QuerySet[Conversation], person: Viewer) -> QuerySet[Conversation]:
    return rows.annotate(is_unread=Q(last_arrived_at__isnull=False) & ~Exists(_seen_by(person)))


def _seen_by(person: Viewer) -> QuerySet[ReadMark]:
    return ReadMark.objects.filter(
        conversation=OuterRef("pk"), person_id=person.pk or 0, seen_at__gte=OuterRef("last_arrived_at")
    )


def _key(after: str) -> tuple[datetime, int] | None:
    moment, _, identity = after.rpartition("_")
    try:
        return datetime.fromisoformat(moment), int(identity)
    except ValueError:
        return None
