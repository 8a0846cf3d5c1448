"""A person's mailboxes with their counts, and the views of a mailbox."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BigIntegerField, Exists, Func, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now
from django.db.models.lookups import IsNull
from django.utils import timezone

from mailbox import access
from mailbox.access import Viewer, conversations_of, mailboxes_of
from mailbox.drafts.composer import written_drafts
from mailbox.models import (
    AUTOMATIC_ANSWER,
    CaseSystemMailbox,
    Conversation,
    Draft,
    FunctionMailbox,
    Label,
    Labelling,
    Message,
    Person,
    ReadMark,
    SearchEntry,
)
from mailbox.prepared_query import PreparedQuery
from mailbox.search.hashes import NUMBER, token
from mailbox.search.words import as_number
from transport.storage.encryption.keys import search_key

from .capped_count import counted
from .list_order import ORDERED_BY, Order, Page, first_rows, page_in

# A name that occurs so often among so many latest conversations counts as frequent.
_SAMPLE: Final = 1_000
_OFTEN: Final = 10
# Labels are few rows: until many conversations have one, those that have it are read sooner than all others.
_OFTEN_LABELLED: Final = 100
_SAMPLE_OF_EACH: Final = 5
_OPEN = Q(state=Conversation.State.OPEN)
_UNREGISTERED = Q(registration_state=Conversation.RegistrationState.PENDING)


class View(StrEnum):
    """The views by their names in addresses."""

    INBOX = "inkorg"
    MINE = "mina"
    UNASSIGNED = "ingens"
    UNREGISTERED = "ej-registrerat"
    URGENT = "brattom"
    WAITING = "vantar"
    DONE = "klara"
    SENT = "skickat"
    DRAFTS = "utkast"
    TRASH = "papperskorg"


_OPEN_VIEWS: Final = frozenset({View.INBOX, View.MINE, View.UNASSIGNED, View.URGENT, View.WAITING})


class Status(StrEnum):
    """The status filters by their names in addresses."""

    NEW = "nya"
    OPEN = "oppna"
    ASSIGNED = "tagna"
    UNASSIGNED = "otagna"
    DUE = "forfallna"
    LATE = "missade"
    PRIORITY = "prioriterade"
    UNREGISTERED = "ej-registrerade"
    FAILED = "fel"
    DONE = "klara"


@dataclass(frozen=True, slots=True)
class _Scope:
    """The conversations of a list's mailboxes, and a sample of the latest of them, which tells whether
    something is frequent among them."""

    known: QuerySet[Conversation]
    sample: QuerySet[Conversation]
    is_across: bool = False


@dataclass(frozen=True, slots=True)
class _Selective:
    """A condition that few conversations may meet.

    As `indexed`, what meets it is found by an index; as `walked`, it is asked of one conversation after the
    other, which the database plans as nothing else. It is frequent if `often` of a sample meet it.
    """

    indexed: Q
    walked: Q
    often: int


class EachKey(Func):
    """A row for each key of a subquery."""

    function = "UNNEST"
    set_returning = True
    output_field = BigIntegerField()

    def __init__(self, keys: QuerySet[Any, Any]) -> None:
        super().__init__(ArraySubquery(keys))


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a view. `reference` is a keyed hash, since it is in addresses. `label_name` is that of a
    label in any of several mailboxes."""

    status: Status | None = None
    label_id: int | None = None
    organisation: str = ""
    function: str = ""
    reference: int | None = None
    is_confidential: bool = False
    has_attachments: bool = False
    since: date | None = None
    until: date | None = None
    label_name: str = ""

    def __bool__(self) -> bool:
        return self != Filters()


def mailboxes_with_counts(person: Person) -> list[FunctionMailbox]:
    """The person's mailboxes, each with its numbers of new, open and unassigned conversations."""
    return _MAILBOXES_WITH_COUNTS.instances(FunctionMailbox, person)


