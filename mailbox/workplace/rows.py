"""The rows of a mailbox's list, with what the template needs of each conversation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db.models import Count
from django.utils import timezone

from mailbox.access import Viewer
from mailbox.conversations import labels
from mailbox.conversations.addresses import conversation_url
from mailbox.delivery.ladder import CANCELLED, short_state
from mailbox.models import FAILED, Attachment, Conversation, Label
from mailbox.registration.shown import RegistrationSigns, signs_of
from mailbox.staffed_hours import time_limits
from mailbox.staffed_hours.time_limits import LimitShown

from .first_words import first_words_of
from .list_order import Page

_NOT_DELIVERED: Final = (*FAILED, CANCELLED)


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A conversation in a list. `first_words` is empty where it is confidential, and `mailbox_name` in the
    list of one mailbox."""

    conversation: Conversation
    url: str
    is_unread: bool
    is_overdue: bool
    labels: Sequence[Label]
    delivery: str
    is_not_delivered: bool
    first_words: str
    attachment_count: int
    initials: str
    mailbox_name: str
    registration: RegistrationSigns | None
    limit: LimitShown | None

    @property
    def pk(self) -> int:
        return self.conversation.pk


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows in order; `after` asks for the next page, empty on the last."""

    rows: Sequence[ConversationRow]
    after: str


def rows_of(
    page: Page[Conversation], person: Viewer, list_address: str, *, is_across: bool = False
) -> RowPage:
    """The rows of a page, in four queries however many there are, and three more where some have time
    limits. Across mailboxes each names its own."""
    labels_of = labels.labels_by_conversation(page.rows)
    words = first_words_of(page.rows, person)
    counts = _attachment_counts(page.rows)
    registrations = signs_of(page.rows)
    limits = time_limits.shown_of(page.rows)
    today = timezone.localdate()
    rows = [
        _row(
            row,
            labels_of.get(row.pk, []),
            words.get(row.pk, ""),
            counts.get(row.pk, 0),
            list_address,
            today,
            row.mailbox.name if is_across else "",
            registrations.get(row.pk),
            limits.get(row.pk),
        )
        for row in page.rows
    ]
    return RowPage(rows, page.after)


def initials_of(name: str) -> str:
    """At most two letters: of the first name and the last."""
    parts = name.split()
    return "".join(part[0] for part in (parts[:1] + parts[1:][-1:])).upper()


def _row(
    row: Conversation,
    its_labels: Sequence[Label],
    words: str,
    attachment_count: int,
    list_address: str,
    today: date,
    mailbox_name: str,
    registration: RegistrationSigns | None,
    limit: LimitShown | None,
) -> ConversationRow:
    annotations: dict[str, Any] = vars(row)
    state = annotations["last_state"] or ""
    is_receipt_missing = bool(annotations["last_receipt_missing"])
    return ConversationRow(
        conversation=row,
        url=conversation_url(row.pk, list_address),
        is_unread=annotations["is_unread"],
        is_overdue=row.state == Conversation.State.OPEN and row.due_on is not None and row.due_on < today,
        labels=its_labels,
        delivery=short_state(state, is_receipt_missing=is_receipt_missing),
        is_not_delivered=state in _NOT_DELIVERED or is_receipt_missing,
        first_words=words,
        attachment_count=attachment_count,
        initials=initials_of(row.assignee.name) if row.assignee else "",
        mailbox_name=mailbox_name,
        registration=registration,
        limit=limit,
    )


def _attachment_counts(rows: Sequence[Conversation]) -> dict[int, int]:
    having = [row.pk for row in rows if row.has_attachments]
    if not having:
        return {}
    counted = Attachment.objects.filter(document__message__conversation__in=having).order_by()
    return dict(
        counted.values("document__message__conversation__pk")
        .annotate(number=Count("pk"))
        .values_list("document__message__conversation__pk", "number")
    )
