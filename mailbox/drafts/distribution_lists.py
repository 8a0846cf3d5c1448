"""Distribution lists of a mailbox: recipients that it often writes to together."""

from django.db import IntegrityError, transaction

from addressbook.lookup import function_address
from addressbook.models import FunctionAddress
from mailbox.models import DistributionList, FunctionMailbox, ListedRecipient, Person

from .recipients import Recipient, recipient_in


class NameTaken(Exception):
    """The mailbox has a list by this name already."""


def create(mailbox: FunctionMailbox, name: str, person: Person) -> DistributionList:
    """Create an empty list. Raises `NameTaken`."""
    try:
        with transaction.atomic():
            return DistributionList.objects.create(mailbox=mailbox, name=name, changed_by=person)
    except IntegrityError:
        raise NameTaken from None


def rename(listed: DistributionList, name: str, person: Person) -> None:
    """Change a list's name. Raises `NameTaken`."""
    try:
        with transaction.atomic():
            listed.name, listed.changed_by = name, person
            listed.save()
    except IntegrityError:
        raise NameTaken from None


def add(listed: DistributionList, function: FunctionAddress, person: Person) -> None:
    """Add a function to the list, unless it is on it already."""
    recipient = recipient_in(function)
    ListedRecipient.objects.get_or_create(
        distribution_list=listed,
        participant=recipient.participant,
        address=recipient.address,
        defaults={"organisation": recipient.organisation, "function": recipient.function},
    )
    listed.changed_by = person
    listed.save()


def recipients_on(listed: DistributionList) -> tuple[list[Recipient], list[ListedRecipient]]:
    """The recipients on a list, as the address book has them now; and those that it has no longer."""
    found, gone = [], []
    for row in listed.recipients.all():
        function = function_address(row.participant, row.address)
        if function is None:
            gone.append(row)
        else:
            found.append(recipient_in(function))
    return found, gone
