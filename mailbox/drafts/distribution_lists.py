"""Distribution lists of a mailbox, and what was sent to several at once."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from addressbook.lookup import function_address
from addressbook.models import FunctionAddress
from mailbox.delivery.ladder import short_state
from mailbox.models import (
    FAILED,
    DistributionList,
    FunctionMailbox,
    ListedRecipient,
    Mailing,
    Message,
    Person,
)

from . import composer
from .message_builder import Recipient


class NameTaken(Exception):
    """The mailbox has a list of that name."""


@dataclass(frozen=True, slots=True)
class Line:
    """One recipient of a mailing: how far the message is known to have come, and whether it is answered."""

    message: Message
    state: str
    is_received: bool
    has_failed: bool
    is_answered: bool


def make(mailbox: FunctionMailbox, name: str, person: Person) -> DistributionList:
    """An empty list. Raises `NameTaken`."""
    try:
        with transaction.atomic():
            return DistributionList.objects.create(mailbox=mailbox, name=name, changed_by=person)
    except IntegrityError:
        raise NameTaken from None


def rename(one: DistributionList, name: str, person: Person) -> None:
    """Call it something else. Raises `NameTaken`."""
    try:
        with transaction.atomic():
            one.name, one.changed_by = name, person
            one.save()
    except IntegrityError:
        raise NameTaken from None


def add(one: DistributionList, function: FunctionAddress, person: Person) -> None:
    """Put a function on the list; one that is there stays there once."""
    told = composer.recipient_in(function)
    ListedRecipient.objects.get_or_create(
        distribution_list=one,
        participant=told.participant,
        address=told.address,
        defaults={"organisation": told.organisation, "function": told.function},
    )
    one.changed_by = person
    one.save()


def recipients_on(one: DistributionList) -> tuple[list[Recipient], list[ListedRecipient]]:
    """Those on a list that can be written to, as the address book has them now; and those that are gone."""
    found, gone = [], []
    for row in one.recipients.all():
        function = function_address(row.participant, row.address)
        if function is None:
            gone.append(row)
        else:
            found.append(composer.recipient_in(function))
    return found, gone


def lines_of(mailing: Mailing) -> list[Line]:
    """Who has received and answered a mailing, in the order in which it was sent."""
    answer = Message.objects.filter(
        conversation=OuterRef("conversation"), direction=Message.Direction.IN, pk__gt=OuterRef("pk")
    )
    rows = mailing.messages.select_related("conversation").annotate(is_answered=Exists(answer))
    return [
        Line(
            row,
            short_state(row.delivery_state, is_receipt_missing=row.is_receipt_missing),
            row.delivery_state == "ACCEPTED",
            row.delivery_state in FAILED,
            row.is_answered,
        )
        for row in rows.order_by("pk")
    ]


def mailings_of(mailbox: FunctionMailbox) -> QuerySet[Mailing]:
    """The mailbox's mailings that anything is left of, the latest first."""
    kept = Message.objects.filter(mailing=OuterRef("pk"))
    return Mailing.objects.filter(Exists(kept), mailbox=mailbox).order_by("-pk")
