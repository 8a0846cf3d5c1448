"""What both forms of export have in common: a conversation read once, as metadata and as a page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailbox.models import Conversation, Message, Registration

from . import page
from .conversation_record import Record, messages_of, record_of, registrations_of, sent_deliveries
from .file_names import organisation_of


@dataclass(frozen=True, slots=True)
class Export:
    """A conversation to be exported, by whom and when. `html` is its page, before it is made PDF."""

    conversation: Conversation
    organisation: str
    messages: Sequence[Message]
    registrations: Sequence[Registration]
    record: Record
    html: str
    made_by: str
    made_at: datetime


def export_of(conversation: Conversation, *, made_by: str, made_at: datetime) -> Export:
    """Read the conversation."""
    messages = messages_of(conversation)
    deliveries = sent_deliveries(conversation, messages)
    registrations = registrations_of(conversation)
    organisation = organisation_of(conversation)
    record = record_of(conversation, messages, deliveries, registrations, made_by=made_by, made_at=made_at)
    html = page.html_of(
        conversation,
        messages,
        deliveries,
        registrations,
        organisation=organisation,
        made_by=made_by,
        made_at=made_at,
    )
    return Export(conversation, organisation, messages, registrations, record, html, made_by, made_at)


def json_bytes(value: Any) -> bytes:
    """The value as JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode()
