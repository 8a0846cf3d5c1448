"""Storing a message that the message service delivers in its function mailbox."""

from typing import Any
from unicodedata import decimal
from uuid import UUID

from django.db.models import F

from addressbook.lookup import names_of
from mailbox import events
from mailbox.attachments import uploads
from mailbox.conversations import assignment, state_changes
from mailbox.models import Attachment, Conversation, ConversationEvent, Document, FunctionMailbox, Message
from mailbox.search import index
from transport.message_service.api import Attention, Delivered, MessageDocument, Party
from transport.names import as_one_line, contained, is_name

_LONGEST = 256


def deliver(delivered: Delivered) -> None:
    """Store a message in the mailbox of its function or of the stand-in; a repeated message is ignored."""
    header = delivered.message.header
    address = address_of(header.recipient)
    mailbox = FunctionMailbox.objects.get(
        participant_id=delivered.participant, address=delivered.stands_in or address
    )
    counterpart = counterpart_fields(header.sender, delivered.sender)
    conversation = _conversation(mailbox, delivered, counterpart)
    message, created = Message.objects.get_or_create(
        conversation=conversation,
        direction=Message.Direction.IN,
        message_id=UUID(header.message_id),
        defaults={
            "ref_to_message_id": UUID(header.ref_to_message_id) if header.ref_to_message_id else None,
            "subject": shown_name(header.label)[:_LONGEST],
            "is_confidential": header.is_confidential,
            "at": delivered.arrived_at,
            "for_address": address if delivered.stands_in else "",
            **counterpart,
            "sender_references": references_of(header.sender.attention),
            "recipient_references": references_of(header.recipient.attention),
            "sender_persons": persons_of(header.sender.attention),
            "recipient_persons": persons_of(header.recipient.attention),
        },
    )
    if not created:
        return
    state_changes.reopen_for_arrival(conversation)
    if message.for_address:
        assignment.record_event(conversation, ConversationEvent.What.STOOD_IN, None, to=message.for_address)
    has_files = store_documents(message, delivered.message.documents)
    add_to_conversation(conversation, message, has_files=has_files)
    events.announce(mailbox.pk)


def add_to_conversation(conversation: Conversation, message: Message, *, has_files: bool) -> None:
    """Update what lists show of a conversation for a message that was added to it, and index the message."""
    is_inbound = message.direction == Message.Direction.IN
    of_direction = {"last_arrived_at": message.at} if is_inbound else {"has_sent": True}
    Conversation.objects.filter(pk=conversation.pk).update(
        message_count=F("message_count") + 1,
        last_activity_at=message.at,
        is_confidential=conversation.is_confidential or message.is_confidential,
        has_attachments=conversation.has_attachments or has_files,
        is_waiting=not is_inbound,
        **of_direction,
    )
    index.add(message)


def store_documents(message: Message, documents: tuple[MessageDocument, ...]) -> bool:
    """Store the documents in the order of their index; returns whether they have attachments."""
    has_files = False
    for position, document in enumerate(sorted(documents, key=_index), 1):
        row = Document.objects.create(
            message=message,
            position=position,
            name=shown_name(document.name)[:500],
            texts=[text.replace("\0", "") for text in document.texts],
        )
        for file in document.files:
            with file.content.open() as source:
                stored = uploads.store(
                    source,
                    uploads.safe_name(file.name),
                    file.content_type[:200],
                    "attachments",
                    message.conversation.mailbox.participant_id,
                )
            Attachment.objects.create(
                document=row,
                name=stored.name,
                content_type=stored.content_type,
                size=stored.size,
                sha256=stored.sha256,
                file_name=stored.file_name,
                file_key=stored.file_key,
            )
            has_files = True
    return has_files


def counterpart_fields(party: Party, participant: str) -> dict[str, str]:
    """The counterpart's columns: names from the address book, else from the message itself."""
    address = address_of(party)
    organisation, function = names_of(participant, address)
    label = party.attention.sub_organization.label if party.attention else None
    return {
        "counterpart_participant": participant,
        "counterpart_organisation": (
            (shown_name(party.label) if organisation == participant else organisation or "") or participant
        )[:_LONGEST],
        "counterpart_address": address,
        "counterpart_function": (
            (shown_name(label) if function == address else function) or contained(function)
        )[:_LONGEST],
    }


def shown_name(text: str | None) -> str:
    """A sender's subject, name or label in a form that stays in its place on a page, in one line."""
    return contained(text or "") if is_name(text or "") else as_one_line(text or "")


def address_of(party: Party) -> str:
    """The function address of a party; empty where the message has none."""
    return party.attention.sub_organization.identifier.extension.strip() if party.attention else ""


def references_of(attention: Attention | None) -> list[dict[str, Any]]:
    """The references of an attention, as `Message` stores them (B1.3.3 4.3.2.3)."""
    references = attention.references if attention else ()
    return [
        {
            "root": item.identifier.root,
            "value": contained(item.identifier.extension),
            "label": shown_name(item.label),
        }
        for item in references
    ]


def persons_of(attention: Attention | None) -> list[dict[str, Any]]:
    """The persons of an attention, as `Message` stores them (B1.3.3 4.3.2.3)."""
    persons = attention.persons if attention else ()
    return [
        {
            "root": item.identifier.root if item.identifier else "",
            "value": contained(item.identifier.extension) if item.identifier else "",
            "label": shown_name(item.label),
        }
        for item in persons
    ]


def _conversation(
    mailbox: FunctionMailbox, delivered: Delivered, counterpart: dict[str, str]
) -> Conversation:
    header = delivered.message.header
    organisation, function = counterpart["counterpart_organisation"], counterpart["counterpart_function"]
    conversation, _ = Conversation.objects.select_for_update().get_or_create(
        mailbox=mailbox,
        conversation_id=UUID(header.conversation_id),
        defaults={
            "subject": shown_name(header.label)[:_LONGEST],
            "counterpart": ", ".join((organisation, function))[:520],
            "last_activity_at": delivered.arrived_at,
        },
    )
    return conversation


def _index(document: MessageDocument) -> tuple[int, int, str]:
    """A sort key: documents with a number by that number, then the others in their order (B1.3.3 4.3.3.1).

    Numbers of any length are compared as text: first by their length, then by their digits.
    """
    text = (document.index or "").strip()
    if not text.isdecimal():
        return 1, 0, ""
    digits = "".join(str(decimal(digit)) for digit in text).lstrip("0")
    return 0, len(digits), digits
