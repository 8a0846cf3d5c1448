"""The metadata of a conversation as plain values, for the JSON and XML of a bundle."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Prefetch
from lxml import etree

from mailbox.models import Attachment, Conversation, Document, Message, Registration
from transport.message_service.api import Delivery, deliveries_of

from .xml_writing import xml_text

FORMAT: Final = "urn:sdkportal:record-bundle:1"

Record = dict[str, Any]


def messages_of(conversation: Conversation) -> list[Message]:
    """The conversation's messages in order of time, with their documents and attachments."""
    # Attachments with malware are blocked and not exported.
    attachments = Prefetch("attachments", Attachment.objects.filter(is_blocked=False))
    documents = Document.objects.prefetch_related(attachments)
    return list(conversation.messages.order_by("at", "pk").prefetch_related(Prefetch("documents", documents)))


def registrations_of(conversation: Conversation) -> list[Registration]:
    """What its messages are registered as, and were before, the oldest first."""
    rows = conversation.registrations.select_related("by", "ended_by")
    return list(rows.prefetch_related("covered__message").order_by("at", "pk"))


def sent_deliveries(conversation: Conversation, messages: list[Message]) -> dict[UUID, Delivery]:
    """The deliveries of the messages that were sent, by message id."""
    sent = [message.message_id for message in messages if message.direction == Message.Direction.OUT]
    return dict(deliveries_of(conversation.mailbox.participant_id, sent))


def record_of(
    conversation: Conversation,
    messages: list[Message],
    deliveries: Mapping[UUID, Delivery],
    registrations: Sequence[Registration],
    *,
    made_by: str,
    made_at: datetime,
) -> Record:
    """The metadata of a conversation, without the content of files. Times are in UTC, with milliseconds."""
    mailbox = conversation.mailbox
    return {
        "format": FORMAT,
        "made_at": utc_text(made_at),
        "made_by": made_by,
        "conversation_id": str(conversation.conversation_id),
        "subject": conversation.subject,
        "participant": mailbox.participant_id,
        "function_address": mailbox.address,
        "function": mailbox.name,
        "is_confidential": conversation.is_confidential,
        "registrations": [_registration(row) for row in registrations],
        "messages": [
            _message(position, message, deliveries.get(message.message_id))
            for position, message in enumerate(messages, 1)
        ],
    }


def folder_of(position: int, message: Message) -> str:
    """The folder of a message's files in the bundle."""
    return f"messages/{position:03d}-{message.message_id}"


def utc_text(at: datetime) -> str:
    """A time in UTC as ISO 8601 with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record_as_xml(record: Record) -> bytes:
    """The record as XML: an element for each name, `item` elements for a list."""
    root = etree.Element(f"{{{FORMAT}}}record", nsmap={None: FORMAT})
    _add(root, record)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _message(position: int, message: Message, delivery: Delivery | None) -> Record:
    was_sent = message.direction == Message.Direction.OUT
    return {
        "folder": folder_of(position, message),
        "message_id": str(message.message_id),
        "answers": str(message.ref_to_message_id) if message.ref_to_message_id else None,
        "direction": "sent" if was_sent else "arrived",
        "at": utc_text(message.at),
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


def _registration(row: Registration) -> Record:
    """What messages are registered as; `ended` tells that it was corrected or withdrawn."""
    is_case = row.kind == Registration.Kind.CASE
    return {
        "kind": "case" if is_case else "minor-importance",
        "case_number": row.case_number if is_case else None,
        "reason": row.reason or None,
        "retention_rule": row.retention_state or None,
        "retention_days": row.retention_days,
        "retention_basis": row.retention_basis or None,
        "registered_by": row.by.name,
        "registered_at": utc_text(row.at),
        "messages": sorted(str(covered.message.message_id) for covered in row.covered.all()),
        "ended": {
            "as": row.outcome,
            "by": row.ended_by.name if row.ended_by else None,
            "at": utc_text(row.ended_at),
            "reason": row.end_reason,
        }
        if row.ended_at is not None
        else None,
    }


def _delivery(delivery: Delivery) -> Record:
    return {
        "state": delivery.state.value,
        "transport_receipt_at": _optional(delivery.transport_receipt_at),
        "message_receipt_at": _optional(delivery.message_receipt_at),
        "events": [
            {"at": utc_text(event.at), "name": event.name, "cause": event.cause, "actor": event.actor}
            for event in delivery.events
        ],
    }


def _optional(at: datetime | None) -> str | None:
    return utc_text(at) if at is not None else None


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
        parent.text = xml_text(str(value))
