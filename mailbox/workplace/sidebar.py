"""The sidebar: what waits for the person, and their mailboxes with views and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from mailbox import access
from mailbox.conversations.addresses import with_query
from mailbox.drafts.approval_requests.shown import returned_to
from mailbox.models import Conversation, FunctionMailbox, Mention, Person
from mailbox.prepared_query import PreparedQuery

from . import inbox, saved_views, worklist
from .capped_count import counted, in_figures
from .inbox import View
from .list_query import NAMES


@dataclass(frozen=True, slots=True)
class SidebarLink:
    """A link of the sidebar, with the number of conversations that it leads to, where that is known."""

    name: str | Promise
    url: str
    count: int | None
    is_current: bool = False
    is_urgent: bool = False

    @property
    def figures(self) -> str:
        """The number as it is shown; empty where it is not known."""
        return "" if self.count is None else in_figures(self.count)


@dataclass(frozen=True, slots=True)
class SidebarMailbox:
    """A mailbox with its views; of one that is not shown only two, which tell if something is to be done.

    `unread` says how many conversations are new, and is empty where none is. Some people have hundreds of
    mailboxes: what can be made here is not made by the template.
    """

    key: int
    name: str
    url: str
    is_open: bool
    is_current: bool
    unread: str
    views: Sequence[SidebarLink]
    has_rules: bool = False
    has_case_systems: bool = False
    is_worked_in: bool = True


@dataclass(frozen=True, slots=True)
class Sidebar:
    """`write_url` begins a message from the mailbox that is shown, or from the only one. `saved` are the
    person's views across mailboxes."""

    write_url: str
    waiting: Sequence[SidebarLink]
    saved: Sequence[SidebarLink]
    mailboxes: Sequence[SidebarMailbox]
    observes: bool = False

    @property
    def has_work(self) -> bool:
        """Whether the person does more than read in any mailbox."""
        return any(box.is_worked_in for box in self.mailboxes)


def sidebar_of(
    person: Person,
    *,
    mailbox: FunctionMailbox | None = None,
    view: View | None = None,
    counts: dict[View, int] | None = None,
    shown_across: str | None = None,
) -> Sidebar:
    """The sidebar beside a mailbox's list, with the views' `counts`, beside the list across mailboxes with
    the address `shown_across`, or beside the start page. A fixed number of queries."""
    boxes = inbox.mailboxes_with_counts(person)
    shown = {mailbox.pk} if mailbox is not None else {box.pk for box in boxes[:2]}
    writable = [box for box in boxes if box.pk in shown and vars(box)["is_worked_in"]]
    saved = saved_views.views_of(person)
    found = _counts(person)
    in_saved = saved_views.counts(person, saved) if boxes else {}
    return Sidebar(
        reverse("write", args=[writable[0].pk]) if len(writable) == 1 == len(shown) else "",
        _waiting(found) if boxes else [],
        [
            SidebarLink(
                view.name,
                with_query(reverse("all-mailboxes"), view.address),
                in_saved.get(view.pk),
                view.address == shown_across,
            )
            for view in saved
        ],
        [_mailbox(box, counts if mailbox and box.pk == mailbox.pk else None, view) for box in boxes],
        observes=bool(found["observed"]),
    )


def _mailbox(box: FunctionMailbox, counts: dict[View, int] | None, current: View | None) -> SidebarMailbox:
    annotations: dict[str, Any] = vars(box)
    unread = annotations["unread_count"]
    url = reverse("mailbox", args=[box.pk])
    brief = {View.INBOX: annotations["inbox_count"], View.UNASSIGNED: annotations["unassigned_count"]}
    shown = counts if counts is not None else brief
    hidden = set() if box.registration_mode else {View.UNREGISTERED}
    return SidebarMailbox(
        key=box.pk,
        name=box.name,
        url=url,
        is_open=box.is_open,
        is_current=counts is not None,
        unread=_("%(n)s nya") % {"n": in_figures(unread)} if unread else "",
        has_rules=annotations["is_managed"],
        has_case_systems=annotations["has_case_systems"],
        is_worked_in=annotations["is_worked_in"],
        views=[
            SidebarLink(NAMES[view], f"{url}?view={view}", count, counts is not None and view is current)
            for view, count in shown.items()
            # Of a mailbox without time limits nothing is ever urgent.
            if view not in hidden and (count or view is not View.URGENT or view is current)
        ],
    )


def _counts(person: Person) -> dict[str, int]:
    """The number of things that wait for the person in all mailboxes, in one query."""
    found = _COUNTS.row(person) or (0,) * len(_COUNTED)
    return dict(zip(_COUNTED, found, strict=True))


def _counts_of(person: Person) -> QuerySet[Person, Any]:
    mine = access.conversations_of(person).filter(assignee_id=person.pk, state=Conversation.State.OPEN)
    mentions = Mention.objects.filter(person_id=person.pk, seen_at=None, note__in=access.notes_of(person))
    counts = {
        "mine": counted(mine),
        "mentioned": counted(mentions),
        "due": counted(mine.filter(due_on__lte=timezone.localdate())),
        "failed": counted(worklist.not_delivered(person)),
        "urgent": counted(worklist.urgent(person)),
        "to_approve": counted(access.approval_requests_to_answer(person)),
        "returned": counted(returned_to(person)),
        "observed": counted(access.observed_by(person)),
    }
    return Person.objects.filter(pk=person.pk).annotate(**counts).values_list(*_COUNTED)


_COUNTED: Final = (
    "mine",
    "mentioned",
    "due",
    "failed",
    "urgent",
    "to_approve",
    "returned",
    "observed",
)
_COUNTS: Final = PreparedQuery(_counts_of)


def _waiting(found: dict[str, int]) -> list[SidebarLink]:
    start, urgent = reverse("start"), found["urgent"]
    approvals, returned = found["to_approve"], found["returned"]
    return [
        SidebarLink(_("Kom inte fram"), f"{start}#kom-inte-fram", found["failed"], is_urgent=True),
        *([SidebarLink(_("Bråttom"), f"{start}#brattom", urgent, is_urgent=True)] if urgent else []),
        *([SidebarLink(_("Att godkänna"), reverse("approvals"), approvals)] if approvals else []),
        *([SidebarLink(_("Givna tillbaka"), reverse("approvals"), returned)] if returned else []),
        SidebarLink(_("Mina"), f"{start}#mina", found["mine"]),
        SidebarLink(_("Nämnd"), f"{start}#namnd", found["mentioned"]),
        SidebarLink(_("Att göra i dag"), f"{start}#mina", found["due"]),
    ]
