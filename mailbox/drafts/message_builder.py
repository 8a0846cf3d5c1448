"""From a draft to a message: what is checked, what the message says, how it is kept."""

import uuid
from dataclasses import dataclass
from typing import BinaryIO, Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from addressbook import personal
from addressbook.lookup import function_address
from mailbox.attachments import uploads
from mailbox.conversations import assignment
from mailbox.delivery.inbound import count_in, references_of
from mailbox.models import Attachment, Conversation, Draft, DraftAttachment, FunctionMailbox
from mailbox.models import Document as DocumentRow
from mailbox.models import Message as MessageRow
from mailbox.models import Person as Writer
from transport.message_service.api import (
    FUNCTION_ADDRESS_ROOT,
    PARTICIPANT_SCHEME,
    Attention,
    CharacterNotAllowed,
    File,
    Header,
    Identifier,
    Message,
    Organisation,
    Party,
    Person,
    SubOrganization,
    can_be_written,
    orders,
)
from transport.message_service.api import MessageDocument as Document
from transport.message_service.api import MessageReference as Reference
from transport.names import is_name
from transport.storage import blobs
from transport.storage.blobs import Place

# Kinds of reference (B1.3.3 4.3.2.3), by their code system.
REFERENCE_KINDS: Final = {
    "dnr": gettext_noop("Diarienummer"),
    "1.2.752.129.2.1.3.1": gettext_noop("Personnummer"),
    "1.2.752.129.2.1.3.3": gettext_noop("Samordningsnummer"),
    "1.2.752.74.9.1": gettext_noop("Nationell reservidentitet"),
    "unregistred": gettext_noop("Annan beteckning"),
}
# What stands in `Draft.trouble`.
RECIPIENT_GONE: Final = "recipient"
INVALID: Final = "invalid"

_SYSTEM: Final = Identifier("sdkportal", "sdkportal")


class DraftIncomplete(Exception):
    """The draft cannot be sent yet; `errors` tell for each field why, `trouble` in a word."""

    def __init__(self, errors: dict[str, str], trouble: str = INVALID) -> None:
        self.errors = errors
        self.trouble = trouble
        super().__init__(", ".join(sorted(errors)))


@dataclass(frozen=True, slots=True)
class Recipient:
    """A function that a draft is for. `key` is 0 for the first, else that of the `DraftRecipient`."""

    key: int
    participant: str
    organisation: str
    address: str
    function: str


def recipients_of(draft: Draft) -> list[Recipient]:
    """Whom the draft is for, in order."""
    first = Recipient(
        0,
        draft.recipient_participant,
        draft.recipient_organisation,
        draft.recipient_address,
        draft.recipient_function,
    )
    further = [
        Recipient(row.pk, row.participant, row.organisation, row.address, row.function)
        for row in draft.further_recipients.all()
    ]
    return [first, *further] if draft.recipient_address else further


def own_name(mailbox: FunctionMailbox) -> str:
    """What the mailbox's organisation is called."""
    return Organisation.objects.values_list("name", flat=True).get(participant_id=mailbox.participant_id)


def check(draft: Draft) -> None:
    """Whether all that it takes to send is there. Raises `DraftIncomplete`."""
    errors = {}
    recipients = recipients_of(draft)
    gone = [one for one in recipients if not _is_there(draft, one)]
    if not recipients:
        errors["recipient"] = _("Välj en mottagare.")
    elif gone and draft.is_inside:
        errors["recipient"] = _("Brevlådan tar inte längre emot något. Välj en annan mottagare.")
    elif gone and len(recipients) == 1:
        errors["recipient"] = _("Mottagaren finns inte längre i adressboken. Välj en annan.")
    elif gone:
        errors["recipient"] = _("Finns inte längre i adressboken, ta bort eller byt: %(names)s.") % {
            "names": "; ".join(f"{one.organisation}, {one.function}" for one in gone)
        }
    if not draft.subject.strip():
        errors["subject"] = _("Skriv ett ämne.")
    if not draft.text.strip():
        errors["text"] = _("Skriv ett meddelande.")
    if (draft.reference and not draft.reference_kind) or any(not root for root, _value in draft.references):
        errors["reference_kind"] = _("Välj vilken sorts beteckning det är.")
    if (draft.reference_kind and not draft.reference) or any(not value for _root, value in draft.references):
        errors["reference"] = _("Skriv beteckningen, eller välj ingen.")
    for field, values in (
        ("subject", [draft.subject]),
        ("text", [draft.text]),
        ("reference", [value for _root, value in draft.references]),
        ("person_name", draft.persons),
    ):
        # Of several lines is the text alone.
        if not all(map(can_be_written, values)) or not (field == "text" or all(map(is_name, values))):
            errors[field] = _("Här står ett osynligt tecken som inte kan skickas. Skriv om det.")
    if errors:
        raise DraftIncomplete(errors, RECIPIENT_GONE if gone and set(errors) == {"recipient"} else INVALID)


