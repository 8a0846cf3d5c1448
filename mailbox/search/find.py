"""Answering a question: exact matches first, then other forms and compounds, then what is spelt alike;
the newest first among equals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, F, IntegerField, OrderBy, OuterRef, Q, QuerySet, Value

from transport.storage.encryption.keys import search_key

from ..access import Viewer, drafts_of, mailboxes_of, messages_of, notes_of
from ..models import Draft, DraftAttachment, DraftEntry, Message, Note, NoteEntry, SearchEntry
from . import vocabulary
from .hashes import NUMBER, ROOT, WORD, token
from .roots import roots_of
from .words import Term, forms_of_number, terms

PAGE: Final = 20
_LONG_NUMBER: Final = 6
# The kinds of what is found, by their place here, and how each is told in the address of a page.
_KINDS: Final = (SearchEntry, NoteEntry, DraftEntry)
_LETTERS: Final = ("", "n", "d")


@dataclass(frozen=True, slots=True)
class Filters:
    """What else has to be true. Notes and drafts are neither sent nor received, notes have no attachments,
    drafts no labels; a note is confidential, or has a label, as its conversation is or has."""

    mailbox_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_outgoing: bool | None = None
    is_confidential: bool = False
    has_attachments: bool = False
    label_id: int | None = None
    are_notes: bool = False
    are_drafts: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """What was found; `leg` tells how well: 1 as it was written, 2 another form, 3 spelt alike."""

    what: Message | Note | Draft
    leg: int


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of hits; `after` asks for the next, empty on the last. `matching` is for showing where."""

    hits: Sequence[Hit] = ()
    after: str = ""
    matching: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Place:
    """A hit's place among the others: leg by leg, the newest first, messages before notes before drafts."""

    leg: int
    at: datetime
    kind: int
    key: int

    @property
    def order(self) -> tuple[int, float, int, int]:
        return self.leg, -self.at.timestamp(), self.kind, -self.key


@dataclass(slots=True)
class _Expanded:
    """What each term may be in the index: as written, in other forms, spelt alike."""

    exact: list[list[int]] = field(default_factory=list)
    forms: list[list[int]] = field(default_factory=list)
    alike: list[list[int]] = field(default_factory=list)


def find(person: Viewer, question: str, filters: Filters | None = None, *, after: str = "") -> Hits:
    """A page of the messages, notes and drafts that the person may see and the question means."""
    asked = terms(question)
    boxes: dict[str, list[int]] = {}
    for box in mailboxes_of(person):
        boxes.setdefault(box.participant_id, []).append(box.pk)
    if not asked or not boxes:
        return Hits()
    last = _read(after)
    chosen = filters or Filters()
    found: list[_Place] = []
    matching: set[int] = set()
    # Each organisation has a key of its own, so a question is asked of each by itself.
    for participant, mailbox_ids in sorted(boxes.items()):
        key = search_key(participant)
        expanded = _expanded(key, asked)
        matching.update(one for alternatives in expanded.forms for one in alternatives)
        found += _found(_narrowed(mailbox_ids, chosen), key, asked, expanded, last)
        matching.update(one for alternatives in expanded.alike for one in alternatives)
    found.sort(key=lambda place: place.order)
    page = found[:PAGE]
    hits = _seen_by(person, page)
    return Hits(hits, _written(page[-1]) if len(found) > PAGE else "", frozenset(matching))


def _seen_by(person: Viewer, page: list[_Place]) -> list[Hit]:
    """What stands there, if the person may see it: an index that lags behind decides nothing."""
    visible: tuple[QuerySet[Any], ...] = (
        messages_of(person)
        .select_related("conversation__mailbox")
        .prefetch_related("documents__attachments"),
        notes_of(person).select_related("conversation__mailbox", "written_by"),
        drafts_of(person).select_related("mailbox", "changed_by").prefetch_related("attachments"),
    )
    rows: dict[tuple[int, int], Message | Note | Draft] = {}
    for kind, seen in enumerate(visible):
        keys = [place.key for place in page if place.kind == kind]
        rows |= {(kind, row.pk): row for row in seen.filter(pk__in=keys)}
    places = (((place.kind, place.key), place.leg) for place in page)
    return [Hit(rows[place], leg) for place, leg in places if place in rows]


