"""Addresses of lists and conversations; a conversation's remembers the list that it was opened from."""

from typing import Final

from django.http import QueryDict
from django.urls import reverse
from django.utils.http import urlencode

# The parameter of addresses of the list across all mailboxes, and its value.
ACROSS: Final = "across"
ACROSS_ON: Final = "on"


def conversation_url(conversation_id: int, list_address: str = "", **more: int | str) -> str:
    """The address of a conversation. With the list's address its page links back, and to the next one."""
    parameters = {"list": list_address, **more} if list_address else dict(more)
    return with_query(reverse("conversation", args=[conversation_id]), urlencode(parameters))


def list_url(mailbox_id: int, list_address: str = "") -> str:
    """The address of a list of the mailbox, or of all mailboxes; `list_address` is its query string."""
    query = QueryDict(list_address)
    is_across = query.get(ACROSS) == ACROSS_ON
    path = reverse("all-mailboxes") if is_across else reverse("mailbox", args=[mailbox_id])
    return with_query(path, query.urlencode())


def with_query(path: str, query: str) -> str:
    """A path with a query string, if that is not empty."""
    return f"{path}?{query}" if query else path
