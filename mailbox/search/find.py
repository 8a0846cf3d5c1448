"""Answering a question: exact matches first, then other forms and compounds, then what is spelt alike;
the newest first among equals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import F, OrderBy, Q, QuerySet

from transport.at_rest.keys import search_key

from ..access import Viewer, mailboxes_of, messages_of
from ..models import Message, SearchEntry
from . import vocabulary
from .hashes import NUMBER, ROOT, WORD, token
from .roots import roots_of
from .words import Term, forms_of_number, terms

PAGE: Final = 20
_LONG_NUMBER: Final = 6


@dataclass(frozen=True, slots=True)
class Filters:
    """What else has to be true of a message."""

    mailbox_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_outgoing: bool | None = None
    is_confidential: bool = False
    has_attachments: bool = False
    label_id: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found; `leg` tells how well: 1 as it was written, 2 another form, 3 spelt alike."""

    message: Message
    leg: int


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of hits; `after` asks for the next, empty on the last. `matching` is for showing where."""

    hits: Sequence[Hit] = ()
    after: str = ""
    matching: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Expanded:
    """What each term may be in the index: as written, in other forms, spelt alike."""

    exact: list[list[int]] = field(default_factory=list)
    forms: list[list[int]] = field(default_factory=list)
    alike: list[list[int]] = field(default_factory=list)


def find(person: Viewer, question: str, filters: Filters | None = None, *, after: str = "") -> Hits:
    """A page of the messages that the person may see and the question means."""
    asked = terms(question)
    boxes: dict[str, list[int]] = {}
    for box in mailboxes_of(person):
        boxes.setdefault(box.participant_id, []).append(box.pk)
    if not asked or not boxes:
        return Hits()
    start_leg, position = _position(after)
    chosen = filters or Filters()
    found: list[tuple[int, datetime, int]] = []
    matching: set[int] = set()
    # Each organisation has a key of its own, so a question is asked of each by itself.
    for participant, mailbox_ids in sorted(boxes.items()):
        rows = _narrowed(mailbox_ids, chosen)
        key = search_key(participant)
        expanded = _expanded(key, asked)
        matching.update(one for alternatives in expanded.forms for one in alternatives)
        found += _found(rows, key, asked, expanded, start_leg, position)
        matching.update(one for alternatives in expanded.alike for one in alternatives)
    found.sort(key=lambda row: (row[0], -row[1].timestamp(), -row[2]))
    page = found[:PAGE]
    legs = {row[2]: row[0] for row in page}
    visible = messages_of(person).select_related("conversation__mailbox").filter(pk__in=legs)
    rows_by_key = {row.pk: row for row in visible.prefetch_related("documents__attachments")}
    hits = [Hit(rows_by_key[key], leg) for key, leg in legs.items() if key in rows_by_key]
    last = page[-1] if len(found) > PAGE else None
    return Hits(hits, f"{last[0]}_{last[1].isoformat()}_{last[2]}" if last else "", frozenset(matching))


def _found(
    rows: QuerySet[SearchEntry],
    key: bytes,
    asked: list[Term],
    expanded: _Expanded,
    start_leg: int,
    position: Q,
) -> list[tuple[int, datetime, int]]:
    """Up to a page and one of (leg, at, key), leg by leg; what one leg found the next leaves out."""
    found: list[tuple[int, datetime, int]] = []
    earlier = Q(pk=None)
    for leg in (1, 2, 3):
        if leg == 3:
            expanded.alike = _alike(key, asked, expanded)
        alternatives = (expanded.exact, expanded.forms, expanded.alike)[leg - 1]
        condition = _every(alternatives)
        if leg >= start_leg:
            here = rows.filter(condition).exclude(earlier)
            if leg == start_leg:
                here = here.filter(position)
            room = PAGE + 1 - len(found)
            ordered = here.order_by(_newest_first(asked), "-message_id")
            found += [(leg, at, message) for at, message in ordered.values_list("at", "message_id")[:room]]
        if len(found) > PAGE:
            break
        earlier = condition
    return found


def _newest_first(asked: list[Term]) -> OrderBy:
    """By time; a long number stands in few messages, so they are looked up, and no index by time walked."""
    is_rare = any(term.is_number and len(term.text) >= _LONG_NUMBER for term in asked)
    return OrderBy(F("at") + timedelta() if is_rare else F("at"), descending=True)


def _narrowed(mailbox_ids: list[int], filters: Filters) -> QuerySet[SearchEntry]:
    chosen = mailbox_ids if filters.mailbox_id is None else [filters.mailbox_id]
    narrow: dict[str, Any] = {"mailbox__in": set(chosen) & set(mailbox_ids)}
    if filters.since is not None:
        narrow["at__gte"] = filters.since
    if filters.until is not None:
        narrow["at__lt"] = filters.until
    if filters.is_outgoing is not None:
        narrow["is_outgoing"] = filters.is_outgoing
    if filters.is_confidential:
        narrow["is_confidential"] = True
    if filters.has_attachments:
        narrow["has_attachments"] = True
    if filters.label_id is not None:
        narrow["message__conversation__labelling__label"] = filters.label_id
    return SearchEntry.objects.filter(**narrow)


def _expanded(key: bytes, asked: list[Term]) -> _Expanded:
    expanded = _Expanded()
    roots = roots_of(term.text for term in asked)
    for term in asked:
        exact = [token(key, WORD, term.text)]
        if term.is_number:
            exact.append(token(key, NUMBER, term.text))
            forms = [*exact, *(token(key, NUMBER, form) for form in forms_of_number(term.text)[1:])]
        else:
            forms = list(exact)
            root = roots.get(term.text)
            if root is not None:
                forms.append(token(key, ROOT, root))
                forms += vocabulary.relatives(key, term.text, root)
        expanded.exact.append(exact)
        expanded.forms.append(forms)
    return expanded


def _alike(key: bytes, asked: list[Term], expanded: _Expanded) -> list[list[int]]:
    roots = roots_of(term.text for term in asked)
    return [
        forms if term.is_number or term.text not in roots else forms + vocabulary.alike(key, term.text)
        for term, forms in zip(asked, expanded.forms, strict=True)
    ]


def _every(alternatives: list[list[int]]) -> Q:
    """Every term, by any of what it may be."""
    condition = Q()
    single = [one[0] for one in alternatives if len(one) == 1]
    if single:
        condition &= Q(words__contains=single)
    for one in alternatives:
        if len(one) > 1:
            condition &= Q(words__overlap=one)
    return condition


def _position(after: str) -> tuple[int, Q]:
    """The leg to go on with, and what lies after the last hit of the page before."""
    leg, _, rest = after.partition("_")
    moment, _, identity = rest.rpartition("_")
    if leg not in {"1", "2", "3"} or not identity.isascii() or not identity.isdigit():
        return 1, Q()
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return 1, Q()
    if at.tzinfo is None or len(identity) > 18:
        return 1, Q()
    return int(leg), Q(at__lt=at) | Q(at=at, message_id__lt=int(identity))
