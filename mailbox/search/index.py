"""Keeping the index: in the transaction that stores a message or note; `catch_up` finds what was missed."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from django.db import transaction
from django.db.models import F, QuerySet

from transport.storage.encryption.keys import search_key

from ..models import (
    Attachment,
    Conversation,
    Draft,
    DraftEntry,
    FunctionMailbox,
    Message,
    Note,
    NoteEntry,
    SearchEntry,
    VocabularyWord,
)
from . import vocabulary
from .hashes import NUMBER, ROOT, WORD, tokens
from .roots import roots_of
from .words import Written, written

_BATCH: Final = 200
# How far back a sweep looks; the hourly one looks at all.
_RECENT: Final = 5_000


def add(what: Message | Note) -> None:
    """Index a message that has its documents and attachments, or a note; its words are learned on commit."""
    roots = _store(what)
    transaction.on_commit(partial(_learn, what, roots), robust=True)


def move(conversation: Conversation, mailbox: FunctionMailbox) -> None:
    """The conversation stands in another mailbox of its organisation, whose key for searching is one."""
    SearchEntry.objects.filter(message__conversation=conversation).update(mailbox=mailbox)
    NoteEntry.objects.filter(note__conversation=conversation).update(mailbox=mailbox)
    DraftEntry.objects.filter(draft__answers__conversation=conversation).update(mailbox=mailbox)


def catch_up(*, everything: bool = False) -> int:
    """Index what was missed, moved to another mailbox, or not learned, and drafts as they are now; how many
    messages and notes."""
    _add_drafts(Draft.objects.exclude(search_entry__at=F("changed_at")))
    return sum(_catch_up(rows, everything=everything) for rows in _all())


def rebuild() -> int:
    """Index everything anew, and forget words that nothing holds any more; how many messages and notes."""
    VocabularyWord.objects.all().delete()
    _add_drafts(Draft.objects.all())
    return sum(_add_all(rows) for rows in _all())


def _all() -> tuple[QuerySet[Any], ...]:
    return Message.objects.all(), Note.objects.all()


def _catch_up(rows: QuerySet[Any], *, everything: bool) -> int:
    missed = rows.filter(search_entry=None)
    if not everything:
        newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
        missed = missed.filter(pk__gt=newest - _RECENT)
    count = _add_all(missed)
    count += _add_all(rows.filter(search_entry__is_learned=False))
    if everything:
        moved = rows.filter(search_entry__isnull=False)
        count += _add_all(moved.exclude(search_entry__mailbox=F("conversation__mailbox")))
    return count


def _add_all(rows: QuerySet[Any]) -> int:
    count = 0
    rows = rows.select_related("conversation__mailbox").order_by("pk")
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:_BATCH]):
        for one in batch:
            with transaction.atomic():
                roots = _store(one)
            _learn(one, roots)
        last = batch[-1].pk
        count += len(batch)
    return count


def _add_drafts(drafts: QuerySet[Draft]) -> None:
    """Half a word that somebody is writing is a word of no vocabulary, so nothing is learned of drafts."""
    rows = drafts.filter(is_untouched=False).select_related("mailbox")
    rows = rows.prefetch_related("attachments", "further_recipients")
    for draft in rows.order_by("pk").iterator(chunk_size=_BATCH):
        content = written(_texts_of_draft(draft), (value for _, value in draft.references))
        words = _hashed(search_key(draft.mailbox.participant_id), content, roots_of(content.words))
        with transaction.atomic():
            # Whoever is sending it or throwing it away has it locked: then it is no draft any more.
            if Draft.objects.select_for_update(skip_locked=True).filter(pk=draft.pk).first():
                DraftEntry.objects.update_or_create(
                    draft=draft,
                    defaults={"mailbox": draft.mailbox, "at": draft.changed_at, "words": words},
                )


def _texts_of_draft(draft: Draft) -> Iterator[str]:
    yield from (draft.subject, draft.text, *draft.persons)
    yield from (draft.recipient_organisation, draft.recipient_function)
    for recipient in draft.further_recipients.all():
        yield from (recipient.organisation, recipient.function)
    for root, value in draft.references:
        yield from (root, value)
    for attachment in draft.attachments.all():
        yield attachment.name.replace("_", " ")


def _store(what: Message | Note) -> dict[str, str]:
    """Write the entry; the words with their roots, which are to be learned."""
    mailbox = what.conversation.mailbox
    content = written([what.text]) if isinstance(what, Note) else written(_texts(what), _identifiers(what))
    roots = roots_of(content.words)
    held: dict[str, Any] = {
        "mailbox": mailbox,
        "at": what.at,
        "words": _hashed(search_key(mailbox.participant_id), content, roots),
        "is_learned": False,
    }
    if isinstance(what, Note):
        NoteEntry.objects.update_or_create(note=what, defaults=held)
        return roots
    held |= {
        "is_outgoing": what.direction == Message.Direction.OUT,
        "is_confidential": what.is_confidential,
        "has_attachments": Attachment.objects.filter(document__message=what).exists(),
    }
    SearchEntry.objects.update_or_create(message=what, defaults=held)
    return roots


def _learn(what: Message | Note, roots: dict[str, str]) -> None:
    participant = what.conversation.mailbox.participant_id
    vocabulary.learn(participant, search_key(participant), roots)
    if isinstance(what, Note):
        NoteEntry.objects.filter(pk=what.pk).update(is_learned=True)
    else:
        SearchEntry.objects.filter(pk=what.pk).update(is_learned=True)


def _hashed(key: bytes, content: Written, roots: dict[str, str]) -> list[int]:
    found = tokens(key, WORD, content.words)
    found += tokens(key, ROOT, set(roots.values()))
    found += tokens(key, NUMBER, content.numbers)
    return sorted(set(found))


def _identifiers(message: Message) -> Iterator[str]:
    """What is found by its letters and digits alone, whatever stands between them."""
    yield str(message.message_id)
    persons = (*message.sender_persons, *message.recipient_persons)
    for item in (*persons, *message.sender_references, *message.recipient_references):
        yield item["value"]


def _texts(message: Message) -> Iterator[str]:
    """Everything that a message can be found by."""
    yield message.subject
    yield message.counterpart_organisation
    yield message.counterpart_function
    yield message.counterpart_address
    for item in (*message.sender_persons, *message.recipient_persons):
        yield item["label"]
        yield item["value"]
    for item in (*message.sender_references, *message.recipient_references):
        yield item["label"]
        yield item["value"]
    for document in message.documents.prefetch_related("attachments"):
        yield document.name
        yield from document.texts
        for attachment in document.attachments.all():
            yield attachment.name.replace("_", " ")
