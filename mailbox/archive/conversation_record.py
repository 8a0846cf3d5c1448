"""What is known of a conversation, as plain values: for the page, JSON and XML of a bundle."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Prefetch
from lxml import etree

from mailbox.models import Attachment, Conversation, Document, Message
from transport.message_service.api import Delivery, deliveries_of

FORMAT: Final = "urn:sdkportal:record-bundle:1"
_NOT_IN_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Account = dict[str, Any]


def messages_of(conversation: Conversation) -> list[Message]:
    """The conversation's messages in order of time, with their documents and attachments."""
    # What is blocked goes nowhere.
    attachments = Prefetch("attachments", Attachment.objects.filter(is_blocked=False))
    documents = Document.objects.prefetch_related(attachments)
    return list(conversation.messages.order_by("at", "pk").prefetch_related(Prefetch("documents", documents)))


def account_of(
    conversation: Conversation, messages: list[Message], *, made_by: str, made_at: datetime
) -> Account:
    """Everything but the content of files. Times are UTC with three fraction digits."""
    mailbox = conversation.mailbox
    sent = [message.message_id for message in messages if message.direction == Message.Direction.OUT]
    deliveries = deliveries_of(mailbox.participant_id, sent)
    return {
        "format": FORMAT,
        "made_at": moment(made_at),
        "made_by": made_by,
        "conversation_id": str(conversation.conversation_id),
        "subject": conversation.subject,
        "participant": mailbox.participant_id,
        "function_address": mailbox.address,
        "function": mailbox.name,
        "is_confidential": conversation.is_confidential,
        "messages": [
            _message(position, message, deliveries.get(message.message_id))
            for position, message in enumerate(messages, 1)
        ],
    }


def folder_of(position: int, message: Message) -> str:
    """Where a message's files lie in the bundle."""
    return f"messages/{position:03d}-{message.message_id}"


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_xml(account: Account) -> bytes:
    """The account as XML: an element a name, a list's items named in the singular."""
    root = etree.Element(f"{{{FORMAT}}}record", nsmap={None: FORMAT})
    _add(root, account)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _message(position: int, message: Message, delivery: Delivery | None) -> Account:
    was_sent = message.direction == Message.Direction.OUT
    return {
        "folder": folder_of(position, message),
        "message_id": str(message.message_id),
        "answers": str(message.ref_to_message_id) if message.ref_to_message_id else None,
        "direction": "sent" if was_sent else "arrived",
        "at": moment(message.at),
        "subject": message.subject,
        "is_confidential": message.is_confidential,
        "written_by": message.written_by.name if message.written_by else None,
        "counterpart": {
            "participant": message.counterpart_participant,
            "organisation": message.counterpart_organisation,
            "function_address": message.counterpart_address,
            "function": message.counterpart_function,
        },
        "sender_references": message.sender_references,
        "recipient_references": message.recipient_references,
        "sender_persons": message.sender_persons,
        "recipient_persons": message.recipient_persons,
        "documents": [
            {
                "name": document.name,
                "texts": list(document.texts),
                "attachments": [
                    {
                        "name": file.name,
                        "content_type": file.content_type,
                        "size": file.size,
                        "sha256": file.sha256,
                    }
                    for file in document.attachments.all()
                ],
            }
            for document in message.documents.all()
        ],
        "for_address": message.for_address or None,
        "delivery": _delivery(delivery) if delivery is not None else None,
    }


def _delivery(delivery: Delivery) -> Account:
    return {
        "state": delivery.state.value,
        "transport_receipt_at": _optional(delivery.transport_receipt_at),
        "message_receipt_at": _optional(delivery.message_receipt_at),
        "events": [
            {"at": moment(event.at), "name": event.name, "cause": event.cause, "actor": event.actor}
            for event in delivery.events
        ],
    }


def _optional(at: datetime | None) -> str | None:
    return moment(at) if at is not None else None


def _add(parent: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if item is not None:
                _add(etree.SubElement(parent, f"{{{FORMAT}}}{name}"), item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _add(etree.SubElement(parent, f"{{{FORMAT}}}item"), item)
    elif isinstance(value, bool):
        parent.text = "true" if value else "false"
    else:
        parent.text = _without_controls(str(value))


def _without_controls(text: str) -> str:
    """XML 1.0 cannot hold every character that a name or an event may."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
