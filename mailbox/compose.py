"""Writing: drafts that are shared and never overwritten unseen, and sending what was written, once."""

import uuid
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from addressbook import personal
from addressbook.lookup import function_address
from addressbook.models import FunctionAddress
from transport import payloads
from transport.message_service import quarantine, sending
from transport.message_service.models import Organisation
from transport.payloads import Place
from transport.protocol.identifiers import FUNCTION_ADDRESS_ROOT, PARTICIPANT_SCHEME
from transport.protocol.message import (
    Attention,
    CharacterNotAllowed,
    Document,
    File,
    Header,
    Identifier,
    Message,
    Party,
    Person,
    Reference,
    SubOrganization,
)

from . import events, files, handling
from .deliver import count_in, references_of
from .models import Attachment, Conversation, Draft, DraftAttachment, FunctionMailbox
from .models import Document as DocumentRow
from .models import Message as MessageRow
from .models import Person as Writer

# Kinds of reference (B1.3.3 4.3.2.3), by their code system.
REFERENCE_KINDS: Final = {
    "dnr": "Diarienummer",
    "1.2.752.129.2.1.3.1": "Personnummer",
    "1.2.752.129.2.1.3.3": "Samordningsnummer",
    "1.2.752.74.9.1": "Nationell reservidentitet",
    "unregistred": "Annan beteckning",
}

_SYSTEM: Final = Identifier("sdkportal", "sdkportal")
_EDITABLE: Final = (
    "subject",
    "text",
    "is_confidential",
    "reference_kind",
    "reference",
    "person_name",
)


class DraftChanged(Exception):
    """Somebody else has changed the draft since it was read: nothing has been saved."""


class DraftGone(Exception):
    """The draft has been sent or thrown away."""


