"""The access log: who opened, took out, searched and changed what, chained so that a gap shows.

Every entry's digest covers what it says and the digest of the entry before it. Changing or removing one
breaks the chain; cutting off its end does not, so the heads are written to the process's own log now and
then (`note_heads`), and `manage.py verify_access_log` can be told one that somebody has kept.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from .access import Viewer
from .models import (
    AccessLogEntry,
    AccessLogHead,
    Attachment,
    Conversation,
    FunctionMailbox,
    Message,
    Person,
)

logger = logging.getLogger(__name__)
_BATCH: Final = 2_000


@dataclass(frozen=True, slots=True)
class Fault:
    """An entry that is not as it was written, or a gap before it."""

    participant_id: str
    number: int
    what: str


def note(
    actor: Person | None,
    what: str,
    participant_id: str,
    *,
    mailbox: FunctionMailbox | None = None,
    person: Person | None = None,
    conversation: Conversation | None = None,
    message: Message | None = None,
    **details: Any,
) -> AccessLogEntry:
    """Add an entry; in the caller's transaction, so that what is undone is not told."""
    with transaction.atomic():
        heads = AccessLogHead.objects.select_for_update()
        head = heads.filter(pk=participant_id).first() or heads.get_or_create(pk=participant_id)[0]
        entry = AccessLogEntry(
            participant_id=participant_id,
            number=head.number + 1,
            at=timezone.now(),
            actor=actor,
            what=what,
            mailbox=mailbox,
            person=person,
            conversation_id=conversation.conversation_id if conversation else None,
            message_id=message.message_id if message else None,
            details=details,
            previous=head.digest,
        )
        entry.digest = digest_of(entry)
        entry.save(force_insert=True)
        head.number, head.digest = entry.number, entry.digest
        head.save(update_fields=["number", "digest"])
    return entry


def note_opened(person: Viewer, conversation: Conversation, *, is_by_itself: bool) -> None:
    """Somebody has opened a conversation.

    A page that fetches itself again opens nothing anew; that it is one is only the browser's word, so what
    the same person has not opened before is noted all the same.
    """
    if not is_by_itself or not _has_opened(person, conversation):
        _note_by(person, "conversation-opened", conversation)


def note_printed(person: Viewer, conversation: Conversation) -> None:
    """Somebody's browser has printed a conversation."""
    _note_by(person, "conversation-printed", conversation)


def note_taken_out(person: Viewer, attachment: Attachment) -> None:
    """Somebody has opened or downloaded an attachment."""
    message = attachment.document.message
    _note_by(person, "attachment-opened", message.conversation, message=message, sha256=attachment.sha256)


def note_evidence(person: Viewer, message: Message, kind: str) -> None:
    """Somebody has opened or downloaded the envelope or a receipt of a message."""
    _note_by(person, "evidence-opened", message.conversation, message=message, kind=kind)


def digest_of(entry: AccessLogEntry) -> str:
    """What the entry's digest has to be."""
    said = [
        entry.participant_id,
        entry.number,
        entry.at.isoformat(),
        entry.actor_id,
        entry.what,
        entry.mailbox_id,
        entry.person_id,
        _text(entry.conversation_id),
        _text(entry.message_id),
        entry.details,
        entry.previous,
    ]
    canonical = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def verify(participant_id: str, *, expected: tuple[int, str] | None = None) -> Iterator[Fault]:
    """What is wrong with an organisation's chain; `expected` is a head that somebody has kept."""
    number, previous = 0, ""
    rows = AccessLogEntry.objects.filter(participant_id=participant_id).order_by("number")
    for entry in rows.iterator(chunk_size=_BATCH):
        if entry.number != number + 1:
            yield Fault(participant_id, number + 1, "missing")
        elif entry.previous != previous:
            yield Fault(participant_id, entry.number, "not-chained")
        if entry.digest != digest_of(entry):
            yield Fault(participant_id, entry.number, "changed")
        if expected is not None and entry.number == expected[0] and entry.digest != expected[1]:
            yield Fault(participant_id, entry.number, "not-as-kept")
        number, previous = entry.number, entry.digest
    head = AccessLogHead.objects.filter(participant_id=participant_id).first()
    if head is None or (head.number, head.digest) != (number, previous):
        yield Fault(participant_id, number + 1, "cut-off")
    if expected is not None and number < expected[0]:
        yield Fault(participant_id, expected[0], "cut-off")


def note_heads() -> None:
    """Write where every chain ends to the process's log, which lies apart from the database."""
    for head in AccessLogHead.objects.order_by("participant_id"):
        fields = {"organisation": head.participant_id, "number": head.number, "digest": head.digest}
        logger.info("access log head", extra={"fields": fields})


def _has_opened(person: Viewer, conversation: Conversation) -> bool:
    return AccessLogEntry.objects.filter(
        participant_id=conversation.mailbox.participant_id,
        conversation_id=conversation.conversation_id,
        mailbox=conversation.mailbox,
        actor_id=person.pk or 0,
        what="conversation-opened",
        at__gt=timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE),
    ).exists()


def _note_by(person: Viewer, what: str, conversation: Conversation, **details: Any) -> None:
    if isinstance(person, Person):
        mailbox = conversation.mailbox
        note(person, what, mailbox.participant_id, mailbox=mailbox, conversation=conversation, **details)


def _text(identity: UUID | str | None) -> str | None:
    return None if identity is None else str(UUID(str(identity)))