def _mailboxes_with_counts(person: Person) -> QuerySet[FunctionMailbox]:
    of_mailbox = _visible(person).filter(mailbox=OuterRef("pk"))
    arrived = of_mailbox.filter(_OPEN, last_arrived_at__isnull=False)
    unread = counted(arrived.exclude(Exists(_seen_by(person))))
    inbox = counted(of_mailbox.filter(_in_view(View.INBOX, person)))
    unassigned = counted(of_mailbox.filter(_in_view(View.UNASSIGNED, person)))
    return (
        mailboxes_of(person)
        .annotate(
            unread_count=unread,
            inbox_count=inbox,
            unassigned_count=unassigned,
            is_worked_in=Q(pk__in=access.mailboxes_to_work_in(person).values("pk")),
            is_managed=Q(pk__in=access.mailboxes_with_rules_of(person).values("pk")),
            has_case_systems=Exists(CaseSystemMailbox.objects.filter(mailbox=OuterRef("pk"))),
        )
        .order_by("name", "pk")
    )


_MAILBOXES_WITH_COUNTS: Final = PreparedQuery(_mailboxes_with_counts)


def counts(mailbox: FunctionMailbox, person: Person) -> dict[View, int]:
    """The number of conversations in each view, `capped_count.MOST` + 1 at most, in one query."""
    found = _COUNTS.row(person, mailbox.pk) or (0,) * len(View)
    return dict(zip(View, found, strict=True))


def count_in(mailbox: FunctionMailbox, person: Person, view: View) -> int:
    """The number of conversations in one view, `capped_count.MOST` + 1 at most."""
    (count,) = _COUNTS_OF_ONE[view].row(person, mailbox.pk) or (0,)
    return int(count)


def _counts(person: Person, mailbox_id: int, *, views: Iterable[View]) -> QuerySet[FunctionMailbox, Any]:
    of_mailbox = _visible(person).filter(mailbox=OuterRef("pk"))
    columns = {
        view.name: counted(
            _drafts_of_each(person) if view is View.DRAFTS else of_mailbox.filter(_in_view(view, person))
        )
        for view in views
    }
    return FunctionMailbox.objects.filter(pk=mailbox_id).annotate(**columns).values_list(*columns)


_COUNTS: Final = PreparedQuery(partial(_counts, views=View))
_COUNTS_OF_ONE: Final = {view: PreparedQuery(partial(_counts, views=(view,))) for view in View}


def keys_in(
    mailbox: FunctionMailbox, person: Viewer, view: View, filters: Filters, *, most: int
) -> list[int]:
    """The keys of the conversations in a view, the latest first, `most` of them."""
    rows = conversations_of(person).filter(_in_view(view, person), mailbox=mailbox)
    rows = _narrowed(_with_unread(rows, person), partial(_scope_of, mailbox, person), filters)
    return list(rows.order_by("-last_activity_at", "-pk").values_list("pk", flat=True)[:most])


def page_of(
    mailbox: FunctionMailbox,
    person: Viewer,
    after: str = "",
    *,
    view: View = View.INBOX,
    filters: Filters | None = None,
    order: Order = Order.LATEST,
    for_rows: bool = True,
) -> Page[Conversation]:
    """A page of a view, by key, so that late pages cost no more than early ones.

    Without `for_rows` the conversations are read for their keys and places alone.
    """
    rows = conversations_of(person).filter(_in_view(view, person), mailbox=mailbox)
    scope = partial(_scope_of, mailbox, person)
    rows = _narrowed(_with_unread(rows, person), scope, filters or Filters())
    order = order if order in orders_of(view) else orders_of(view)[0]
    return page_in(_for_rows(rows) if for_rows else rows.only(*ORDERED_BY), order, after)


