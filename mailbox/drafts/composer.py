"""Writing: drafts that are shared and never overwritten unseen, and sending what was written, once."""

from dataclasses import dataclass, field
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from addressbook.models import FunctionAddress
from mailbox import access, events
from mailbox.attachments import uploads
from mailbox.conversations import assignment
from mailbox.models import Conversation, Draft, DraftAttachment, DraftRecipient, FunctionMailbox
from mailbox.models import Message as MessageRow
from mailbox.models import Person as Writer
from transport.message_service.api import quarantine
from transport.storage import blobs

from . import message_builder
from .message_builder import REFERENCE_KINDS, DraftIncomplete

__all__ = ["REFERENCE_KINDS", "Content", "DraftChanged", "DraftGone", "DraftIncomplete", "DraftOnItsWay"]

# References and persons that a form has room for; the format sets no limit (B1.3.3 4.3.2.3: 0..*).
MOST_REFERENCES: Final = 5
MOST_RECIPIENTS: Final = 100

_EDITABLE: Final = (
    "subject",
    "text",
    "is_confidential",
    "reference_kind",
    "reference",
    "person_name",
    "further_references",
    "further_persons",
)


class DraftChanged(Exception):
    """Somebody else has changed the draft since it was read: nothing has been saved."""


class DraftGone(Exception):
    """The draft has been sent or thrown away."""


class DraftOnItsWay(Exception):
    """The draft is being sent: it has to be taken back before it is changed."""


class TooManyRecipients(Exception):
    """More than `MOST_RECIPIENTS`."""


@dataclass
class Content:
    """What a person may write in a draft."""

    values: dict[str, object] = field(default_factory=dict)

    @classmethod
    def from_form(cls, data: dict[str, str]) -> "Content":
        """What a form holds; lengths are checked when it is sent, so that nothing typed is lost.

        Further references and persons have numbered names, `reference-2` and so on: what is left of them
        when the empty ones are taken away moves up. A form without those fields leaves them as they are.
        """
        references = [_reference(data, suffix) for suffix in _suffixes(data, "reference")]
        references = [one for one in references if any(one.values())]
        first = references[0] if references else {"root": "", "value": ""}
        persons = [data[f"person_name{suffix}"].strip()[:256] for suffix in _suffixes(data, "person_name")]
        persons = [name for name in persons if name]
        values: dict[str, object] = {
            "subject": data.get("subject", "").strip()[:256],
            "text": data.get("text", ""),
            "is_confidential": data.get("is_confidential") == "on",
            "reference_kind": first["root"],
            "reference": first["value"],
            "person_name": persons[0] if persons else "",
        }
        if any(name.startswith("reference-") for name in data):
            values["further_references"] = references[1:]
        if any(name.startswith("person_name-") for name in data):
            values["further_persons"] = persons[1:]
        return cls(values)


def _suffixes(data: dict[str, str], name: str) -> list[str]:
    suffixes = ["", *(f"-{number}" for number in range(2, MOST_REFERENCES + 1))]
    return [suffix for suffix in suffixes if f"{name}{suffix}" in data]


def _reference(data: dict[str, str], suffix: str) -> dict[str, str]:
    kind = data.get(f"reference_kind{suffix}", "")
    return {
        "root": kind if kind in REFERENCE_KINDS else "",
        "value": data.get(f"reference{suffix}", "").strip()[:256],
    }


def begin(mailbox: FunctionMailbox, person: Writer) -> Draft:
    """An empty draft; one that the person left empty before is taken up again."""
    left = written_drafts(Draft.objects.filter(mailbox=mailbox, created_by=person), is_written=False).first()
    return left or Draft.objects.create(mailbox=mailbox, created_by=person, changed_by=person)


def written_drafts(drafts: QuerySet[Draft], *, is_written: bool = True) -> QuerySet[Draft]:
    """Drafts that hold anything, or those that hold nothing."""
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
    return drafts.filter(~empty | has_file if is_written else empty & ~has_file)


def begin_answer(message: MessageRow, person: Writer, *, seen: int | None = None) -> Draft:
    """A draft that answers a message, to whom it came from; an answer that was begun is gone on with.

    `seen` is the newest message of the conversation that the person has been shown; without it, the newest.
    Raises `handling.NotAMember`.
    """
    with transaction.atomic():
        conversation = assignment.locked_for(message.conversation_id, person)
        return _begun_answer(message, conversation, person, seen)


