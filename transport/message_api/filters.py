"""The filters `filter[attribute]=value` of `getMessageByFilter` and `getMessageById`; all have to match."""

from dataclasses import dataclass, field
from datetime import UTC
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.http import QueryDict
from django.utils.dateparse import parse_datetime

from . import held_messages, representation
from .models import HeldMessage
from .new_messages import moment_of
from .problems import BadRequest, Issue
from .serializers import STATUSES

_COLUMNS: Final = {
    "recipientAttention.subOrganization.extension": "recipient_function",
    "senderAttention.subOrganization.extension": "sender_function",
}
_MOMENTS: Final = {
    "creationDateTimeStart": "message_created_at__gte",
    "creationDateTimeStop": "message_created_at__lte",
}
_STATUS: Final = "messageStatus"
# Named `contentBodyText` in the texts and `contentTextBody` in the schema.
_LEFT_OUT: Final = {
    "contentBodyText": held_messages.TEXTS,
    "contentTextBody": held_messages.TEXTS,
    "contentFiles": held_messages.FILES,
}
ATTRIBUTES: Final = (_STATUS, *_COLUMNS, *_MOMENTS)
# The specification's own example has typographic quotes around the value.
_QUOTES: Final = '"”“'
_SIZE: Final = "page[size]"
_AFTER: Final = "page[after]"
LARGEST_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Filter:
    """A query for messages. `without` are the kinds of pieces to leave out of each message."""

    condition: Q = field(default_factory=Q)
    without: frozenset[str] = frozenset()
    size: int = LARGEST_PAGE
    after: Q = field(default_factory=Q)


def read(query: QueryDict) -> Filter:
    """The filter of a request. An attribute that is given twice matches either value. Raises `BadRequest`."""
    condition, after = Q(), Q()
    without: set[str] = set()
    size = LARGEST_PAGE
    issues: list[Issue] = []
    for name, values in query.lists():
        if name == _SIZE:
            size = _size(values[-1], issues)
        elif name == _AFTER:
            after = _after(values[-1], issues)
        elif name.startswith("filter"):
            attribute = name.removeprefix("filter").removeprefix("[").removesuffix("]")
            texts = [value.strip().strip(_QUOTES) for value in values]
            if attribute in _LEFT_OUT:
                without |= _left_out(attribute, texts, issues)
            else:
                condition &= _condition(attribute, texts, issues)
    if issues:
        raise BadRequest(*issues)
    return Filter(condition, frozenset(without), size, after)


def link(path: str, query: QueryDict, row: HeldMessage | None = None) -> str:
    """The address of the request; with a row, the address of the page after that row."""
    parameters = [
        (name, value) for name, values in query.lists() for value in values if name != _AFTER or row is None
    ]
    if row is not None:
        parameters.append((_AFTER, f"{row.held_at.isoformat()}|{row.pk}"))
    return f"{path}?{urlencode(parameters)}" if parameters else path


def _condition(attribute: str, texts: list[str], issues: list[Issue]) -> Q:
    found = Q()
    for text in texts:
        if "\0" in text:
            issues.append(
                Issue("Not a value", f"filter[{attribute}]" if attribute in ATTRIBUTES else "filter")
            )
        elif attribute in _COLUMNS:
            found |= Q(**{_COLUMNS[attribute]: text})
        elif attribute in _MOMENTS:
            moment = moment_of(text)
            if moment is None:
                issues.append(Issue("Not a time of ISO 8601 in UTC", f"filter[{attribute}]"))
            found |= Q(**{_MOMENTS[attribute]: moment})
        elif attribute == _STATUS:
            if text not in STATUSES:
                issues.append(Issue("Not a message status", f"filter[{attribute}]"))
            found |= representation.having_status(text)
        else:
            known = ", ".join((*ATTRIBUTES, "contentBodyText", "contentFiles"))
            issues.append(Issue("No such attribute to filter by", "filter", f"known: {known}"))
    return found


def _left_out(attribute: str, texts: list[str], issues: list[Issue]) -> set[str]:
    if any(text.lower() not in {"true", "false"} for text in texts):
        issues.append(Issue("Neither true nor false", f"filter[{attribute}]"))
    return {_LEFT_OUT[attribute]} if texts[-1].lower() == "false" else set()


def _size(text: str, issues: list[Issue]) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= LARGEST_PAGE:
        issues.append(Issue(f"A number from 1 to {LARGEST_PAGE}", _SIZE))
        return LARGEST_PAGE
    return int(text[:9])


def _after(text: str, issues: list[Issue]) -> Q:
    moment_text, _, key_text = text.partition("|")
    try:
        moment, key = parse_datetime(moment_text), UUID(key_text)
        if moment is None or moment.tzinfo is None:
            raise ValueError
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        issues.append(Issue("Not a link of this service's", _AFTER))
        return Q()
    return Q(held_at__gt=moment) | Q(held_at=moment, pk__gt=key)
