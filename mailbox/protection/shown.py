"""What pages show of a protected conversation: to those named who else is, to everybody else a locked row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.db.models import F, QuerySet

from mailbox import access
from mailbox.models import Conversation, FunctionMailbox, Person
from mailbox.prepared_query import PreparedQuery

_MOST_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class LockedRow:
    """A conversation that is hidden from the person who sees this row; `key` is 0 unless they may open it."""

    arrived_at: datetime | None
    key: int


@dataclass(frozen=True, slots=True)
class LockedRows:
    """The latest locked rows of a mailbox, and whether there are more."""

    rows: Sequence[LockedRow]
    has_more: bool


def locked_rows(mailbox: FunctionMailbox, person: Person, state: str) -> LockedRows:
    """What a member who is not named sees of a mailbox's protected conversations in a state; in
    one query, and another where there are some.

    Nothing but these two values is read.
    """
    may_open = access.mailboxes_managed_as_member(person).filter(pk=mailbox.pk)
    values = _LATEST[state].rows(person, mailbox.pk)
    is_manager = bool(values) and may_open.exists()
    rows = [LockedRow(at, key if is_manager else 0) for at, key in values[:_MOST_ROWS]]
    return LockedRows(rows, len(values) > _MOST_ROWS)


def _latest(person: Person, mailbox_id: int, *, state: str) -> QuerySet[Conversation, tuple[Any, ...]]:
    rows = access.locked_in(mailbox_id, person, state)
    latest_first = rows.order_by(F("last_arrived_at").desc(nulls_last=True), "-pk")
    return latest_first.values_list("last_arrived_at", "pk")[: _MOST_ROWS + 1]


_LATEST: Final = {str(state): PreparedQuery(partial(_latest, state=state)) for state in Conversation.State}


def names_in(conversation: Conversation) -> list[str]:
    """The names of those who see a protected conversation now; empty where it is not protected."""
    if not conversation.is_protected:
        return []
    return list(access.members_who_see(conversation).values_list("name", flat=True))
