"""Mailings: messages that were sent to several recipients at once, and the delivery of each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Exists, OuterRef

from mailbox.delivery.ladder import short_state
from mailbox.models import FAILED, FunctionMailbox, Mailing, Message

_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class MailingSummary:
    """A mailing in a list."""

    pk: int
    at: datetime
    subject: str
    count: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """The message to one recipient of a mailing: its delivery, and whether it has been answered."""

    message: Message
    state: str
    is_received: bool
    has_failed: bool
    is_answered: bool


def deliveries_of(mailing: Mailing) -> list[Delivery]:
    """The messages of a mailing in the order in which they were sent."""
    answer = Message.objects.filter(
        conversation=OuterRef("conversation"), direction=Message.Direction.IN, pk__gt=OuterRef("pk")
    )
    rows = mailing.messages.select_related("conversation").annotate(is_answered=Exists(answer))
    return [
        Delivery(
            row,
            short_state(row.delivery_state, is_receipt_missing=row.is_receipt_missing),
            row.delivery_state == "ACCEPTED",
            row.delivery_state in FAILED,
            row.is_answered,
        )
        for row in rows.order_by("pk")
    ]


def page_of(mailbox: FunctionMailbox, before: int | None) -> tuple[list[MailingSummary], int | None]:
    """A page of the mailbox's mailings, the latest first, without those whose messages have all been erased.

    It begins after the mailing with the key `before`. Also returns `before` for the next page, if there is
    one.
    """
    remaining = Message.objects.filter(mailing=OuterRef("pk"))
    rows = Mailing.objects.filter(Exists(remaining), mailbox=mailbox).order_by("-pk")
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(rows.prefetch_related("messages")[: _PAGE + 1])
    summaries = []
    for mailing in found[:_PAGE]:
        sent = list(mailing.messages.all())
        summaries.append(MailingSummary(mailing.pk, mailing.at, sent[0].subject, len(sent)))
    return summaries, found[_PAGE - 1].pk if len(found) > _PAGE else None