class DraftIncomplete(Exception):
    """The draft cannot be sent yet; `errors` tell for each field why."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__(", ".join(sorted(errors)))


@dataclass
class Content:
    """What a person may write in a draft."""

    values: dict[str, object] = field(default_factory=dict)

    @classmethod
    def from_form(cls, data: dict[str, str]) -> "Content":
        """What a form holds; lengths are checked when it is sent, so that nothing typed is lost."""
        kind = data.get("reference_kind", "")
        return cls(
            {
                "subject": data.get("subject", "").strip()[:256],
                "text": data.get("text", ""),
                "is_confidential": data.get("is_confidential") == "on",
                "reference_kind": kind if kind in REFERENCE_KINDS else "",
                "reference": data.get("reference", "").strip()[:256],
                "person_name": data.get("person_name", "").strip()[:256],
            }
        )


def begin(mailbox: FunctionMailbox, person: Writer) -> Draft:
    """An empty draft; one that the person left empty before is taken up again."""
    left = written_drafts(Draft.objects.filter(mailbox=mailbox, created_by=person), is_written=False).first()
    return left or Draft.objects.create(mailbox=mailbox, created_by=person, changed_by=person)


def written_drafts(drafts: QuerySet[Draft], *, is_written: bool = True) -> QuerySet[Draft]:
    """Drafts that hold anything, or those that hold nothing."""
    empty = Q(recipient_address="", subject="", text="", reference="", person_name="", attachments=None)
    return drafts.filter(~empty if is_written else empty).distinct()


def begin_answer(message: MessageRow, person: Writer) -> Draft:
    """A draft that answers a message, to whom it came from; an answer that was begun is gone on with."""
    existing = Draft.objects.filter(answers=message, mailbox=message.conversation.mailbox).first()
    if existing is not None:
        return existing
    subject = message.subject
    own = (
        message.recipient_references
        if message.direction == MessageRow.Direction.IN
        else message.sender_references
    )
    return Draft.objects.create(
        mailbox=message.conversation.mailbox,
        answers=message,
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


def save(draft_id: int, version: int, content: Content, person: Writer) -> Draft:
    """Save what was written, if nobody else did meanwhile. Raises `DraftChanged`, `DraftGone`."""
    with transaction.atomic():
        draft = _locked(draft_id, version)
        _write(draft, content, person)
        return draft


def choose_recipient(draft_id: int, version: int, function: FunctionAddress, person: Writer) -> Draft:
    """Set whom it is for."""
    with transaction.atomic():
        draft = _locked(draft_id, version)
        draft.recipient_participant = function.organisation.participant_id
        draft.recipient_organisation = function.organisation.name
        draft.recipient_address = function.identifier
        draft.recipient_function = function.name
        _bump(draft, person)
        return draft


def clear_recipient(draft_id: int, version: int, person: Writer) -> Draft:
    """Choose again whom it is for."""
    with transaction.atomic():
        draft = _locked(draft_id, version)
        draft.recipient_participant = draft.recipient_organisation = ""
        draft.recipient_address = draft.recipient_function = ""
        _bump(draft, person)
        return draft


def attach(draft: Draft, upload: UploadedFile) -> DraftAttachment:
    """Store a file with the draft. Raises `files.FileRefused`."""
    used = draft.attachments.aggregate(total=Sum("size"))["total"] or 0
    try:
        stored = files.store_upload(
            upload, "drafts", draft.mailbox.participant_id, room=files.room_for_files() - used
        )
    except files.FileRefused as refused:
        if refused.signature:
            quarantine.note_refused(
                draft.mailbox.participant_id, draft.mailbox.address, refused.signature, upload.size or 0
            )
        raise
    return DraftAttachment.objects.create(
        draft=draft,
        name=stored.name,
        content_type=stored.content_type,
        size=stored.size,
        sha256=stored.sha256,
        file_name=stored.file_name,
        file_key=stored.file_key,
    )


def detach(attachment: DraftAttachment) -> None:
    """Take a file out of a draft."""
    name = attachment.file_name
    attachment.delete()
    payloads.remove_on_commit(name)


def discard(draft: Draft) -> None:
    """Throw a draft away, with its files."""
    with transaction.atomic():
        for attachment in draft.attachments.all():
            detach(attachment)
        draft.delete()
        events.announce(draft.mailbox_id)


def send(draft_id: int, version: int, content: Content, person: Writer) -> Conversation:
    """Send a draft: the message, the order to send it and the end of the draft in one transaction.

    The draft's row is locked in the query that checks it, so two who press at once send once. Raises
    `DraftChanged`, `DraftGone`, `DraftIncomplete` (what was written has then been saved).
    """
    draft = save(draft_id, version, content, person)
    with transaction.atomic():
        draft = _locked(draft_id, draft.version)
        _check(draft)
        message = _message(draft, person)
        try:
            sending.order(message, actor=person.name)
        except sending.MessageInvalid as error:
            raise DraftIncomplete({"__all__": _invalid(error)}) from None
        except CharacterNotAllowed:
            raise DraftIncomplete({"text": _("Texten innehåller ett tecken som inte kan skickas.")}) from None
        conversation = _keep(draft, message, person)
        personal.note_used(person.pk, draft.recipient_participant, draft.recipient_address)
        DraftAttachment.objects.filter(draft=draft).delete()
        draft.delete()
        events.announce(draft.mailbox_id)
    return conversation


def _locked(draft_id: int, version: int) -> Draft:
    draft = Draft.objects.select_for_update().filter(pk=draft_id).first()
    if draft is None:
        raise DraftGone
    if draft.version != version:
        raise DraftChanged
    return draft


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
    draft.save()


def _check(draft: Draft) -> None:
    errors = {}
    if not draft.recipient_address:
        errors["recipient"] = _("Välj en mottagare.")
    elif (
        function_address(draft.recipient_participant, draft.recipient_address) is None
        and not draft.answers_id
    ):
        errors["recipient"] = _("Mottagaren finns inte längre i adressboken. Välj en annan.")
    if not draft.subject.strip():
        errors["subject"] = _("Skriv ett ämne.")
    if not draft.text.strip():
        errors["text"] = _("Skriv ett meddelande.")
    if draft.reference and not draft.reference_kind:
        errors["reference_kind"] = _("Välj vilken sorts beteckning det är.")
    if draft.reference_kind and not draft.reference:
        errors["reference"] = _("Skriv beteckningen, eller välj ingen.")
    if errors:
        raise DraftIncomplete(errors)


def _message(draft: Draft, person: Writer) -> Message:
    mailbox = draft.mailbox
    identity = str(uuid.uuid4())
    answered = draft.answers
    own_references = (
        (Reference(Identifier(draft.reference_kind, draft.reference), REFERENCE_KINDS[draft.reference_kind]),)
        if draft.reference
        else ()
    )
    own_name = Organisation.objects.values_list("name", flat=True).get(participant_id=mailbox.participant_id)
    return Message(
        Header(
            created_at=timezone.now(),
            message_id=identity,
            conversation_id=str(answered.conversation.conversation_id) if answered else identity,
            ref_to_message_id=str(answered.message_id) if answered else None,
            label=draft.subject,
            is_confidential=draft.is_confidential,
            generating_system=_SYSTEM,
            recipient=_party(
                draft.recipient_participant,
                draft.recipient_organisation,
                draft.recipient_address,
                draft.recipient_function,
                persons=(Person(None, draft.person_name),) if draft.person_name else (),
                references=_theirs(answered),
            ),
            sender=_party(
                mailbox.participant_id,
                own_name,
                mailbox.address,
                mailbox.name,
                persons=(Person(None, person.name),),
                references=own_references,
            ),
        ),
        (
            Document("SDK meddelande", draft.subject, "1", (draft.text,)),
            *(
                Document(str(attachment.pk), attachment.name, str(number), (), (_file(attachment),))
                for number, attachment in enumerate(draft.attachments.all(), 2)
            ),
        ),
    )


def _theirs(answered: MessageRow | None) -> tuple[Reference, ...]:
    """The other side's references are returned to it (B1.3.3 4.3.2.3)."""
    if answered is None:
        return ()
    is_in = answered.direction == MessageRow.Direction.IN
    told = answered.sender_references if is_in else answered.recipient_references
    return tuple(Reference(Identifier(item["root"], item["value"]), item["label"] or None) for item in told)


