"""Beginning, saving and discarding drafts. `send_order` sends them."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from mailbox import events
from mailbox.approval import ending
from mailbox.conversations import assignment
from mailbox.models import Conversation, Draft, DraftAttachment, FunctionMailbox, Message, Person
from transport.storage import blobs

from . import ownership
from .draft_lock import (
    EDITABLE,
    DraftChanged,
    DraftGone,
    DraftOnItsWay,
    DraftTakenOver,
    locked,
    locked_for_reader,
    save_changed,
)
from .message_check import REFERENCE_KINDS, DraftIncomplete

__all__ = [
    "REFERENCE_KINDS",
    "Content",
    "DraftChanged",
    "DraftGone",
    "DraftIncomplete",
    "DraftOnItsWay",
    "DraftTakenOver",
]

# How long an untouched draft is kept.
_KEPT_UNTOUCHED: Final = timedelta(days=1)


class Kind(StrEnum):
    """What a draft is going to be."""

    NEW = "new"
    ANSWER = "answer"
    SUPPLEMENT = "supplement"
    FORWARD = "forward"


@dataclass(frozen=True)
class Content:
    """What a person has written in a draft: values by field name. Fields that are left out stay unchanged."""

    values: dict[str, object] = field(default_factory=dict)


def kind_of(draft: Draft) -> Kind:
    """What the draft is going to be."""
    if draft.answers is not None:
        is_ours = draft.answers.direction == Message.Direction.OUT
        return Kind.SUPPLEMENT if is_ours else Kind.ANSWER
    return Kind.FORWARD if draft.forwards_id is not None else Kind.NEW


def begin(mailbox: FunctionMailbox, person: Person) -> Draft:
    """An empty draft of the person's; one that they left empty earlier is used again."""
    own = Draft.objects.filter(
        Q(owner=None) | Q(owner=person), mailbox=mailbox, created_by=person, answers=None, forwards=None
    )
    empty = written_drafts(own, is_written=False).first()
    return empty or Draft.objects.create(
        mailbox=mailbox, created_by=person, changed_by=person, owner=person, is_untouched=True
    )


def written_drafts(drafts: QuerySet[Draft], *, is_written: bool = True) -> QuerySet[Draft]:
    """Those of the drafts in which something is written; with `is_written=False`, the empty ones."""
    empty = Q(
        recipient_address="",
        subject="",
        text="",
        reference="",
        person_name="",
        further_references=[],
        further_persons=[],
    )
    has_file = Exists(DraftAttachment.objects.filter(draft=OuterRef("pk")))
    if is_written:
        return drafts.filter(~empty | has_file, is_untouched=False)
    return drafts.filter(empty & ~has_file)


def begin_answer(message: Message, person: Person, *, seen: int | None = None, is_own: bool = False) -> Draft:
    """A draft that answers a message, or supplements one of our own.

    An earlier draft of the person's is used again. If a colleague has a draft, that is returned, to be read
    or taken over, unless `is_own` asks for one of the person's own. `seen` is the newest message of the
    conversation that the person has been shown, by default the newest. Raises `assignment.NotAMember`.
    """
    with transaction.atomic():
        conversation = assignment.locked_for(message.conversation_id, person)
        mailbox = conversation.mailbox
        newest = newest_in(conversation)
        seen = newest if seen is None or newest is None else min(seen, newest)
        drafts = Draft.objects.filter(answers=message, mailbox=mailbox)
        own = drafts.filter(Q(owner=person) | Q(owner=None)).order_by("is_untouched", "pk").first()
        if own is not None:
            # Not where a colleague wrote last, who has not seen what the person sees now.
            Draft.objects.filter(pk=own.pk, changed_by=person, seen_message__lt=seen or 0).update(
                seen_message=seen
            )
            return own
        others = None if is_own else drafts.filter(is_untouched=False).order_by("-changed_at").first()
        return others or _new_answer(message, mailbox, person, seen)


