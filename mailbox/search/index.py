"""Keeping the index: in the transaction that stores a message; what was missed is found by `catch_up`."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet

from transport.at_rest.keys import search_key

from ..models import Attachment, Message, SearchEntry, VocabularyWord
from . import vocabulary
from .hashes import NUMBER, ROOT, WORD, tokens
from .roots import roots_of
from .words import Written, written

_BATCH: Final = 200
# How far back a sweep looks; the hourly one looks at all.
_RECENT: Final = 5_000


def add(message: Message) -> None:
    """Index a message that has its documents and attachments; its words are learned on commit."""
    roots = _store(message)
    transaction.on_commit(partial(_learn, message, roots), robust=True)


def catch_up(*, everything: bool = False) -> int:
    """Index what was missed, moved to another mailbox, or not learned; how many messages."""
    missed = Message.objects.filter(search_entry=None)
    if not everything:
        newest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        missed = missed.filter(pk__gt=newest - _RECENT)
    count = _add_all(missed)
    count += _add_all(Message.objects.filter(search_entry__is_learned=False))
    if everything:
        moved = Message.objects.filter(search_entry__isnull=False)
        count += _add_all(moved.exclude(search_entry__mailbox=F("conversation__mailbox")))
    return count


def rebuild() -> int:
    """Index everything anew, and forget words that no message holds any more; how many messages."""
    VocabularyWord.objects.all().delete()
    return _add_all(Message.objects.all())


def _add_all(messages: QuerySet[Message]) -> int:
    count = 0
    rows = messages.select_related("conversation__mailbox").order_by("pk")
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:_BATCH]):
        for message in batch:
            with transaction.atomic():
                roots = _store(message)
            _learn(message, roots)
        last = batch[-1].pk
        count += len(batch)
    return count


def _store(message: Message) -> dict[str, str]:
    """Write the entry; the words with their roots, which are to be learned."""
    content = written(_texts(message), _identifiers(message))
    roots = roots_of(content.words)
    mailbox = message.conversation.mailbox
    SearchEntry.objects.update_or_create(
        message=message,
        defaults={
            "mailbox": mailbox,
            "at": message.at,
            "is_outgoing": message.direction == Message.Direction.OUT,
            "is_confidential": message.is_confidential,
            "has_attachments": Attachment.objects.filter(document__message=message).exists(),
            "words": _hashed(search_key(mailbox.participant_id), content, roots),
            "is_learned": False,
        },
    )
    return roots


def _learn(message: Message, roots: dict[str, str]) -> None:
    participant = message.conversation.mailbox.participant_id
    vocabulary.learn(participant, search_key(participant), roots)
    SearchEntry.objects.filter(pk=message.pk).update(is_learned=True)


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