def _party(
    participant: str,
    label: str,
    address: str,
    function: str,
    *,
    persons: tuple[Person, ...],
    references: tuple[Reference, ...],
) -> Party:
    return Party(
        Identifier(PARTICIPANT_SCHEME, participant),
        label or None,
        Attention(
            SubOrganization(Identifier(FUNCTION_ADDRESS_ROOT, address), function or None), persons, references
        ),
    )


@dataclass(frozen=True)
class _StoredContent:
    file_name: str
    place: Place
    size: int

    def open(self) -> BinaryIO:
        return payloads.open_stored(self.file_name, self.place)


def _file(attachment: DraftAttachment) -> File:
    return File(
        attachment.name,
        attachment.content_type,
        _StoredContent(attachment.file_name, attachment.place, attachment.size),
    )


def _keep(draft: Draft, message: Message, person: Writer) -> Conversation:
    """The sent message in its conversation; the draft's files become its attachments."""
    header = message.header
    conversation, _created = Conversation.objects.select_for_update().get_or_create(
        mailbox=draft.mailbox,
        conversation_id=uuid.UUID(header.conversation_id),
        defaults={
            "subject": draft.subject,
            "counterpart": f"{draft.recipient_organisation}, {draft.recipient_function}"[:520],
            "last_activity_at": header.created_at,
        },
    )
    row = MessageRow.objects.create(
        conversation=conversation,
        direction=MessageRow.Direction.OUT,
        message_id=uuid.UUID(header.message_id),
        ref_to_message_id=uuid.UUID(header.ref_to_message_id) if header.ref_to_message_id else None,
        subject=draft.subject,
        is_confidential=draft.is_confidential,
        counterpart_participant=draft.recipient_participant,
        counterpart_organisation=draft.recipient_organisation,
        counterpart_address=draft.recipient_address,
        counterpart_function=draft.recipient_function,
        sender_references=references_of(header.sender.attention),
        recipient_references=references_of(header.recipient.attention),
        recipient_persons=[{"root": "", "value": "", "label": draft.person_name}]
        if draft.person_name
        else [],
        sender_persons=[{"root": "", "value": "", "label": person.name}],
        written_by=person,
        at=header.created_at,
        delivery_state="SCHEDULED",
    )
    document = DocumentRow.objects.create(message=row, position=1, name=draft.subject, texts=[draft.text])
    attachments = list(draft.attachments.all())
    Attachment.objects.bulk_create(
        Attachment(
            document=document,
            name=item.name,
            content_type=item.content_type,
            size=item.size,
            sha256=item.sha256,
            file_name=item.file_name,
            file_key=item.file_key,
        )
        for item in attachments
    )
    count_in(conversation, row, has_files=bool(attachments))
    handling.answered(conversation, person)
    return conversation


def _invalid(error: sending.MessageInvalid) -> str:
    rules = ", ".join(sorted({finding.rule for finding in error.findings}))
    if rules == "size":
        return _("Meddelandet är större än 30 MB med sina bilagor. Ta bort en bilaga.")
    return _("Meddelandet följer inte federationens regler och kan inte skickas (%(rules)s).") % {
        "rules": rules
    }