def _found(
    entries: list[QuerySet[Any]], key: bytes, asked: list[Term], expanded: _Expanded, last: _Place | None
) -> list[_Place]:
    """Up to a page and one, leg by leg; what one leg found the next leaves out. One query a leg."""
    found: list[_Place] = []
    earlier = Q(pk=None)
    start = last.leg if last else 1
    for leg in (1, 2, 3):
        if leg == 3:
            expanded.alike = _alike(key, asked, expanded)
        alternatives = (expanded.exact, expanded.forms, expanded.alike)[leg - 1]
        condition = _every(alternatives)
        if leg >= start:
            room = PAGE + 1 - len(found)
            parts = []
            for rows in entries:
                kind = _KINDS.index(rows.model)
                here = rows.filter(condition).exclude(earlier)
                if last and leg == start:
                    here = here.filter(_beyond(last, kind))
                told = here.annotate(kind=Value(kind, IntegerField()))
                ordered = told.order_by(_newest_first(asked), "-pk")
                parts.append(ordered.values_list("at", "kind", "pk")[:room])
            places = [_Place(leg, *row) for row in parts[0].union(*parts[1:], all=True)]
            found += sorted(places, key=lambda place: place.order)[:room]
        if len(found) > PAGE:
            break
        earlier = condition
    return found


def _newest_first(asked: list[Term]) -> OrderBy:
    """By time; a long number stands in few messages, so they are looked up, and no index by time walked."""
    is_rare = any(term.is_number and len(term.text) >= _LONG_NUMBER for term in asked)
    return OrderBy(F("at") + timedelta() if is_rare else F("at"), descending=True)


def _narrowed(mailbox_ids: list[int], filters: Filters) -> list[QuerySet[Any]]:
    """The messages, notes and drafts in which to look."""
    chosen = mailbox_ids if filters.mailbox_id is None else [filters.mailbox_id]
    narrow: dict[str, Any] = {"mailbox__in": set(chosen) & set(mailbox_ids)}
    if filters.since is not None:
        narrow["at__gte"] = filters.since
    if filters.until is not None:
        narrow["at__lt"] = filters.until
    found: list[QuerySet[Any]] = []
    is_any = not (filters.are_notes or filters.are_drafts)
    if is_any:
        found.append(SearchEntry.objects.filter(**narrow, **_of_messages(filters)))
    if filters.are_notes or (is_any and filters.is_outgoing is None and not filters.has_attachments):
        found.append(NoteEntry.objects.filter(**narrow, **_of_notes(filters)))
    if filters.are_drafts or (is_any and filters.is_outgoing is None and filters.label_id is None):
        found.append(_of_drafts(DraftEntry.objects.filter(**narrow), filters))
    return found


def _of_drafts(drafts: QuerySet[DraftEntry], filters: Filters) -> QuerySet[DraftEntry]:
    if filters.is_confidential:
        drafts = drafts.filter(draft__is_confidential=True)
    if filters.has_attachments:
        drafts = drafts.filter(Exists(DraftAttachment.objects.filter(draft=OuterRef("draft"))))
    return drafts if filters.label_id is None else drafts.none()


def _of_messages(filters: Filters) -> dict[str, Any]:
    narrow: dict[str, Any] = {}
    if filters.is_outgoing is not None:
        narrow["is_outgoing"] = filters.is_outgoing
    if filters.is_confidential:
        narrow["is_confidential"] = True
    if filters.has_attachments:
        narrow["has_attachments"] = True
    if filters.label_id is not None:
        narrow["message__conversation__labelling__label"] = filters.label_id
    return narrow


def _of_notes(filters: Filters) -> dict[str, Any]:
    narrow: dict[str, Any] = {}
    if filters.is_confidential:
        narrow["note__conversation__is_confidential"] = True
    if filters.label_id is not None:
        narrow["note__conversation__labelling__label"] = filters.label_id
    return narrow


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


def _beyond(last: _Place, kind: int) -> Q:
    """What of a kind lies after the last hit of the page before."""
    if last.kind == kind:
        return Q(at__lt=last.at) | Q(at=last.at, pk__lt=last.key)
    return Q(at__lte=last.at) if kind > last.kind else Q(at__lt=last.at)


def _written(place: _Place) -> str:
    return f"{place.leg}_{place.at.isoformat()}_{_LETTERS[place.kind]}{place.key}"


def _read(after: str) -> _Place | None:
    """The place that `_written` wrote; none where it is not one."""
    leg, _, rest = after.partition("_")
    moment, _, identity = rest.rpartition("_")
    letter = identity[:1] if identity[:1] in _LETTERS else ""
    key = identity.removeprefix(letter)
    if leg not in {"1", "2", "3"} or not key.isascii() or not key.isdigit() or len(key) > 18:
        return None
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return _Place(int(leg), at, _LETTERS.index(letter), int(key)) if at.tzinfo is not None else None
