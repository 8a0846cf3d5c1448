"""The page of a record bundle: a conversation to read, as PDF/A-2u with its fonts and colours inside."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from mailbox import rendering
from mailbox.delivery.ladder import ladder_of, short_state
from mailbox.models import Attachment, Conversation, Document, Message, Registration
from mailbox.registration.shown import RegistrationView, view_of
from mailbox.rendering import html_pages
from mailbox.texts.message_text import TextBudget
from transport.message_service.api import Delivery

_PDF_VARIANT: Final = "pdf/a-2u"
_JOB: Final = rendering.Job(
    Path(html_pages.__file__),
    rendering.Limits(
        memory=2 * 1024 * 1024 * 1024, seconds=240, input=64 * 1024 * 1024, output=256 * 1024 * 1024
    ),
)
_STYLESHEET: Final = Path(settings.FILES_DIR) / "static" / "archive" / "page.css"


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event of a delivery in words; `actor` is empty where the node did it by itself."""

    at: datetime
    text: str
    actor: str


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """How far a sent message has come: its state in words, what went wrong and what to do, its history."""

    state: str
    problem: str
    advice: str
    history: list[EventLine]


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document with its texts as HTML and its attachments."""

    document: Document
    texts: list[SafeString]
    attachments: list[Attachment]


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message on the page. `delivery` is None for a message that has arrived."""

    message: Message
    is_sent: bool
    documents: list[DocumentView]
    is_text_cut: bool
    delivery: DeliveryView | None
    registration: RegistrationView | None


def html_of(
    conversation: Conversation,
    messages: Sequence[Message],
    deliveries: Mapping[UUID, Delivery],
    registrations: Sequence[Registration],
    *,
    organisation: str,
    made_by: str,
    made_at: datetime,
) -> str:
    """The page as HTML. Times are in Swedish time, as the page says."""
    views = [view_of(row, len(row.covered.all())) for row in registrations]
    by_message = {
        covered.message_id: view
        for row, view in zip(registrations, views, strict=True)
        for covered in row.covered.all()
        if covered.is_current
    }
    context = {
        "conversation": conversation,
        "mailbox": conversation.mailbox,
        "organisation": organisation,
        "messages_shown": [
            _view_of(message, deliveries.get(message.message_id), by_message.get(message.pk))
            for message in messages
        ],
        "registrations": views,
        "made_by": made_by,
        "made_at": made_at,
    }
    return render_to_string("archive/conversation.html", context)


def as_pdf(html: str) -> bytes:
    """The page as PDF/A-2u. Raises `rendering.RenderingFailed`."""
    job = {"html": html, "css": _STYLESHEET.read_text(), "variant": _PDF_VARIANT}
    return rendering.render(_JOB, json.dumps(job).encode())


def _view_of(
    message: Message, delivery: Delivery | None, registration: RegistrationView | None
) -> MessageView:
    # A budget for each message: an archive must not shorten one because of another.
    shown = TextBudget().texts_of(message)
    return MessageView(
        message=message,
        is_sent=message.direction == Message.Direction.OUT,
        documents=[
            DocumentView(document, texts, list(document.attachments.all()))
            for document, texts in shown.documents
        ],
        is_text_cut=shown.is_cut,
        delivery=_delivery_view(delivery) if delivery is not None else None,
        registration=registration,
    )


def _delivery_view(delivery: Delivery) -> DeliveryView:
    ladder = ladder_of(delivery)
    is_receipt_missing = delivery.lacks_transport_receipt or delivery.lacks_message_receipt
    return DeliveryView(
        state=short_state(delivery.state, is_receipt_missing=is_receipt_missing),
        problem=ladder.problem,
        advice=ladder.advice,
        history=[EventLine(at, text, actor) for at, text, actor in ladder.history],
    )
