"""Writing the index: in the transaction that stores a message or note; `index_missing` adds what was
missing."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db import transaction
from django.db.models import BigIntegerField, F, Func, QuerySet, Value, prefetch_related_objects

from transport.storage.encryption.keys import search_key

from ..models import (
    Conversation,
    Draft,
    DraftEntry,
    FunctionMailbox,
    Message,
    Note,
    NoteEntry,
    RegisteredMessage,
    SearchEntry,
    VocabularyWord,
)
from . import vocabulary
from .hashes import NUMBER, STEM, WORD, tokens
from .stems import stems_of
from .words import WordsAndNumbers, words_and_numbers

_BATCH: Final = 200
# How many of the newest rows the frequent sweep looks at; the hourly one looks at all.
_RECENT: Final = 5_000


def add(row: Message | Note) -> None:
    """Index a message with its documents and attachments, or a note; its words join the vocabulary on
    commit."""
    stems = _store(row)
    transaction.on_commit(partial(_add_to_vocabulary, [(row, stems)]), robust=True)


def add_all(messages: Sequence[Message]) -> None:
    """`add` for messages that have just been stored, and have no entry."""
    if not messages:
        return
    prefetch_related_objects(messages, "documents__attachments")
    words = [(message, _words_of(message)) for message in messages]
    SearchEntry.objects.bulk_create(
        [SearchEntry(message=message, **_values(message, *found)) for message, found in words]
    )
    learned = [(message, stems) for message, (_, stems) in words]
    transaction.on_commit(partial(_add_to_vocabulary, learned), robust=True)


def add_case_number(mailbox: FunctionMailbox, message_ids: Collection[int], case_number: str) -> None:
    """Let messages of a mailbox be found by the case number that they are registered with."""
    content = words_and_numbers([case_number], [case_number])
    words = _hashed(search_key(mailbox.participant_id), content, stems_of(content.words))
    added = Value(words, output_field=ArrayField(BigIntegerField()))
    joined = Func(F("words"), added, function="ARRAY_CAT", output_field=ArrayField(BigIntegerField()))
    SearchEntry.objects.filter(message__in=message_ids).update(words=joined)


def index_again(message_ids: Collection[int]) -> None:
    """Let the next sweep index messages anew: they are no more found by a number that was withdrawn."""
    SearchEntry.objects.filter(message__in=message_ids).update(is_learned=False)


def move(conversation: Conversation, mailbox: FunctionMailbox) -> None:
    """Let entries follow a conversation to another mailbox of its organisation; the search key stays the
    same."""
    SearchEntry.objects.filter(message__conversation=conversation).update(mailbox=mailbox)
    NoteEntry.objects.filter(note__conversation=conversation).update(mailbox=mailbox)
    DraftEntry.objects.filter(draft__answers__conversation=conversation).update(mailbox=mailbox)


def index_missing(*, everything: bool = False) -> int:
    """Index rows that have no entry, were moved, or whose words are not in the vocabulary yet, and all
    changed drafts. Gives the number of messages and notes."""
    _add_drafts(Draft.objects.exclude(search_entry__at=F("changed_at")))
    return sum(_index_missing(rows, everything=everything) for rows in _all())


def rebuild() -> int:
    """Index everything again, with a new vocabulary. Gives the number of messages and notes."""
    VocabularyWord.objects.all().delete()
    _add_drafts(Draft.objects.all())
    return sum(_add_all(rows) for rows in _all())


def _all() -> tuple[QuerySet[Any], ...]:
    return Message.objects.all(), Note.objects.all()


def _index_missing(rows: QuerySet[Any], *, everything: bool) -> int:
    missing = rows.filter(search_entry=None)
    if not everything:
        newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
        missing = missing.filter(pk__gt=newest - _RECENT)
    count = _add_all(missing)
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
        for row in batch:
            with transaction.atomic():
                stems = _store(row)
            _add_to_vocabulary([(row, stems)])
        last = batch[-1].pk
        count += len(batch)
    return count


def _add_drafts(drafts: QuerySet[Draft]) -> None:
    """Index drafts. Their words do not join the vocabulary: half-written words are no suggestions."""
    rows = drafts.filter(is_untouched=False).select_related("mailbox")
    rows = rows.prefetch_related("attachments", "further_recipients")
    for draft in rows.order_by("pk").iterator(chunk_size=_BATCH):
        content = words_and_numbers(_texts_of_draft(draft), (value for _, value in draft.references))
        words = _hashed(search_key(draft.mailbox.participant_id), content, stems_of(content.words))
        with transaction.atomic():
            # A draft that is locked is being sent or deleted: it needs no entry.
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
    for kind, value in draft.references:
        yield from (kind, value)
    for attachment in draft.attachments.all():
        yield attachment.name.replace("_", " ")


def _store(row: Message | Note) -> dict[str, str]:
    """Write the entry. Gives the words with their stems, for the vocabulary."""
    case_numbers: list[str] = []
    if isinstance(row, Message):
        prefetch_related_objects([row], "documents__attachments")
        case_numbers = _case_numbers(row)
    content, stems = _words_of(row, case_numbers)
    if isinstance(row, Note):
        NoteEntry.objects.update_or_create(note=row, defaults=_values(row, content, stems))
    else:
        SearchEntry.objects.update_or_create(message=row, defaults=_values(row, content, stems))
    return stems


def _words_of(
    row: Message | Note, case_numbers: Sequence[str] = ()
) -> tuple[WordsAndNumbers, dict[str, str]]:
    """What a row is found by, and its words with their stems; a message's documents have been fetched.

    `case_numbers` are those that it is registered with: a message that has just been stored has none.
    """
    if isinstance(row, Note):
        content = words_and_numbers([row.text])
    else:
        content = words_and_numbers([*_texts(row), *case_numbers], [*_identifiers(row), *case_numbers])
    return content, stems_of(content.words)


def _case_numbers(message: Message) -> list[str]:
    covered = RegisteredMessage.objects.filter(message=message, is_current=True)
    numbers = [row.registration.case_number for row in covered.select_related("registration")]
    return [number for number in numbers if number]


def _values(row: Message | Note, content: WordsAndNumbers, stems: Mapping[str, str]) -> dict[str, Any]:
    mailbox = row.conversation.mailbox
    values: dict[str, Any] = {
        "mailbox": mailbox,
        "at": row.at,
        "words": _hashed(search_key(mailbox.participant_id), content, stems),
        "is_learned": False,
    }
    if isinstance(row, Message):
        values |= {
            "is_outgoing": row.direction == Message.Direction.OUT,
            "is_confidential": row.is_confidential,
            "has_attachments": any(document.attachments.all() for document in row.documents.all()),
        }
    return values


def _add_to_vocabulary(rows: Sequence[tuple[Message | Note, Mapping[str, str]]]) -> None:
    """Let the words of rows join the vocabulary of their organisations."""
    by_participant: dict[str, dict[str, str]] = {}
    for row, stems in rows:
        by_participant.setdefault(row.conversation.mailbox.participant_id, {}).update(stems)
    for participant, stems in by_participant.items():
        vocabulary.add(participant, search_key(participant), stems)
    learned = {row.pk for row, _ in rows if isinstance(row, Note)}
    if learned:
        NoteEntry.objects.filter(pk__in=learned).update(is_learned=True)
    if learned := {row.pk for row, _ in rows if isinstance(row, Message)}:
        SearchEntry.objects.filter(pk__in=learned).update(is_learned=True)


def _hashed(key: bytes, content: WordsAndNumbers, stems: Mapping[str, str]) -> list[int]:
    found = tokens(key, WORD, content.words)
    found += tokens(key, STEM, set(stems.values()))
    found += tokens(key, NUMBER, content.numbers)
    return sorted(set(found))


def _identifiers(message: Message) -> Iterator[str]:
    """Texts that are found by their letters and digits alone, whatever separates them."""
    yield str(message.message_id)
    persons = (*message.sender_persons, *message.recipient_persons)
    for item in (*persons, *message.sender_references, *message.recipient_references):
        yield item["value"]


def _texts(message: Message) -> Iterator[str]:
    """All texts by which a message is found."""
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
    for document in message.documents.all():
        yield document.name
        yield from document.texts
        for attachment in document.attachments.all():
            yield attachment.name.replace("_", " ")
