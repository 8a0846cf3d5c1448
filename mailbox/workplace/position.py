"""The position of a conversation in a list, and the conversations before and after it."""

from dataclasses import dataclass

from django.http import QueryDict

from mailbox.conversations.addresses import conversation_url
from mailbox.models import Conversation, FunctionMailbox, Person

from . import inbox
from .list_order import PAGE, Page
from .list_query import ListQuery, read


@dataclass(frozen=True, slots=True)
class Position:
    """`number` counts from 1 and is 0 where the conversation is not in the list any more. `next_list` is the
    address of the list in which the next one is, on another page if need be."""

    number: int
    count: int | None
    previous_url: str
    next_url: str
    next_key: int | None
    next_list: str


def position_of(
    conversation: Conversation,
    person: Person,
    asked: ListQuery,
    *,
    page: Page[Conversation] | None = None,
    count: int | None = None,
) -> Position:
    """The position in the list of `asked`; `page` is its page, if that has been read."""
    mailbox = conversation.mailbox
    page = page or list_page(mailbox, person, asked, for_rows=False)
    keys = [row.pk for row in page.rows]
    if conversation.pk not in keys:
        first_url = conversation_url(keys[0], asked.address) if keys else ""
        return Position(0, None, "", first_url, *_first(keys, asked))
    index = keys.index(conversation.pk)
    previous_url = conversation_url(keys[index - 1], asked.address) if index else ""
    next_key, next_list = (keys[index + 1], asked.address) if index + 1 < len(keys) else (None, "")
    if next_key is None and page.after:
        onward = read(_next_page(asked, page.after))
        rows = list_page(mailbox, person, onward, for_rows=False).rows
        next_key, next_list = (rows[0].pk, onward.address) if rows else (None, "")
    if asked.filters or asked.is_across:
        count = None
    elif count is None:
        count = inbox.count_in(mailbox, person, asked.view)
    return Position(
        (asked.page - 1) * PAGE + index + 1,
        count,
        previous_url,
        conversation_url(next_key, next_list) if next_key else "",
        next_key,
        next_list,
    )


def list_page(
    mailbox: FunctionMailbox, person: Person, asked: ListQuery, *, for_rows: bool = True
) -> Page[Conversation]:
    """The requested page of the list, which is across mailboxes where that is asked for.

    Without `for_rows` the conversations are read for their keys and places alone.
    """
    if asked.is_across:
        return page_across(person, asked, for_rows=for_rows)
    return inbox.page_of(
        mailbox,
        person,
        asked.after,
        view=asked.view,
        filters=asked.filters,
        order=asked.order,
        for_rows=for_rows,
    )


def page_across(person: Person, asked: ListQuery, *, for_rows: bool = True) -> Page[Conversation]:
    """The requested page of the list across the person's mailboxes."""
    return inbox.page_across(
        person,
        asked.after,
        mailbox_ids=asked.mailbox_ids,
        view=asked.view,
        filters=asked.filters,
        order=asked.order,
        for_rows=for_rows,
    )


def _first(keys: list[int], asked: ListQuery) -> tuple[int | None, str]:
    return (keys[0], asked.address) if keys else (None, "")


def _next_page(asked: ListQuery, after: str) -> QueryDict:
    query = QueryDict(asked.query, mutable=True)
    query["after"], query["page"] = after, str(asked.page + 1)
    return query
