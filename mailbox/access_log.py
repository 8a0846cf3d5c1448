"""The access log: who opened, exported, searched and changed what, chained so that a gap is noticed.

The digest of every entry covers its values and the digest of the entry before it. Changing or deleting an
entry breaks the chain. Cutting off its end does not, so the heads are written to the process's log regularly
(`log_heads`), and `manage.py verify_access_log` compares a head that somebody has kept.
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
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from .access import Viewer
from .models import (
    AccessLogEntry,
    AccessLogHead,
    Attachment,
    Conversation,
    Draft,
    FunctionMailbox,
    Message,
    Note,
    Person,
    Reassignment,
)

logger = logging.getLogger(__name__)
_BATCH: Final = 2_000
# In the details of an entry that another installation has made: what it was there.
IMPORTED: Final = "imported"


@dataclass(frozen=True, slots=True)
class Fault:
    """An entry that has been changed, or a gap before it."""

    participant_id: str
    number: int
    what: str


def record(
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
    """Add an entry in the caller's transaction, so that it is rolled back with what it records."""
    entry = AccessLogEntry(
        what=what,
        mailbox=mailbox,
        person=person,
        conversation_id=conversation.conversation_id if conversation else None,
        message_id=message.message_id if message else None,
        details=details,
    )
    return record_all(actor, participant_id, [entry])[0]


def record_all(
    actor: Person | None, participant_id: str, entries: list[AccessLogEntry]
) -> list[AccessLogEntry]:
    """Add entries in their order, in one statement, in the caller's transaction."""
    with transaction.atomic():
        head = _locked_head(participant_id)
        for entry in entries:
            entry.participant_id, entry.actor, entry.at = participant_id, actor, timezone.now()
            entry.number, entry.previous = head.number + 1, head.digest
            entry.digest = digest_of(entry)
            head.number, head.digest = entry.number, entry.digest
        AccessLogEntry.objects.bulk_create(entries)
        head.save(update_fields=["number", "digest"])
    return entries


def record_opened(person: Viewer, conversation: Conversation, *, is_by_itself: bool) -> None:
    """Record that a person has opened a conversation.

    A page that reloads by itself (`is_by_itself`) is not recorded again, unless it shows something new: since
    only the browser says that it is one, entries tell the newest message, note and reassignment that were
    shown.
    """
    shown = _newest_in(conversation)
    if not is_by_itself or not _has_opened(person, conversation, shown):
        _record_by(person, "conversation-opened", conversation, shown=shown)


def record_draft_opened(person: Viewer, draft: Draft) -> None:
    """Record that a person has opened a draft in which others have written, once for each version and login.

    A draft may quote the message that it answers or forwards."""
    own = {None, person.pk}
    if not isinstance(person, Person) or (draft.changed_by_id in own and draft.created_by_id in own):
        return
    key, version = str(draft.key), draft.version
    recorded = _since_login(person, draft.mailbox, "draft-opened")
    if not recorded.filter(details={"draft": key, "version": version}).exists():
        conversation = conversation_of(draft)
        record(
            person,
            "draft-opened",
            draft.mailbox.participant_id,
            mailbox=draft.mailbox,
            conversation=conversation,
            draft=key,
            version=version,
        )


def conversation_of(draft: Draft) -> Conversation | None:
    """The conversation that a draft answers or forwards a message of."""
    message = draft.answers or draft.forwards
    return message.conversation if message is not None else None


def record_printed(person: Viewer, conversation: Conversation) -> None:
    """Record that a person has printed a conversation."""
    _record_by(person, "conversation-printed", conversation)


def record_attachment_opened(person: Viewer, attachment: Attachment) -> None:
    """Record that a person has opened or downloaded an attachment."""
    message = attachment.document.message
    _record_by(person, "attachment-opened", message.conversation, message=message, sha256=attachment.sha256)


def record_text_downloaded(person: Viewer, message: Message) -> None:
    """Record that a person has downloaded the whole text of a message."""
    _record_by(person, "text-downloaded", message.conversation, message=message)


def record_evidence_opened(person: Viewer, message: Message, kind: str) -> None:
    """Record that a person has opened or downloaded the envelope or a receipt of a message."""
    _record_by(person, "evidence-opened", message.conversation, message=message, kind=kind)


