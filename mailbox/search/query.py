"""Answering a question: exact matches first, then other forms and compounds, then similar spellings; the
newest first within each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final

from django.db.models import Exists, F, IntegerField, OrderBy, OuterRef, Prefetch, Q, QuerySet, Value

from transport.row_keys import row_key
from transport.storage.encryption.keys import search_key

from ..access import (
    Viewer,
    drafts_hidden_from,
    drafts_of,
    keys_hidden_from,
    mailboxes_of,
    messages_of,
    notes_of,
)
from ..models import (
    Draft,
    DraftAttachment,
    DraftEntry,
    Message,
    Note,
    NoteEntry,
    RegisteredMessage,
    SearchEntry,
)
from . import vocabulary
from .hashes import NUMBER, STEM, WORD, token
from .stems import stems_of
from .words import Term, forms_of_number, terms_of

PAGE_SIZE: Final = 20
_LONG_NUMBER: Final = 6
# Kinds of hits in their order, with the letter that stands for each in a page mark.
_ENTRY_MODELS: Final = (SearchEntry, NoteEntry, DraftEntry)
_KIND_LETTERS: Final = ("", "n", "d")


class Match(IntEnum):
    """How well a hit matches the question; better matches come first."""

    EXACT = 1
    OTHER_FORM = 2
    SIMILAR_SPELLING = 3


@dataclass(frozen=True, slots=True)
class Filters:
    """Further conditions. Notes and drafts are neither sent nor received, notes have no attachments,
    drafts no labels; a note is confidential, or has a label, as its conversation is or has. `until` is
    exclusive."""

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
    """A message, note or draft that was found."""

    row: Message | Note | Draft
    match: Match


@dataclass(frozen=True, slots=True)
class Position:
    """The place of a hit in the order of all hits: by match, then newest first, then messages before notes
    before drafts."""

    match: Match
    at: datetime
    kind: int
    key: int

    @property
    def order(self) -> tuple[int, float, int, int]:
        return self.match, -self.at.timestamp(), self.kind, -self.key

    def as_text(self) -> str:
        """For a hidden field of a page; `parse` reads it."""
        return f"{self.match.value}_{self.at.isoformat()}_{_KIND_LETTERS[self.kind]}{self.key}"

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """The position that `as_text` wrote; None for any other text."""
        match, _, rest = text.partition("_")
        moment, _, identity = rest.rpartition("_")
        letter = identity[:1] if identity[:1] in _KIND_LETTERS else ""
        key = row_key(identity.removeprefix(letter))
        if match not in {"1", "2", "3"} or key is None:
            return None
        try:
            at = datetime.fromisoformat(moment)
            # Near the ends of the calendar a moment has no time in UTC.
            at.timestamp()
        except (ValueError, OverflowError):
            return None
        if at.tzinfo is None or not 1900 <= at.year <= 9000:
            return None
        return cls(Match(int(match)), at, _KIND_LETTERS.index(letter), key)


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of hits; `next_after` asks for the next page, None on the last. `matching` holds the hashes
    of all words that count as matches, for highlighting."""

    hits: Sequence[Hit] = ()
    next_after: Position | None = None
    matching: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Alternatives:
    """For each term the hashes by which a row matches: as written, in other forms, in similar spelling."""

    exact: list[list[int]] = field(default_factory=list)
    forms: list[list[int]] = field(default_factory=list)
    similar: list[list[int]] = field(default_factory=list)