def _begun_answer(message: MessageRow, conversation: Conversation, person: Writer, seen: int | None) -> Draft:
    mailbox = conversation.mailbox
    existing = Draft.objects.filter(answers=message, mailbox=mailbox).first()
    newest = newest_in(conversation)
    seen = newest if seen is None or newest is None else min(seen, newest)
    if existing is not None:
        # Only what the person wrote themselves was written with what they have now seen in mind.
        Draft.objects.filter(pk=existing.pk, changed_by=person, seen_message__lt=seen or 0).update(
            seen_message=seen
        )
        return existing
    subject = message.subject
    own = (
        message.recipient_references
        if message.direction == MessageRow.Direction.IN
        else message.sender_references
    )
    return Draft.objects.create(
        mailbox=mailbox,
        answers=message,
        seen_message=seen,
        recipient_participant=message.counterpart_participant,
        recipient_organisation=message.counterpart_organisation,
        recipient_address=message.counterpart_address,
        recipient_function=message.counterpart_function,
        subject=subject if subject.lower().startswith("sv:") else f"Sv: {subject}"[:256],
        is_confidential=message.is_confidential,
        reference_kind=own[0]["root"] if own and own[0]["root"] in REFERENCE_KINDS else "",
        reference=own[0]["value"][:256] if own and own[0]["root"] in REFERENCE_KINDS else "",
        created_by=person,
        changed_by=person,
    )


def newest_in(conversation: Conversation) -> int | None:
    """The key of the message that was added last."""
    return conversation.messages.order_by("-pk").values_list("pk", flat=True).first()


def save(draft_id: int, version: int, content: Content, person: Writer) -> Draft:
    """Save what was written, if nobody else did meanwhile.

    Raises `DraftChanged`, `DraftGone`, `DraftOnItsWay`.
    """
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        _write(draft, content, person)
        return draft


def choose_recipient(draft_id: int, version: int, function: FunctionAddress, person: Writer) -> Draft:
    """Set whom it is for; one more, where it is for somebody already. Raises `TooManyRecipients`."""
    return add_recipients(draft_id, version, [recipient_in(function)], person)


def recipient_in(function: FunctionAddress) -> message_builder.Recipient:
    """A function in the address book as a recipient."""
    organisation = function.organisation
    return message_builder.Recipient(
        0, organisation.participant_id, organisation.name, function.identifier, function.name
    )


def add_recipients(
    draft_id: int, version: int, recipients: list[message_builder.Recipient], person: Writer
) -> Draft:
    """Add recipients; who is among them already is not added again. Raises `TooManyRecipients`."""
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        if draft.answers_id is not None:
            return draft
        if draft.is_inside:
            draft.is_inside, draft.recipient_address = False, ""
        known = {(one.participant, one.address) for one in message_builder.recipients_of(draft)}
        new = {(one.participant, one.address): one for one in recipients}
        added = [one for key, one in new.items() if key not in known]
        if len(known) + len(added) > MOST_RECIPIENTS:
            raise TooManyRecipients
        DraftRecipient.objects.bulk_create(
            DraftRecipient(
                draft=draft,
                participant=one.participant,
                organisation=one.organisation,
                address=one.address,
                function=one.function,
            )
            for one in added
        )
        if not draft.recipient_address:
            message_builder.promote_next(draft)
        _bump(draft, person)
        return draft


def choose_inside(draft_id: int, version: int, mailbox: FunctionMailbox, person: Writer) -> Draft:
    """Let it be for another mailbox of the same organisation, and nobody else."""
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        if draft.answers_id is not None or mailbox.participant_id != draft.mailbox.participant_id:
            return draft
        draft.further_recipients.all().delete()
        draft.is_inside = True
        draft.recipient_participant = mailbox.participant_id
        draft.recipient_organisation = message_builder.own_name(mailbox)
        draft.recipient_address, draft.recipient_function = mailbox.address, mailbox.name
        _bump(draft, person)
        return draft


def remove_recipient(draft_id: int, version: int, person: Writer, key: int = 0) -> Draft:
    """Take a recipient away: the first, or the further one with the key."""
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        if draft.answers_id is not None:
            return draft
        if key:
            draft.further_recipients.filter(pk=key).delete()
        else:
            draft.is_inside = False
            message_builder.promote_next(draft)
        _bump(draft, person)
        return draft


