"""The sidebar: what waits for the person, and their mailboxes with views and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from mailbox import access
from mailbox.models import Conversation, FunctionMailbox, Mention, Person

from . import inbox
from .capped_count import counted
from .inbox import View
from .list_query import NAMES


@dataclass(frozen=True, slots=True)
class SidebarLink:
    """A link of the sidebar, with the number of conversations that it leads to."""

    name: str | Promise
    url: str
    count: int
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


@dataclass(frozen=True, slots=True)
class Sidebar:
    """`write_url` begins a message from the mailbox that is shown, or from the only one."""

    write_url: str
    waiting: Sequence[SidebarLink]
    mailboxes: Sequence[SidebarMailbox]


def sidebar_of(
    person: Person,
    *,
    mailbox: FunctionMailbox | None = None,
    view: View | None = None,
    counts: dict[View, int] | None = None,
) -> Sidebar:
    """The sidebar beside a mailbox's list, with the views' `counts`, or beside the start page. A fixed number
    of queries."""
    boxes = list(inbox.mailboxes_with_counts(person))
    writable = mailbox or (boxes[0] if len(boxes) == 1 else None)
    return Sidebar(
        reverse("write", args=[writable.pk]) if writable is not None else "",
        _waiting(person) if boxes else [],
        [_mailbox(box, counts if mailbox and box.pk == mailbox.pk else None, view) for box in boxes],
    )


def _mailbox(box: FunctionMailbox, counts: dict[View, int] | None, current: View | None) -> SidebarMailbox:
    annotations: dict[str, Any] = vars(box)
    url = reverse("mailbox", args=[box.pk])
    brief = {View.INBOX: annotations["inbox_count"], View.UNASSIGNED: annotations["unassigned_count"]}
    shown = counts if counts is not None else brief
    return SidebarMailbox(
        key=box.pk,
        name=box.name,
        url=url,
        is_open=box.is_open,
        is_current=counts is not None,
        unread_count=annotations["unread_count"],
        views=[
            SidebarLink(NAMES[view], f"{url}?view={view}", count, counts is not None and view is current)
            for view, count in shown.items()
        ],
    )


def _waiting(person: Person) -> list[SidebarLink]:
    """The number of things that wait for the person in all mailboxes, in one query."""
    mine = Conversation.objects.filter(
        mailbox__in=access.mailboxes_of(person), assignee=person, state=Conversation.State.OPEN
    )
    mentions = Mention.objects.filter(
        person=person, seen_at=None, note__conversation__mailbox__in=access.mailboxes_of(person)
    )
    found = (
        Person.objects.filter(pk=person.pk)
        .annotate(
            mine=counted(mine),
            mentioned=counted(mentions),
            due=counted(mine.filter(due_on__lte=timezone.localdate())),
            failed=counted(inbox.not_delivered(person)),
        )
        .values("mine", "mentioned", "due", "failed")
        .get()
    )
    start = reverse("start")
    return [
        SidebarLink(_("Kom inte fram"), f"{start}#kom-inte-fram", found["failed"], is_urgent=True),
        SidebarLink(_("Mina"), f"{start}#mina", found["mine"]),
        SidebarLink(_("Nämnd"), f"{start}#namnd", found["mentioned"]),
        SidebarLink(_("Att göra i dag"), f"{start}#mina", found["due"]),
    ]
