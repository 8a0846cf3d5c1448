"""Addresses of conversations that remember the list from which a person came."""

from django.http import QueryDict
from django.urls import reverse
from django.utils.http import urlencode


def conversation_url(conversation_id: int, list_address: str = "", **more: int | str) -> str:
    """A conversation, opened from a list: so that the way back, and on to the next, is known."""
    parameters = {"list": list_address, **more} if list_address else dict(more)
    return with_query(reverse("conversation", args=[conversation_id]), urlencode(parameters))


def list_url(mailbox_id: int, list_address: str = "") -> str:
    """The page of a mailbox's list that the address, a query string, asks for."""
    return with_query(reverse("mailbox", args=[mailbox_id]), QueryDict(list_address).urlencode())


def with_query(path: str, query: str) -> str:
    """An address with its query, if there is any."""
    return f"{path}?{query}" if query else path