def page_across(
    person: Viewer,
    after: str = "",
    *,
    mailbox_ids: Collection[int] = (),
    view: View = View.INBOX,
    filters: Filters | None = None,
    order: Order = Order.LATEST,
    for_rows: bool = True,
) -> Page[Conversation]:
    """A page of a view across the person's mailboxes, or those of them with `mailbox_ids`.

    The first rows of each mailbox, by its index, are merged: the page costs as much for each mailbox as one
    of its own, however many conversations there are. Without `for_rows` they are read as in `page_of`.
    """
    boxes, scope = _across(person, mailbox_ids)
    orders = orders_of(view, is_across=True)
    order = order if order in orders else orders[0]
    filters = filters or Filters()
    selective = _selective(filters)
    if filters.status is not None and filters.status in _FOUND_BY_INDEX:
        of_status = _STATUSES[filters.status]()
        selective.append(_Selective(of_status, of_status, _OFTEN))
    # What few conversations meet is found by its own index, and sorted.
    is_rare = any(_is_rare(scope, condition) for condition in selective)
    rows = scope.known if is_rare else Conversation.objects.filter(access.is_shown_to(person))
    rows = _with_unread(rows.filter(_in_view(view, person)), person)
    rows = _narrowed(rows, lambda: scope, filters, walks=not is_rare)
    if not is_rare:
        first_of_each = first_rows(rows.filter(mailbox=OuterRef("pk")), order, after).values("pk")
        rows = Conversation.objects.filter(pk__in=boxes.annotate(key=EachKey(first_of_each)).values("key"))
    if for_rows:
        rows = _for_rows(_with_unread(rows, person).select_related("mailbox"))
    else:
        rows = rows.only(*ORDERED_BY)
    return page_in(rows, order, after)


def keys_across(
    person: Viewer, view: View, filters: Filters, *, mailbox_ids: Collection[int] = (), most: int
) -> list[int]:
    """The keys of the conversations in a view across mailboxes, the latest first, `most` of them."""
    _boxes, scope = _across(person, mailbox_ids)
    rows = _with_unread(scope.known.filter(_in_view(view, person)), person)
    rows = _narrowed(rows, lambda: scope, filters)
    return list(rows.order_by("-last_activity_at", "-pk").values_list("pk", flat=True)[:most])


def is_cheap_to_count(view: View, filters: Filters) -> bool:
    """Whether counting a view across mailboxes costs no more than a mailbox's own views, which count open
    conversations."""
    has_only_status = filters == Filters(status=filters.status)
    return has_only_status and (filters.status is None or view in _OPEN_VIEWS)


def counted_across(
    person: Viewer, view: View, status: Status | None, mailbox_ids: Collection[int] = ()
) -> Func:
    """An expression for the number of conversations in a view across mailboxes."""
    _boxes, scope = _across(person, mailbox_ids)
    rows = _with_unread(scope.known.filter(_in_view(view, person)), person)
    return counted(_narrowed(rows, lambda: scope, Filters(status=status)))


def drafts_of(
    mailbox: FunctionMailbox, person: Viewer, after: str = "", *, order: Order = Order.LATEST
) -> Page[Draft]:
    """A page of the mailbox's drafts."""
    rows = written_drafts(access.drafts_of(person).filter(mailbox=mailbox))
    return page_in(rows, order, after, at="changed_at")


def orders_of(view: View, *, is_across: bool = False) -> tuple[Order, ...]:
    """The orders of a view, the usual one first; only views of open conversations can be ordered by due date,
    reminder and time limit, and none across mailboxes. What is urgent is ordered by its time limit, and what
    is not registered by its age."""
    if view is View.UNREGISTERED:
        return (Order.OLDEST,)
    if view is View.URGENT:
        return (Order.TIME_LIMIT,)
    return tuple(Order) if view in _OPEN_VIEWS and not is_across else (Order.LATEST, Order.OLDEST)


def reference_hash(mailbox: FunctionMailbox, reference: str) -> int:
    """The keyed hash of a reference, as the index has it, which reveals nothing in an address."""
    return token(search_key(mailbox.participant_id), NUMBER, as_number(reference))


def not_delivered(person: Viewer) -> QuerySet[Conversation]:
    """Open conversations of the person whose latest sent message has not been delivered, or perhaps not."""
    return conversations_of(person).filter(_OPEN, is_not_delivered=True)


def _latest_message() -> QuerySet[Message]:
    """The latest message that lists show: no automatic answer of ours."""
    rows = Message.objects.filter(conversation=OuterRef("pk")).exclude(AUTOMATIC_ANSWER)
    return rows.order_by("-at", "-pk")