def send_to_first(draft: Draft, person: Writer) -> MessageRow:
    """Send a locked draft to its first recipient, in the caller's transaction. Raises `DraftIncomplete`.

    With further recipients the next becomes the first, and the files are copied; with none the draft ends.
    """
    is_last = not draft.further_recipients.exists()
    message = _message(draft, person)
    try:
        orders.order(message, actor=person.name)
    except orders.MessageInvalid as error:
        raise DraftIncomplete({"__all__": _invalid(error)}) from None
    except CharacterNotAllowed:
        raise DraftIncomplete({"text": _("Texten innehåller ett tecken som inte kan skickas.")}) from None
    row = _keep(draft, message, person, is_last=is_last)
    personal.note_used(person.pk, draft.recipient_participant, draft.recipient_address)
    if is_last:
        DraftAttachment.objects.filter(draft=draft).delete()
        draft.delete()
    else:
        promote_next(draft)
        draft.version += 1
        draft.save()
    return row


def promote_next(draft: Draft) -> None:
    """Let the next recipient of a locked draft, if there is any, take the first one's place; not saved."""
    following = draft.further_recipients.first()
    draft.recipient_participant = following.participant if following else ""
    draft.recipient_organisation = following.organisation if following else ""
    draft.recipient_address = following.address if following else ""
    draft.recipient_function = following.function if following else ""
    if following is not None:
        following.delete()


def _is_there(draft: Draft, one: Recipient) -> bool:
    if draft.is_inside:
        return FunctionMailbox.objects.filter(
            participant_id=draft.mailbox.participant_id, address=one.address, is_open=True
        ).exists()
    return bool(draft.answers_id) or function_address(one.participant, one.address) is not None


def _message(draft: Draft, person: Writer) -> Message:
    mailbox = draft.mailbox
    identity = str(uuid.uuid4())
    answered = draft.answers
    own_references = tuple(
        Reference(Identifier(root, value), REFERENCE_KINDS.get(root)) for root, value in draft.references
    )
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
                persons=tuple(Person(None, name) for name in draft.persons),
                references=returned_references(answered),
            ),
            sender=_party(
                mailbox.participant_id,
                own_name(mailbox),
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


def returned_references(answered: MessageRow | None) -> tuple[Reference, ...]:
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
        return blobs.open_stored(self.file_name, self.place)


def _file(attachment: DraftAttachment) -> File:
    return File(
        attachment.name,
        attachment.content_type,
        _StoredContent(attachment.file_name, attachment.place, attachment.size),
    )


def _keep(draft: Draft, message: Message, person: Writer, *, is_last: bool) -> MessageRow:
    """The sent message in its conversation; the draft's files become its attachments, or copies of them."""
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
        recipient_persons=[{"root": "", "value": "", "label": name} for name in draft.persons],
        sender_persons=[{"root": "", "value": "", "label": person.name}],
        written_by=person,
        at=header.created_at,
        delivery_state="SCHEDULED",
        draft_number=draft.pk,
        mailing=draft.mailing,
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
            file_name=stored.file_name,
            file_key=stored.file_key,
        )
        for item in attachments
        for stored in (
            item if is_last else uploads.copied(item, "attachments", draft.mailbox.participant_id),
        )
    )
    count_in(conversation, row, has_files=bool(attachments))
    assignment.answered(conversation, person)
    return row


def _invalid(error: orders.MessageInvalid) -> str:
    rules = ", ".join(sorted({finding.rule for finding in error.findings}))
    if rules == "size":
        return _("Meddelandet är större än 30 MB med sina bilagor. Ta bort en bilaga.")
    return _("Meddelandet följer inte federationens regler och kan inte skickas (%(rules)s).") % {
        "rules": rules
    }