def _new_answer(message: Message, mailbox: FunctionMailbox, person: Person, seen: int | None) -> Draft:
    subject = message.subject
    is_answer = message.direction == Message.Direction.IN
    references = message.recipient_references if is_answer else message.sender_references
    own = [item for item in references[:1] if item["root"] in REFERENCE_KINDS]
    return Draft.objects.create(
        mailbox=mailbox,
        answers=message,
        seen_message=seen,
        recipient_participant=message.counterpart_participant,
        recipient_organisation=message.counterpart_organisation,
        recipient_address=message.counterpart_address,
        recipient_function=message.counterpart_function,
        subject=f"Sv: {subject}"[:256] if is_answer and not subject.lower().startswith("sv:") else subject,
        is_confidential=message.is_confidential,
        reference_kind=own[0]["root"] if own else "",
        reference=own[0]["value"][:256] if own else "",
        owner=person,
        created_by=person,
        changed_by=person,
        is_untouched=True,
    )


def begin_own(draft: Draft, content: Content, person: Person) -> Draft:
    """A draft of the person's own beside a colleague's, with the content that they had written.

    Raises `assignment.NotAMember`.
    """
    if draft.answers is not None:
        own = begin_answer(draft.answers, person, seen=draft.seen_message, is_own=True)
    else:
        own = begin(draft.mailbox, person)
    return save(own.pk, own.version, content, person) if any(content.values.values()) else own


def drafts_in(conversation: Conversation) -> QuerySet[Draft]:
    """The drafts that answer in a conversation, the oldest first; those to be sent later too, untouched ones
    not."""
    rows = Draft.objects.filter(answers__conversation=conversation, mailbox=conversation.mailbox_id)
    return rows.filter(is_untouched=False).select_related("mailbox", "owner").order_by("pk")


def newest_in(conversation: Conversation) -> int | None:
    """The key of the message that was added last."""
    return conversation.messages.order_by("-pk").values_list("pk", flat=True).first()


def save(draft_id: int, version: int, content: Content, person: Person) -> Draft:
    """Save what the owner has written, if the draft has not changed since the version that they saw.

    Raises `DraftTakenOver`, `DraftChanged`, `DraftGone`, `DraftOnItsWay`.
    """
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        changed = {
            name: value
            for name, value in content.values.items()
            if name in EDITABLE and getattr(draft, name) != value
        }
        if not changed:
            return draft
        if "text" in changed and ownership.loses_much(draft.text, str(changed["text"])):
            ownership.keep_version(draft)
        for name, value in changed.items():
            setattr(draft, name, value)
        save_changed(draft, person)
        return draft


def keep(draft: Draft) -> None:
    """Keep a draft that the person has saved without writing anything: it is not untouched any more."""
    Draft.objects.filter(pk=draft.pk, is_untouched=True).update(is_untouched=False)


def discard(draft: Draft, version: int, person: Person | None = None) -> None:
    """Delete a draft and its files, if it has the version that was seen; its request for approval ends.

    Raises `DraftChanged`, `DraftGone`, `DraftOnItsWay`.
    """
    with transaction.atomic():
        row = locked_for_reader(draft.pk, version)
        if row.mailbox_id != draft.mailbox_id:
            raise DraftGone
        ending.end_of_draft(row, person)
        _delete(row)
        events.announce(draft.mailbox_id)


def leave_untouched(draft_id: int, person: Person) -> None:
    """Delete the person's draft if it is untouched."""
    _delete_all(Draft.objects.filter(pk=draft_id, owner=person, is_untouched=True))


def remove_untouched() -> None:
    """Delete untouched drafts that are more than a day old."""
    _delete_all(Draft.objects.filter(is_untouched=True, changed_at__lt=timezone.now() - _KEPT_UNTOUCHED))


def _delete_all(drafts: QuerySet[Draft]) -> None:
    with transaction.atomic():
        for row in drafts.select_for_update(skip_locked=True):
            _delete(row)


def _delete(draft: Draft) -> None:
    for attachment in draft.attachments.all():
        blobs.remove_on_commit(attachment.file_name)
    draft.delete()
