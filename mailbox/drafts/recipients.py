"""Whom a draft is for: functions of the address book, each of which gets a message of its own, or another
mailbox of the same organisation.
"""

from dataclasses import dataclass
from typing import Final

from django.db import transaction

from addressbook.models import FunctionAddress
from mailbox.models import Draft, DraftRecipient, FunctionMailbox, Person
from transport.message_service.api import Organisation

from .draft_lock import locked, save_changed

MOST_RECIPIENTS: Final = 100


class TooManyRecipients(Exception):
    """More than `MOST_RECIPIENTS`."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A function that a draft is for. `key` is 0 for the first, else that of the `DraftRecipient`."""

    key: int
    participant: str
    organisation: str
    address: str
    function: str


def recipients_of(draft: Draft) -> list[Recipient]:
    """Whom the draft is for, in order."""
    first = Recipient(
        0,
        draft.recipient_participant,
        draft.recipient_organisation,
        draft.recipient_address,
        draft.recipient_function,
    )
    further = [
        Recipient(row.pk, row.participant, row.organisation, row.address, row.function)
        for row in draft.further_recipients.all()
    ]
    return [first, *further] if draft.recipient_address else further


def own_name(mailbox: FunctionMailbox) -> str:
    """What the mailbox's organisation is called."""
    return Organisation.objects.values_list("name", flat=True).get(participant_id=mailbox.participant_id)


def choose_recipient(draft_id: int, version: int, function: FunctionAddress, person: Person) -> Draft:
    """Set whom it is for; one more, where it is for somebody already. Raises `TooManyRecipients`."""
    return add_recipients(draft_id, version, [recipient_in(function)], person)


def recipient_in(function: FunctionAddress) -> Recipient:
    """A function in the address book as a recipient."""
    organisation = function.organisation
    return Recipient(0, organisation.participant_id, organisation.name, function.identifier, function.name)


def add_recipients(draft_id: int, version: int, recipients: list[Recipient], person: Person) -> Draft:
    """Add recipients; who is among them already is not added again. Raises `TooManyRecipients`."""
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        if draft.answers_id is not None:
            return draft
        if draft.is_inside:
            draft.is_inside, draft.recipient_address = False, ""
        known = {(one.participant, one.address) for one in recipients_of(draft)}
        new = {(found.participant, found.address): found for found in recipients}
        added = [one for key, one in new.items() if key not in known]
        if len(known) + len(added) > MOST_RECIPIENTS:
            raise TooManyRecipients
        DraftRecipient.objects.bulk_create(
            DraftRecipient(
                draft=draft,
                participant=one.participant,
                organisation=one.organisation,
                address=one.address,
                function=one.function,
            )
            for one in added
        )
        if not draft.recipient_address:
            promote_next(draft)
        save_changed(draft, person)
        return draft


def choose_inside(draft_id: int, version: int, mailbox: FunctionMailbox, person: Person) -> Draft:
    """Let it be for another mailbox of the same organisation, and nobody else."""
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        if draft.answers_id is not None or mailbox.participant_id != draft.mailbox.participant_id:
            return draft
        draft.further_recipients.all().delete()
        draft.is_inside = True
        draft.recipient_participant = mailbox.participant_id
        draft.recipient_organisation = own_name(mailbox)
        draft.recipient_address, draft.recipient_function = mailbox.address, mailbox.name
        save_changed(draft, person)
        return draft


def remove_recipient(draft_id: int, version: int, person: Person, key: int = 0) -> Draft:
    """Take a recipient away: the first, or the further one with the key."""
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        if draft.answers_id is not None:
            return draft
        if key:
            draft.further_recipients.filter(pk=key).delete()
        else:
            draft.is_inside = False
            promote_next(draft)
        save_changed(draft, person)
        return draft


def promote_next(draft: Draft) -> None:
    """Let the next recipient of a locked draft, if there is any, take the first one's place; not saved."""
    following = draft.further_recipients.first()
    draft.recipient_participant = following.participant if following else ""
    draft.recipient_organisation = following.organisation if following else ""
    draft.recipient_address = following.address if following else ""
    draft.recipient_function = following.function if following else ""
    if following is not None:
        following.delete()