def mark_seen(conversation: Conversation, person: Viewer) -> None:
    """Record that the person has seen the conversation's messages."""
    ReadMark.objects.bulk_create(
        [ReadMark(person_id=person.pk or 0, conversation=conversation, seen_at=timezone.now())],
        update_conflicts=True,
        unique_fields=["person", "conversation"],
        update_fields=["seen_at"],
    )


def _in_view(view: View, person: Viewer) -> Q:
    return {
        View.INBOX: _OPEN & Q(is_waiting=False),
        View.MINE: _OPEN & Q(assignee_id=person.pk or 0),
        View.UNASSIGNED: _OPEN & Q(is_waiting=False, assignee=None),
        View.UNREGISTERED: _UNREGISTERED & ~Q(state=Conversation.State.TRASH),
        View.URGENT: is_urgent(),
        View.WAITING: _OPEN & Q(is_waiting=True),
        View.DONE: Q(state=Conversation.State.DONE),
        View.SENT: Q(has_sent=True) & ~Q(state=Conversation.State.TRASH),
        View.DRAFTS: Q(pk__in=()),
        View.TRASH: Q(state=Conversation.State.TRASH),
    }[view]


def _for_rows(rows: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """The conversations, of which it is known whether they are unread, with what `rows.rows_of` shows of
    each."""
    latest_out = _latest_message().filter(direction=Message.Direction.OUT)
    return rows.select_related("assignee").annotate(
        last_state=Subquery(latest_out.values("delivery_state")[:1]),
        last_receipt_missing=Subquery(latest_out.values("is_receipt_missing")[:1]),
        last_message_id=Subquery(_latest_message().values("pk")[:1]),
    )


def _visible(person: Viewer) -> QuerySet[Conversation]:
    """Conversations of any mailbox that are not hidden from the person; the caller narrows them to theirs.

    What is hidden is left out by its keys: to count the others the server reads their indexes alone.
    """
    return Conversation.objects.exclude(pk__in=access.hidden_from(person))


def _drafts_of_each(person: Viewer) -> QuerySet[Draft]:
    rows = Draft.objects.filter(mailbox=OuterRef("pk")).exclude(access.drafts_hidden_from(person))
    return written_drafts(rows)


def _scope_of(mailbox: FunctionMailbox, person: Viewer) -> _Scope:
    known = _visible(person).filter(mailbox=mailbox).order_by("-last_activity_at", "-pk")
    return _Scope(known, Conversation.objects.filter(pk__in=known.values("pk")[:_SAMPLE]))


def _across(person: Viewer, mailbox_ids: Collection[int]) -> tuple[QuerySet[FunctionMailbox], _Scope]:
    """The person's mailboxes, or those of them with `mailbox_ids`, and the scope of a list across them."""
    boxes = mailboxes_of(person)
    if mailbox_ids:
        boxes = boxes.filter(pk__in=mailbox_ids)
    latest = _visible(person).filter(mailbox=OuterRef("pk")).order_by("-last_activity_at", "-pk")
    keys = boxes.annotate(key=EachKey(latest.values("pk")[:_SAMPLE_OF_EACH])).values("key")
    known = _visible(person).filter(mailbox__in=boxes)
    return boxes, _Scope(known, Conversation.objects.filter(pk__in=keys), is_across=True)


def _narrowed(
    rows: QuerySet[Conversation], scope_of: Callable[[], _Scope], filters: Filters, *, walks: bool = False
) -> QuerySet[Conversation]:
    """The rows that the filters let through; `scope_of` is asked where one of them may be rare."""
    if filters.status is not None:
        rows = rows.filter(_STATUSES[filters.status]())
    if filters.label_id is not None:
        rows = rows.filter(
            Exists(Labelling.objects.filter(conversation=OuterRef("pk"), label=filters.label_id))
        )
    if selective := _selective(filters):
        scope = scope_of()
        for condition in selective:
            if scope.is_across:
                rows = rows.filter(condition.walked if walks else condition.indexed)
            else:
                rows = _by_frequency(rows, scope, condition)
    if filters.is_confidential:
        rows = rows.filter(is_confidential=True)
    if filters.has_attachments:
        rows = rows.filter(has_attachments=True)
    if filters.since:
        rows = rows.filter(last_activity_at__gte=_midnight(filters.since))
    if filters.until:
        rows = rows.filter(last_activity_at__lt=_midnight(filters.until + timedelta(days=1)))
    if filters.reference is not None:
        holding = SearchEntry.objects.filter(
            message__conversation=OuterRef("pk"), words__contains=[filters.reference]
        )
        rows = rows.filter(Exists(holding))
    return rows


def _selective(filters: Filters) -> list[_Selective]:
    """Conditions that few conversations may meet, which an index finds."""
    conditions = []
    if filters.organisation:
        by_organisation = Q(_has_message(counterpart_organisation__icontains=filters.organisation))
        conditions.append(_Selective(by_organisation, by_organisation, _OFTEN))
    if filters.function:
        by_function = Q(_has_message(counterpart_function__icontains=filters.function))
        conditions.append(_Selective(by_function, by_function, _OFTEN))
    if filters.label_name:
        labels = Label.objects.filter(name__iexact=filters.label_name).values_list("pk", flat=True)
        labelled = Labelling.objects.filter(conversation=OuterRef("pk"), label__in=list(labels))
        # A value of a subquery is looked up for each conversation; of what exists the database makes a join.
        first = Subquery(labelled.values("pk")[:1])
        conditions.append(_Selective(Q(Exists(labelled)), Q(IsNull(first, False)), _OFTEN_LABELLED))
    return conditions


def _by_frequency(
    rows: QuerySet[Conversation], scope: _Scope, condition: _Selective
) -> QuerySet[Conversation]:
    """The conversations that meet the condition.

    What is frequent is found soon by walking the list. What is rare is looked up first. The database cannot
    decide this: it has no statistics of names for each mailbox.
    """
    if not _is_rare(scope, condition):
        return rows.filter(condition.walked)
    known = scope.known.filter(condition.indexed).order_by()
    return rows.filter(pk__in=list(known.values_list("pk", flat=True)))


def _is_rare(scope: _Scope, condition: _Selective) -> bool:
    return scope.sample.filter(condition.walked).order_by().count() < condition.often


def _has_message(**of_message: str) -> Exists:
    return Exists(Message.objects.filter(conversation=OuterRef("pk"), **of_message))


def _is_due() -> Q:
    return _OPEN & Q(due_on__lte=timezone.localdate())


def is_urgent() -> Q:
    """Open conversations whose nearest time limit ends today, or has been missed."""
    return _OPEN & Q(limit_at__lt=_midnight(timezone.localdate() + timedelta(days=1)))


def _is_late() -> Q:
    return _OPEN & Q(limit_at__lt=Now())


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


_STATUSES: Final[dict[Status, Callable[[], Q]]] = {
    Status.NEW: lambda: Q(is_unread=True),
    Status.OPEN: lambda: _OPEN,
    Status.ASSIGNED: lambda: _OPEN & Q(assignee__isnull=False),
    Status.UNASSIGNED: lambda: _OPEN & Q(assignee=None),
    Status.DUE: _is_due,
    Status.LATE: _is_late,
    Status.PRIORITY: lambda: Q(is_priority=True),
    Status.UNREGISTERED: lambda: _UNREGISTERED,
    Status.FAILED: lambda: Q(is_not_delivered=True),
    Status.DONE: lambda: Q(state=Conversation.State.DONE),
}
# Statuses that few conversations have, which an index finds.
_FOUND_BY_INDEX: Final = frozenset(
    {Status.DUE, Status.LATE, Status.PRIORITY, Status.UNREGISTERED, Status.FAILED}
)


def _with_unread(rows: QuerySet[Conversation], person: Viewer) -> QuerySet[Conversation]:
    return rows.annotate(is_unread=Q(last_arrived_at__isnull=False) & ~Exists(_seen_by(person)))


def _seen_by(person: Viewer) -> QuerySet[ReadMark]:
    return ReadMark.objects.filter(
        conversation=OuterRef("pk"), person_id=person.pk or 0, seen_at__gte=OuterRef("last_arrived_at")
    )