def attach(draft: Draft, upload: "UploadedFile[Any]") -> DraftAttachment:
    """Store a file with the draft. Raises `files.FileRefused`, `DraftGone`, `DraftOnItsWay`."""
    room = uploads.room_for_files()
    try:
        stored = uploads.store_upload(
            upload, "drafts", draft.mailbox.participant_id, room=room - _size_of_files(draft)
        )
    except uploads.FileRefused as refused:
        if refused.signature:
            quarantine.note_refused(
                draft.mailbox.participant_id, draft.mailbox.address, refused.signature, upload.size or 0
            )
        raise
    return keep_file(draft, stored, room=room)


def keep_file(draft: Draft, stored: uploads.StoredFile, *, room: int | None = None) -> DraftAttachment:
    """Let a stored file be the draft's, with the others in no more than so much room.

    Raises `DraftGone`, also where it has been moved since it was read, `DraftOnItsWay`, `files.FileRefused`;
    the file is removed then.
    """
    try:
        with transaction.atomic():
            if locked_anyhow(draft.pk).mailbox_id != draft.mailbox_id:
                raise DraftGone
            # Others may have been stored while this one was.
            if room is not None and _size_of_files(draft) + stored.size > room:
                raise uploads.FileRefused("size")
            return DraftAttachment.objects.create(
                draft=draft,
                name=stored.name,
                content_type=stored.content_type,
                size=stored.size,
                sha256=stored.sha256,
                file_name=stored.file_name,
                file_key=stored.file_key,
            )
    except (DraftGone, DraftOnItsWay, uploads.FileRefused):
        blobs.remove(stored.file_name)
        raise


def _size_of_files(draft: Draft) -> int:
    return draft.attachments.aggregate(total=Sum("size"))["total"] or 0


def detach(attachment: DraftAttachment) -> None:
    """Take a file out of a draft. Raises `DraftGone`, `DraftOnItsWay`."""
    with transaction.atomic():
        if locked_anyhow(attachment.draft_id).mailbox_id != attachment.draft.mailbox_id:
            raise DraftGone
        name = attachment.file_name
        attachment.delete()
        blobs.remove_on_commit(name)


def discard(draft: Draft, version: int) -> None:
    """Throw a draft away, with its files, as it was looked at.

    Raises `DraftChanged`, `DraftGone`, `DraftOnItsWay`.
    """
    with transaction.atomic():
        row = locked(draft.pk, version)
        if row.mailbox_id != draft.mailbox_id:
            raise DraftGone
        for attachment in row.attachments.all():
            detach(attachment)
        row.delete()
        events.announce(draft.mailbox_id)


def send(draft_id: int, version: int, content: Content, person: Writer) -> Conversation:
    """Send a draft to its only recipient, at once: the message, the order to send it and the end of the draft
    in one transaction.

    The draft's row is locked in the query that checks it, so two who press at once send once. Raises
    `DraftChanged`, `DraftGone`, `DraftIncomplete` (what was written has then been saved).
    """
    draft = save(draft_id, version, content, person)
    with transaction.atomic():
        draft = locked(draft_id, draft.version, person)
        message_builder.check(draft)
        row = message_builder.send_to_first(draft, person)
        events.announce(draft.mailbox_id)
    return row.conversation


def locked(draft_id: int, version: int, person: Writer | None = None) -> Draft:
    """The draft as it is, for a change that the person makes in this transaction.

    An answer moves with its conversation: a draft that has come to a mailbox that the person does not see is
    gone for them.

    Raises `DraftChanged`, `DraftGone`, `DraftOnItsWay`.
    """
    draft = locked_anyhow(draft_id)
    if person is not None:
        check_seen(draft, person)
    if draft.version != version:
        raise DraftChanged
    return draft


def locked_anyhow(draft_id: int) -> Draft:
    """The draft, whatever version it has. Raises `DraftGone`, `DraftOnItsWay`."""
    draft = Draft.objects.select_for_update().filter(pk=draft_id).first()
    if draft is None:
        raise DraftGone
    if draft.send_at is not None:
        raise DraftOnItsWay
    return draft


def check_seen(draft: Draft, person: Writer) -> None:
    """Raises `DraftGone` where the person does not see a locked draft."""
    if not access.mailboxes_of(person).filter(pk=draft.mailbox_id).exists():
        raise DraftGone


def _write(draft: Draft, content: Content, person: Writer) -> None:
    changed = {name: value for name, value in content.values.items() if getattr(draft, name) != value}
    if not changed:
        return
    for name, value in changed.items():
        if name in _EDITABLE:
            setattr(draft, name, value)
    _bump(draft, person)


def _bump(draft: Draft, person: Writer) -> None:
    draft.version += 1
    draft.changed_by = person
    draft.trouble = ""
    draft.save()
