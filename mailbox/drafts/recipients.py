"""The recipients of a draft: functions of the address book, or one other mailbox of the same organisation.

Each recipient gets a message of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from addressbook.models import FunctionAddress
from mailbox.models import Draft, DraftRecipient, FunctionMailbox, Person
from transport.message_service.api import Organisation

from .draft_lock import locked, save_changed

MOST_RECIPIENTS: Final = 100


class TooManyRecipients(Exception):
    """A draft has `MOST_RECIPIENTS` at most."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient of a draft. `key` is 0 for the first one, else the key of its `DraftRecipient`."""

    key: int
    participant: str
    organisation: str
    address: str
    function: str


def recipients_of(draft: Draft) -> list[Recipient]:
    """The recipients of the draft, in order."""
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


def chosen_functions(recipients: Sequence[Recipient]) -> set[int]:
    """Keys of the functions in the address book that are among the recipients."""
    if not recipients:
        return set()
    rows = FunctionAddress.objects.filter(identifier__in={recipient.address for recipient in recipients})
    present = {(recipient.participant, recipient.address) for recipient in recipients}
    known = rows.values_list("pk", "organisation__participant_id", "identifier")
    return {key for key, participant, address in known if (participant, address) in present}


def organisation_name(mailbox: FunctionMailbox) -> str:
    """The name of the mailbox's organisation."""
    return Organisation.objects.values_list("name", flat=True).get(participant_id=mailbox.participant_id)


def choose_recipient(draft_id: int, version: int, function: FunctionAddress, person: Person) -> Draft:
    """Add a function as a recipient. Raises `TooManyRecipients`, and what `draft_lock.locked` raises."""
    return add_recipients(draft_id, version, [recipient_in(function)], person)


def recipient_in(function: FunctionAddress) -> Recipient:
    """A function in the address book as a recipient."""
    organisation = function.organisation
    return Recipient(0, organisation.participant_id, organisation.name, function.identifier, function.name)


def add_recipients(draft_id: int, version: int, recipients: list[Recipient], person: Person) -> Draft:
    """Add recipients that the draft has not. Raises `TooManyRecipients`, and what `locked` raises.

    The recipient of an answer cannot be changed.
    """
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        if draft.answers_id is not None:
            return draft
        if draft.is_inside:
            draft.is_inside, draft.recipient_address = False, ""
        present = {(recipient.participant, recipient.address) for recipient in recipients_of(draft)}
        by_key = {(recipient.participant, recipient.address): recipient for recipient in recipients}
        added = [recipient for key, recipient in by_key.items() if key not in present]
        if len(present) + len(added) > MOST_RECIPIENTS:
            raise TooManyRecipients
        DraftRecipient.objects.bulk_create(
            DraftRecipient(
                draft=draft,
                participant=recipient.participant,
                organisation=recipient.organisation,
                address=recipient.address,
                function=recipient.function,
            )
            for recipient in added
        )
        if not draft.recipient_address:
            promote_next(draft)
        save_changed(draft, person)
        return draft


def choose_own_mailbox(draft_id: int, version: int, mailbox: FunctionMailbox, person: Person) -> Draft:
    """Make another mailbox of the same organisation the only recipient."""
    with transaction.atomic():
        draft = locked(draft_id, version, person)
        if draft.answers_id is not None or mailbox.participant_id != draft.mailbox.participant_id:
            return draft
        draft.further_recipients.all().delete()
        draft.is_inside = True
        draft.recipient_participant = mailbox.participant_id
        draft.recipient_organisation = organisation_name(mailbox)
        draft.recipient_address, draft.recipient_function = mailbox.address, mailbox.name
        save_changed(draft, person)
        return draft


def remove_recipient(draft_id: int, version: int, person: Person, key: int = 0) -> Draft:
    """Remove a recipient: the first one, or the further one with this key."""
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
    """Make the next recipient of a locked draft the first; without one it has no recipient. Not saved."""
    following = draft.further_recipients.first()
    draft.recipient_participant = following.participant if following else ""
    draft.recipient_organisation = following.organisation if following else ""
    draft.recipient_address = following.address if following else ""
    draft.recipient_function = following.function if following else ""
    if following is not None:
        following.delete()