def find(
    person: Viewer, question: str, filters: Filters | None = None, *, after: Position | None = None
) -> Hits:
    """A page of the messages, notes and drafts that the person may see and that hold every term."""
    terms = terms_of(question)
    mailbox_ids_by_participant: dict[str, list[int]] = {}
    for mailbox in mailboxes_of(person):
        mailbox_ids_by_participant.setdefault(mailbox.participant_id, []).append(mailbox.pk)
    if not terms or not mailbox_ids_by_participant:
        return Hits()
    filters = filters or Filters()
    found: list[Position] = []
    matching: set[int] = set()
    # Each organisation has its own key, and so its own hashes and queries.
    for participant, mailbox_ids in sorted(mailbox_ids_by_participant.items()):
        key = search_key(participant)
        alternatives = _alternatives_of(key, terms)
        found += _positions(_entries(person, mailbox_ids, filters), key, terms, alternatives, after)
        matching.update(number for numbers in alternatives.forms for number in numbers)
        matching.update(number for numbers in alternatives.similar for number in numbers)
    found.sort(key=lambda position: position.order)
    page = found[:PAGE_SIZE]
    next_after = page[-1] if len(found) > PAGE_SIZE else None
    return Hits(_visible_hits(person, page), next_after, frozenset(matching))


def _visible_hits(person: Viewer, page: list[Position]) -> list[Hit]:
    """The rows at the positions that the person may see: an outdated index must not reveal anything."""
    registered = RegisteredMessage.objects.filter(is_current=True).select_related("registration")
    visible: tuple[QuerySet[Any], ...] = (
        messages_of(person)
        .select_related("conversation__mailbox")
        .prefetch_related("documents__attachments", Prefetch("registrations", registered)),
        notes_of(person).select_related("conversation__mailbox", "written_by"),
        drafts_of(person).select_related("mailbox", "changed_by").prefetch_related("attachments"),
    )
    rows: dict[tuple[int, int], Message | Note | Draft] = {}
    for kind, queryset in enumerate(visible):
        keys = [position.key for position in page if position.kind == kind]
        if keys:
            rows |= {(kind, row.pk): row for row in queryset.filter(pk__in=keys)}
    return [
        Hit(rows[position.kind, position.key], position.match)
        for position in page
        if (position.kind, position.key) in rows
    ]


def _positions(
    entries: list[QuerySet[Any]],
    key: bytes,
    terms: list[Term],
    alternatives: _Alternatives,
    after: Position | None,
) -> list[Position]:
    """Up to one more than a page, the best matches first; a row counts once. One query for each `Match`."""
    found: list[Position] = []
    already_found = Q(pk=None)
    start = after.match if after else Match.EXACT
    for match in Match:
        if match is Match.SIMILAR_SPELLING:
            alternatives.similar = _similar(key, terms, alternatives)
        hashes = (alternatives.exact, alternatives.forms, alternatives.similar)[match - 1]
        condition = _every_term(hashes)
        if match >= start:
            wanted = PAGE_SIZE + 1 - len(found)
            parts = []
            for rows in entries:
                kind = _ENTRY_MODELS.index(rows.model)
                matches = rows.filter(condition).exclude(already_found)
                if after and match == start:
                    matches = matches.filter(_later_than(after, kind))
                ordered = matches.annotate(kind=Value(kind, IntegerField())).order_by(
                    _newest_first(terms), "-pk"
                )
                parts.append(ordered.values_list("at", "kind", "pk")[:wanted])
            positions = [Position(match, *row) for row in parts[0].union(*parts[1:], all=True)]
            found += sorted(positions, key=lambda position: position.order)[:wanted]
        if len(found) > PAGE_SIZE:
            break
        already_found = condition
    return found


def _newest_first(terms: list[Term]) -> OrderBy:
    """By time. A long number is in few rows: the expression keeps PostgreSQL from walking the index by
    time."""
    is_rare = any(term.is_number and len(term.text) >= _LONG_NUMBER for term in terms)
    return OrderBy(F("at") + timedelta() if is_rare else F("at"), descending=True)


