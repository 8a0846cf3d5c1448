"""Building the message of a draft: header, text and files (B1.3.3)."""

import uuid
from dataclasses import dataclass
from typing import BinaryIO, Final

from django.utils import timezone

from mailbox.models import Draft, DraftAttachment
from mailbox.models import Message as MessageRow
from mailbox.models import Person as Writer
from mailbox.texts import markdown
from transport.message_service.api import (
    FUNCTION_ADDRESS_ROOT,
    PARTICIPANT_SCHEME,
    Attention,
    File,
    Header,
    Identifier,
    Message,
    Party,
    Person,
    SubOrganization,
)
from transport.message_service.api import MessageDocument as Document
from transport.message_service.api import MessageReference as Reference
from transport.storage import blobs
from transport.storage.blobs import BlobBinding

from .message_check import REFERENCE_KINDS
from .recipients import organisation_name

_SYSTEM: Final = Identifier("sdkportal", "sdkportal")


def message_of(draft: Draft, person: Writer) -> Message:
    """The message to the draft's first recipient, signed with the person's name (B1.3.3 4.3)."""
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
                organisation_name(mailbox),
                mailbox.address,
                mailbox.name,
                persons=(Person(None, person.name),),
                references=own_references,
            ),
        ),
        (
            Document("SDK meddelande", draft.subject, "1", (markdown.with_hard_breaks(draft.text),)),
            *(
                Document(str(attachment.pk), attachment.name, str(number), (), (_file(attachment),))
                for number, attachment in enumerate(draft.attachments.all(), 2)
            ),
        ),
    )


def returned_references(answered: MessageRow | None) -> tuple[Reference, ...]:
    """The counterpart's references in a message, which the answer repeats (B1.3.3 4.3.2.3)."""
    if answered is None:
        return ()
    is_inbound = answered.direction == MessageRow.Direction.IN
    references = answered.sender_references if is_inbound else answered.recipient_references
    return tuple(
        Reference(Identifier(item["root"], item["value"]), item["label"] or None) for item in references
    )


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
    binding: BlobBinding
    size: int

    def open(self) -> BinaryIO:
        return blobs.open_stored(self.file_name, self.binding)


def _file(attachment: DraftAttachment) -> File:
    return File(
        attachment.name,
        attachment.content_type,
        _StoredContent(attachment.file_name, attachment.binding, attachment.size),
    )