def digest_of(entry: AccessLogEntry) -> str:
    """The correct digest of an entry."""
    covered = [
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
    canonical = json.dumps(covered, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def head_of(participant_id: str) -> tuple[int, str]:
    """The number and the digest of an organisation's last entry; 0 and nothing before the first."""
    head = AccessLogHead.objects.filter(pk=participant_id).first()
    return (head.number, head.digest) if head is not None else (0, "")


def lock_head(participant_id: str) -> tuple[int, str]:
    """As `head_of`; nobody else adds an entry until the caller's transaction ends."""
    head = _locked_head(participant_id)
    return head.number, head.digest


def _locked_head(participant_id: str) -> AccessLogHead:
    heads = AccessLogHead.objects.select_for_update()
    return heads.filter(pk=participant_id).first() or heads.get_or_create(pk=participant_id)[0]


def set_head(participant_id: str, head: tuple[int, str]) -> None:
    """Set the head, which is locked, after entries were added by `chain_imported`."""
    number, digest = head
    AccessLogHead.objects.filter(pk=participant_id).update(number=number, digest=digest)


def chain_imported(entry: AccessLogEntry, original: AccessLogEntry, head: tuple[int, str]) -> tuple[int, str]:
    """Let an entry of another installation follow this one's head; gives the new head.

    `original` is the entry as it was there, `entry` the same with the keys that people and mailboxes have
    here. What it was is kept in its details, so that its own chain can still be verified.
    """
    was = {
        "number": original.number,
        "actor": original.actor_id,
        "mailbox": original.mailbox_id,
        "person": original.person_id,
        "digest": original.digest,
    }
    # An entry that was imported there too tells what it was before.
    before = original.details.get(IMPORTED)
    entry.details = {**original.details, IMPORTED: was if before is None else {**was, "before": before}}
    entry.number, entry.previous = head[0] + 1, head[1]
    entry.digest = digest_of(entry)
    return entry.number, entry.digest


def _is_as_imported(entry: AccessLogEntry, originals: list[str]) -> bool:
    """Whether an imported entry is what it was where it was made, and follows the one before it there.

    `originals` are the digests of the entry before it, one for each installation that it came from."""
    details, depth = dict(entry.details), 0
    try:
        while was := details.pop(IMPORTED, None):
            if "before" in was:
                details[IMPORTED] = was["before"]
            if depth == len(originals):
                originals.append("")
            original = AccessLogEntry(
                participant_id=entry.participant_id,
                number=was["number"],
                at=entry.at,
                actor_id=was["actor"],
                what=entry.what,
                mailbox_id=was["mailbox"],
                person_id=was["person"],
                conversation_id=entry.conversation_id,
                message_id=entry.message_id,
                details=details,
                previous=originals[depth],
            )
            if digest_of(original) != was["digest"]:
                return False
            originals[depth] = was["digest"]
            depth += 1
    except (LookupError, TypeError):
        return False
    return True


def verify(participant_id: str, *, expected: tuple[int, str] | None = None) -> Iterator[Fault]:
    """The faults of an organisation's chain; `expected` is a head that somebody has kept.

    Entries that another installation has made are verified by the chain that they had there, too.
    """
    number, previous = 0, ""
    originals: list[str] = []
    rows = AccessLogEntry.objects.filter(participant_id=participant_id).order_by("number")
    for entry in rows.iterator(chunk_size=_BATCH):
        if entry.number != number + 1:
            yield Fault(participant_id, number + 1, "missing")
        elif entry.previous != previous:
            yield Fault(participant_id, entry.number, "not-chained")
        if entry.digest != digest_of(entry):
            yield Fault(participant_id, entry.number, "changed")
        elif not _is_as_imported(entry, originals):
            yield Fault(participant_id, entry.number, "not-as-imported")
        if expected is not None and entry.number == expected[0] and entry.digest != expected[1]:
            yield Fault(participant_id, entry.number, "not-as-kept")
        number, previous = entry.number, entry.digest
    head = AccessLogHead.objects.filter(participant_id=participant_id).first()
    if head is None or (head.number, head.digest) != (number, previous):
        yield Fault(participant_id, number + 1, "cut-off")
    if expected is not None and number < expected[0]:
        yield Fault(participant_id, expected[0], "cut-off")


def organisations() -> set[str]:
    """The participants that have an access log, also one of which only the head or only entries remain."""
    return {
        *AccessLogHead.objects.values_list("participant_id", flat=True),
        *AccessLogEntry.objects.values_list("participant_id", flat=True).distinct().order_by(),
    }


def log_heads() -> None:
    """Write the head of every chain to the process's log, which is stored apart from the database."""
    for head in AccessLogHead.objects.order_by("participant_id"):
        fields = {"organisation": head.participant_id, "number": head.number, "digest": head.digest}
        logger.info("access_log_head", extra={"fields": fields})


def _has_opened(person: Viewer, conversation: Conversation, shown: list[int]) -> bool:
    rows = _since_login(person, conversation.mailbox, "conversation-opened")
    return rows.filter(
        conversation_id=conversation.conversation_id, details__contains={"shown": shown}
    ).exists()


def _since_login(person: Viewer, mailbox: FunctionMailbox, what: str) -> QuerySet[AccessLogEntry]:
    return AccessLogEntry.objects.filter(
        participant_id=mailbox.participant_id,
        mailbox=mailbox,
        actor_id=person.pk or 0,
        what=what,
        at__gt=timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )


def _newest_in(conversation: Conversation) -> list[int]:
    """The keys of the newest message, note and reassignment, in one query."""
    newest = [
        Subquery(model.objects.filter(conversation=OuterRef("pk")).order_by("-pk").values("pk")[:1])
        for model in (Message, Note, Reassignment)
    ]
    return [key or 0 for key in Conversation.objects.values_list(*newest).get(pk=conversation.pk)]


def _record_by(person: Viewer, what: str, conversation: Conversation, **details: Any) -> None:
    if isinstance(person, Person):
        mailbox = conversation.mailbox
        record(person, what, mailbox.participant_id, mailbox=mailbox, conversation=conversation, **details)


def _text(identity: UUID | str | None) -> str | None:
    return None if identity is None else str(UUID(str(identity)))
