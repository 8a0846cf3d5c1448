"""The sidebar: what waits for the person, and their mailboxes with views and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from mailbox import access
from mailbox.conversations.addresses import with_query
from mailbox.models import Conversation, FunctionMailbox, Mention, Person, SavedView

from . import inbox, saved_views, worklist
from .capped_count import counted
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


@dataclass(frozen=True, slots=True)
class SidebarMailbox:
    """A mailbox with its views; of one that is not shown only two, which tell if something is to be done."""

    key: int
    name: str
    url: str
    is_open: bool
    is_current: bool
    unread_count: int
    views: Sequence[SidebarLink]
    has_rules: bool = False
    is_worked_in: bool = True


@dataclass(frozen=True, slots=True)
class Sidebar:
    """`write_url` begins a message from the mailbox that is shown, or from the only one. `saved` are the
    person's views across mailboxes."""

    write_url: str
    waiting: Sequence[SidebarLink]
    saved: Sequence[SidebarLink]
    mailboxes: Sequence[SidebarMailbox]


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
    boxes = list(inbox.mailboxes_with_counts(person))
    shown = {mailbox.pk} if mailbox is not None else {box.pk for box in boxes[:2]}
    writable = [box for box in boxes if box.pk in shown and vars(box)["is_worked_in"]]
    saved = saved_views.views_of(person)
    found = _counts(person, saved) if boxes else {}
    return Sidebar(
        reverse("write", args=[writable[0].pk]) if len(writable) == 1 == len(shown) else "",
        _waiting(found) if boxes else [],
        [
            SidebarLink(
                view.name,
                with_query(reverse("all-mailboxes"), view.address),
                found.get(_name_of_count(view)),
                view.address == shown_across,
            )
            for view in saved
        ],
        [_mailbox(box, counts if mailbox and box.pk == mailbox.pk else None, view) for box in boxes],
    )


def _mailbox(box: FunctionMailbox, counts: dict[View, int] | None, current: View | None) -> SidebarMailbox:
    annotations: dict[str, Any] = vars(box)
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
        unread_count=annotations["unread_count"],
        has_rules=annotations["is_managed"],
        is_worked_in=annotations["is_worked_in"],
        views=[
            SidebarLink(NAMES[view], f"{url}?view={view}", count, counts is not None and view is current)
            for view, count in shown.items()
            # Of a mailbox without time limits nothing is ever urgent.
            if view not in hidden and (count or view is not View.URGENT or view is current)
        ],
    )


def _counts(person: Person, saved: Sequence[SavedView]) -> dict[str, int]:
    """The number of things that wait for the person in all mailboxes, and of conversations in saved views, in
    one query."""
    counters = saved_views.counters(person, saved)
    of_views = {_name_of_count(view): counters[view.pk] for view in saved if view.pk in counters}
    mine = access.conversations_of(person).filter(assignee=person, state=Conversation.State.OPEN)
    mentions = Mention.objects.filter(person=person, seen_at=None, note__in=access.notes_of(person))
    found: dict[str, int] = (
        Person.objects.filter(pk=person.pk)
        .annotate(
            mine=counted(mine),
            mentioned=counted(mentions),
            due=counted(mine.filter(due_on__lte=timezone.localdate())),
            failed=counted(inbox.not_delivered(person)),
            urgent=counted(worklist.urgent(person)),
            **of_views,
        )
        .values("mine", "mentioned", "due", "failed", "urgent", *of_views)
        .get()
    )
    return found


def _name_of_count(view: SavedView) -> str:
    return f"view_{view.pk}"


def _waiting(found: dict[str, int]) -> list[SidebarLink]:
    start, urgent = reverse("start"), found["urgent"]
    return [
        SidebarLink(_("Kom inte fram"), f"{start}#kom-inte-fram", found["failed"], is_urgent=True),
        *([SidebarLink(_("Bråttom"), f"{start}#brattom", urgent, is_urgent=True)] if urgent else []),
        SidebarLink(_("Mina"), f"{start}#mina", found["mine"]),
        SidebarLink(_("Nämnd"), f"{start}#namnd", found["mentioned"]),
        SidebarLink(_("Att göra i dag"), f"{start}#mina", found["due"]),
    ]
