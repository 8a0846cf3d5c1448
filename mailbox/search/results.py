"""Hits as the search page shows them: marked words, an excerpt, and where each leads."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import groupby, islice
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext as _

from mailbox.models import Document, Draft, Message, Note
from mailbox.texts.markdown import without_marks
from transport.storage.encryption.keys import search_key

from . import Hit, Hits, Match
from .highlight import LONGEST, Excerpt, Marker, Part

_MOST_TEXTS: Final = 20


@dataclass(frozen=True, slots=True)
class HitView:
    """A hit. `kind` is message, note or draft; `writer` is of a note, `counterpart` of the others.
    `words` are the different words that match, to be marked where the hit is opened."""

    kind: str
    url: str
    at: datetime
    mailbox_name: str
    subject: list[Part]
    excerpt: list[Part]
    words: tuple[str, ...]
    is_confidential: bool
    is_sent: bool = False
    writer: str = ""
    counterpart: list[Part] = field(default_factory=list)
    persons_and_references: list[list[Part]] = field(default_factory=list)
    attachment_names: list[list[Part]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class HitGroup:
    """Hits that follow each other. `heading` is told where those with a similar spelling begin."""

    are_similar: bool
    has_heading: bool
    hits: list[HitView]


def groups_of(hits: Hits, *, previous: Match | None = None) -> list[HitGroup]:
    """The hits in their order. `previous` is the match of the last hit on the page before, None on the
    first."""
    key_of = cache(search_key)
    groups = []
    for are_similar, members in groupby(hits.hits, key=lambda hit: hit.match is Match.SIMILAR_SPELLING):
        has_heading = are_similar and previous is not Match.SIMILAR_SPELLING
        views = [_view_of(hit, hits.matching, key_of) for hit in members]
        groups.append(HitGroup(are_similar, has_heading, views))
    return groups


def _view_of(hit: Hit, matching: frozenset[int], key_of: Callable[[str], bytes]) -> HitView:
    row = hit.row
    mailbox = row.mailbox if isinstance(row, Draft) else row.conversation.mailbox
    marker = Marker(key_of(mailbox.participant_id), matching)
    if isinstance(row, Draft):
        return _draft_view(row, marker)
    if isinstance(row, Note):
        return _note_view(row, marker)
    return _message_view(row, marker)


def _draft_view(draft: Draft, marker: Marker) -> HitView:
    details = [*draft.persons, *(f"{kind} {value}".strip() for kind, value in draft.references)]
    names = (draft.recipient_function, draft.recipient_organisation)
    recipient = ", ".join(name for name in names if name)
    excerpt = marker.excerpt(_beginnings([draft.text]))
    return HitView(
        kind="draft",
        url=reverse("draft", args=[draft.pk]),
        at=draft.changed_at,
        mailbox_name=draft.mailbox.name,
        subject=marker.whole(draft.subject or _("Utan ämne")),
        excerpt=excerpt.parts,
        words=excerpt.words,
        is_confidential=draft.is_confidential,
        counterpart=marker.whole(recipient or _("Ingen mottagare än")),
        persons_and_references=_matching(marker, details),
        attachment_names=_matching(marker, [file.name for file in draft.attachments.all()]),
    )


def _note_view(note: Note, marker: Marker) -> HitView:
    excerpt: Excerpt = marker.excerpt([note.text])
    return HitView(
        kind="note",
        url=f"{reverse('conversation', args=[note.conversation_id])}#anteckning-{note.pk}",
        at=note.at,
        mailbox_name=note.conversation.mailbox.name,
        subject=[Part(note.conversation.subject or _("Utan ämne"), False)],
        excerpt=excerpt.parts,
        words=excerpt.words,
        is_confidential=note.conversation.is_confidential,
        writer=note.written_by.name if note.written_by else _("Någon som inte finns kvar"),
    )


def _message_view(message: Message, marker: Marker) -> HitView:
    documents = list(message.documents.all())
    references = (*message.sender_references, *message.recipient_references)
    details = [
        *(item["label"] or item["value"] for item in (*message.sender_persons, *message.recipient_persons)),
        *(f"{item['label']} {item['value']}".strip() for item in references),
        *(row.registration.case_number for row in message.registrations.all() if row.is_current),
    ]
    names = [file.name for document in documents for file in document.attachments.all()]
    excerpt = marker.excerpt(_beginnings(_texts_of(documents)))
    conversation = reverse("conversation", args=[message.conversation_id])
    return HitView(
        kind="message",
        url=f"{conversation}?meddelande={message.pk}#message-{message.pk}",
        at=message.at,
        mailbox_name=message.conversation.mailbox.name,
        subject=marker.whole(message.subject or _("Utan ämne")),
        excerpt=excerpt.parts,
        words=excerpt.words,
        is_confidential=message.is_confidential,
        is_sent=message.direction == message.Direction.OUT,
        counterpart=marker.whole(f"{message.counterpart_function}, {message.counterpart_organisation}"),
        persons_and_references=_matching(marker, details),
        attachment_names=_matching(marker, names),
    )


def _texts_of(documents: Iterable[Document]) -> Iterator[str]:
    for document in documents:
        yield from document.texts


def _beginnings(texts: Iterable[str]) -> list[str]:
    """The beginnings of the first texts: a bound for the cost of an excerpt, however long a message is."""
    return [without_marks(text[:LONGEST]) for text in islice(texts, _MOST_TEXTS)]


def _matching(marker: Marker, texts: list[str]) -> list[list[Part]]:
    return [marker.whole(text) for text in texts if marker.has_match(text)]
