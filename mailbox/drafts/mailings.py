"""Mailings: messages that were sent to several recipients at once, and the delivery of each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Exists, OuterRef, Prefetch

from mailbox import access
from mailbox.access import Viewer
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


def deliveries_of(mailing: Mailing, person: Viewer) -> list[Delivery]:
    """The messages of a mailing that the person sees, in the order in which they were sent."""
    answer = Message.objects.filter(
        conversation=OuterRef("conversation"), direction=Message.Direction.IN, pk__gt=OuterRef("pk")
    )
    rows = (
        access.messages_of(person)
        .filter(mailing=mailing)
        .select_related("conversation")
        .annotate(is_answered=Exists(answer))
    )
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


def page_of(
    mailbox: FunctionMailbox, person: Viewer, before: int | None
) -> tuple[list[MailingSummary], int | None]:
    """A page of the mailbox's mailings, the latest first, without those of whose messages the person sees
    none.

    It begins after the mailing with the key `before`. Also returns `before` for the next page, if there is
    one.
    """
    seen = access.messages_of(person)
    remaining = seen.filter(mailing=OuterRef("pk"))
    rows = Mailing.objects.filter(Exists(remaining), mailbox=mailbox).order_by("-pk")
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(rows.prefetch_related(Prefetch("messages", seen))[: _PAGE + 1])
    summaries = []
    for mailing in found[:_PAGE]:
        sent = list(mailing.messages.all())
        summaries.append(MailingSummary(mailing.pk, mailing.at, sent[0].subject, len(sent)))
    return summaries, found[_PAGE - 1].pk if len(found) > _PAGE else None
