"""The messages of a conversation as its page shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Prefetch
from django.utils.safestring import SafeString

from mailbox.attachments import previews
from mailbox.conversations import thread
from mailbox.delivery.ladder import CANCELLED, Ladder, ladder_of, short_state
from mailbox.models import FAILED, Attachment, Conversation, Document, Message, Note
from mailbox.registration.shown import RegistrationView
from mailbox.texts import message_text
from mailbox.texts.markdown import without_marks
from transport.message_service.api import OutgoingState, deliveries_of

_LONGEST_FIRST_WORDS: Final = 100
_NOT_DELIVERED: Final = (*FAILED, CANCELLED)


@dataclass(frozen=True, slots=True)
class ShownAttachment:
    """`shown_as` is how it can be looked at in the page, None where it cannot."""

    attachment: Attachment
    shown_as: previews.Kind | None


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """A document with the beginning of its texts as HTML."""

    name: str
    texts: Sequence[SafeString]
    attachments: Sequence[ShownAttachment]


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message. `answers` is the key of an earlier message that it answers, unless that stands right above;
    `is_orphan` that it answers one which is not here. What has been read before is folded."""

    message: Message
    documents: Sequence[ShownDocument]
    is_text_cut: bool
    is_sent: bool
    answers: int | None
    is_orphan: bool
    ladder: Ladder | None
    delivery: str
    is_delivered: bool
    is_not_delivered: bool
    attachment_count: int
    is_unread: bool
    is_folded: bool
    first_words: str
    registration: RegistrationView | None

    @property
    def pk(self) -> int:
        return self.message.pk


@dataclass(frozen=True, slots=True)
class ThreadItem:
    """A message or an internal note, in the order in which they are read."""

    message: ShownMessage | None = None
    note: Note | None = None


def messages_of(
    conversation: Conversation,
    page: thread.ThreadPage,
    *,
    seen_at: datetime | None,
    asked: int | None,
    registrations: Mapping[int, RegistrationView],
) -> list[ShownMessage]:
    """The messages of a page in its order. `seen_at` is until when the person has seen the conversation,
    `asked` the message that its address points at, `registrations` those that hold, by message."""
    documents = Document.objects.prefetch_related("attachments")
    found = conversation.messages.filter(pk__in=[link.key for link in page.links])
    by_key = {row.pk: row for row in found.prefetch_related(Prefetch("documents", documents))}
    rows = [by_key[link.key] for link in page.links if link.key in by_key]
    sent = [row.message_id for row in rows if row.direction == Message.Direction.OUT]
    deliveries = deliveries_of(conversation.mailbox.participant_id, sent)
    budget = message_text.TextBudget()
    links = {link.key: link for link in page.links}
    shown: list[ShownMessage] = []
    for row in rows:
        link, above = links[row.pk], shown[-1].pk if shown else None
        is_sent = row.direction == Message.Direction.OUT
        delivery = deliveries.get(row.message_id) if is_sent else None
        texts = budget.texts_of(row)
        its_documents = [_document(document, rendered) for document, rendered in texts.documents]
        is_unread = not is_sent and (seen_at is None or row.at > seen_at)
        is_not_delivered = row.delivery_state in _NOT_DELIVERED or row.is_receipt_missing
        is_open = is_unread or is_not_delivered or row.pk == asked or row is rows[-1]
        shown.append(
            ShownMessage(
                message=row,
                documents=its_documents,
                is_text_cut=texts.is_cut,
                is_sent=is_sent,
                # No link to the message right above.
                answers=link.answers if link.answers != above else None,
                is_orphan=link.is_orphan,
                ladder=ladder_of(delivery) if delivery is not None else None,
                delivery=short_state(row.delivery_state, is_receipt_missing=row.is_receipt_missing),
                is_delivered=row.delivery_state == OutgoingState.ACCEPTED,
                is_not_delivered=is_not_delivered,
                attachment_count=sum(len(document.attachments) for document in its_documents),
                is_unread=is_unread,
                is_folded=not is_open,
                first_words="" if is_open else _first_words(row),
                registration=registrations.get(row.pk),
            )
        )
    return shown


def with_notes(messages: Sequence[ShownMessage], notes: Sequence[Note]) -> list[ThreadItem]:
    """Messages in their order, each note above the first message that came after it."""
    items: list[ThreadItem] = []
    waiting = list(notes)
    for shown in messages:
        while waiting and waiting[0].at < shown.message.at:
            items.append(ThreadItem(note=waiting.pop(0)))
        items.append(ThreadItem(message=shown))
    return [*items, *(ThreadItem(note=note) for note in waiting)]


def _document(document: Document, rendered: list[SafeString]) -> ShownDocument:
    attachments = [
        ShownAttachment(row, previews.kind_of(row.content_type, row.size))
        for row in document.attachments.all()
    ]
    return ShownDocument(document.name, rendered, attachments)


def _first_words(message: Message) -> str:
    texts = [
        text[: 4 * _LONGEST_FIRST_WORDS] for document in message.documents.all() for text in document.texts
    ]
    return " ".join(without_marks("\n".join(texts)).split())[:_LONGEST_FIRST_WORDS]