def _entries(person: Viewer, mailbox_ids: list[int], filters: Filters) -> list[QuerySet[Any]]:
    """The index entries of messages, notes and drafts that the filters leave.

    What is hidden from the person is left out here already: neither the number of hits on a page nor whether
    there is another page tells of it.
    """
    chosen = mailbox_ids if filters.mailbox_id is None else [filters.mailbox_id]
    conditions: dict[str, Any] = {"mailbox__in": set(chosen) & set(mailbox_ids)}
    if filters.since is not None:
        conditions["at__gte"] = filters.since
    if filters.until is not None:
        conditions["at__lt"] = filters.until
    entries: list[QuerySet[Any]] = []
    hidden = keys_hidden_from(person)
    is_any_kind = not (filters.are_notes or filters.are_drafts)
    if is_any_kind:
        messages = SearchEntry.objects.filter(**conditions, **_message_conditions(filters))
        of_hidden = Message.objects.filter(conversation__in=hidden).values("pk")
        entries.append(messages.exclude(message__in=of_hidden) if hidden else messages)
    if filters.are_notes or (is_any_kind and filters.is_outgoing is None and not filters.has_attachments):
        notes = NoteEntry.objects.filter(**conditions, **_note_conditions(filters))
        hidden_notes = Note.objects.filter(conversation__in=hidden).values("pk")
        entries.append(notes.exclude(note__in=hidden_notes) if hidden else notes)
    if filters.are_drafts or (is_any_kind and filters.is_outgoing is None and filters.label_id is None):
        drafts = DraftEntry.objects.filter(**conditions)
        if hidden:
            hidden_drafts = Draft.objects.filter(drafts_hidden_from(person)).values("pk")
            drafts = drafts.exclude(draft__in=hidden_drafts)
        entries.append(_draft_entries(drafts, filters))
    return entries


def _draft_entries(drafts: QuerySet[DraftEntry], filters: Filters) -> QuerySet[DraftEntry]:
    if filters.is_confidential:
        drafts = drafts.filter(draft__is_confidential=True)
    if filters.has_attachments:
        drafts = drafts.filter(Exists(DraftAttachment.objects.filter(draft=OuterRef("draft"))))
    return drafts if filters.label_id is None else drafts.none()


def _message_conditions(filters: Filters) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    if filters.is_outgoing is not None:
        conditions["is_outgoing"] = filters.is_outgoing
    if filters.is_confidential:
        conditions["is_confidential"] = True
    if filters.has_attachments:
        conditions["has_attachments"] = True
    if filters.label_id is not None:
        conditions["message__conversation__labelling__label"] = filters.label_id
    return conditions


def _note_conditions(filters: Filters) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    if filters.is_confidential:
        conditions["note__conversation__is_confidential"] = True
    if filters.label_id is not None:
        conditions["note__conversation__labelling__label"] = filters.label_id
    return conditions


def _alternatives_of(key: bytes, terms: list[Term]) -> _Alternatives:
    alternatives = _Alternatives()
    stems = stems_of(term.text for term in terms)
    for term in terms:
        exact = [token(key, WORD, term.text)]
        if term.is_number:
            exact.append(token(key, NUMBER, term.text))
            forms = [*exact, *(token(key, NUMBER, form) for form in forms_of_number(term.text)[1:])]
        else:
            forms = list(exact)
            stem = stems.get(term.text)
            if stem is not None:
                forms.append(token(key, STEM, stem))
                forms += vocabulary.compounds_of(key, term.text, stem)
        alternatives.exact.append(exact)
        alternatives.forms.append(forms)
    return alternatives


def _similar(key: bytes, terms: list[Term], alternatives: _Alternatives) -> list[list[int]]:
    stems = stems_of(term.text for term in terms)
    return [
        forms if term.is_number or term.text not in stems else forms + vocabulary.similar_to(key, term.text)
        for term, forms in zip(terms, alternatives.forms, strict=True)
    ]


def _every_term(alternatives: list[list[int]]) -> Q:
    """Every term, by any of its alternatives."""
    condition = Q()
    single = [numbers[0] for numbers in alternatives if len(numbers) == 1]
    if single:
        condition &= Q(words__contains=single)
    for numbers in alternatives:
        if len(numbers) > 1:
            condition &= Q(words__overlap=numbers)
    return condition


def _later_than(position: Position, kind: int) -> Q:
    """Entries of a kind that come after the position in the order of hits."""
    if position.kind == kind:
        return Q(at__lt=position.at) | Q(at=position.at, pk__lt=position.key)
    return Q(at__lte=position.at) if kind > position.kind else Q(at__lt=position.at)
