"""Registering messages of a conversation, correcting and withdrawing it; nothing of it is ever removed.

The conversation is locked first, so that of two people the second is told what the first did. An act that is
repeated changes nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from mailbox import access_log
from mailbox.conversations import assignment, case_deliveries
from mailbox.models import (
    AUTOMATIC_ANSWER,
    CaseDelivery,
    Conversation,
    ConversationEvent,
    FunctionMailbox,
    Person,
    RegisteredMessage,
    Registration,
    RetentionRule,
)
from mailbox.search import index

from . import case_numbers

Kind = Registration.Kind
Outcome = Registration.Outcome
What = ConversationEvent.What


class AlreadyRegistered(Exception):
    """All of the messages are registered already, otherwise than now asked for."""

    def __init__(self, registration: Registration) -> None:
        super().__init__("already registered")
        self.registration = registration


class AlreadyEnded(Exception):
    """The registration has been corrected or withdrawn meanwhile."""

    def __init__(self, registration: Registration) -> None:
        super().__init__("already ended")
        self.registration = registration


class NothingToRegister(Exception):
    """There is no such message in the conversation."""


class RuleChanged(Exception):
    """The mailbox has no retention rule for that state any more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What messages are registered as: with a case number, or as of minor importance for a reason, with the
    retention rule (its state), or a decision outside the node, that lets them be deleted."""

    kind: str
    case_number: str = ""
    reason: str = ""
    retention_state: str = ""
    retention_basis: str = ""


def register(
    conversation_id: int,
    person: Person,
    entry: Entry,
    *,
    message_id: int | None = None,
    newest_seen: int | None = None,
) -> Registration:
    """Register one message, or all of the conversation that are not registered.

    `newest_seen` is the newest message that the person's page showed: what has come since is not registered.
    Raises `AlreadyRegistered`, `NothingToRegister`, `RuleChanged`, `case_numbers.Mismatch` and
    `assignment.NotAMember`.
    """
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        messages = row.messages.order_by("pk")
        if message_id is not None:
            messages = messages.filter(pk=message_id)
        if newest_seen is not None:
            messages = messages.filter(pk__lte=newest_seen)
        keys = list(messages.values_list("pk", flat=True))
        if not keys:
            raise NothingToRegister
        holding = RegisteredMessage.objects.filter(message__in=keys, is_current=True)
        registered = list(holding.select_related("registration__by").order_by("registration__at", "pk"))
        free = sorted(set(keys) - {covered.message_id for covered in registered})
        if not free:
            latest = registered[-1].registration
            if all(_says(covered.registration, entry) for covered in registered):
                return latest
            raise AlreadyRegistered(latest)
        made = _add(row, person, entry, free)
        what = What.REGISTERED if made.kind == Kind.CASE else What.OF_MINOR_IMPORTANCE
        _conclude(row, person, what, "registered", made)
        return made


def correct(registration: Registration, person: Person, entry: Entry, reason: str) -> Registration:
    """Replace what messages are registered as; the earlier registration stays in the history.

    Raises `AlreadyEnded`, `RuleChanged`, `case_numbers.Mismatch` and `assignment.NotAMember`.
    """
    with transaction.atomic():
        row = assignment.locked_for(registration.conversation_id, person)
        current = _reread(registration)
        if current.ended_at is None and _says(current, entry):
            return current
        if current.ended_at is not None:
            successor = current.replaced_by.order_by("pk").first()
            if successor is not None and successor.ended_at is None and _says(successor, entry):
                return successor
            raise AlreadyEnded(current)
        keys = _end(current, person, Outcome.CORRECTED, reason)
        made = _add(row, person, entry, keys, replaces=current)
        _conclude(row, person, What.REGISTRATION_CORRECTED, "registration-corrected", made)
        return made


def withdraw(registration: Registration, person: Person, reason: str) -> None:
    """End a registration: its messages are not registered any more. Withdrawing twice changes nothing.

    Raises `AlreadyEnded` where it was corrected meanwhile, and `assignment.NotAMember`.
    """
    with transaction.atomic():
        row = assignment.locked_for(registration.conversation_id, person)
        current = _reread(registration)
        if current.outcome == Outcome.WITHDRAWN:
            return
        if current.ended_at is not None:
            raise AlreadyEnded(current)
        _end(current, person, Outcome.WITHDRAWN, reason)
        _conclude(row, person, What.REGISTRATION_WITHDRAWN, "registration-withdrawn", current)


def _reread(registration: Registration) -> Registration:
    """The registration as it is now that its conversation is locked."""
    return Registration.objects.select_related("by", "ended_by").get(pk=registration.pk)


def _says(registration: Registration, entry: Entry) -> bool:
    """Whether the registration holds the same as the entry."""
    if registration.kind != entry.kind:
        return False
    if entry.kind == Kind.CASE:
        return str(registration.case_number).casefold() == entry.case_number.casefold()
    return (registration.reason, registration.retention_state, registration.retention_basis) == (
        entry.reason,
        entry.retention_state,
        entry.retention_basis,
    )


def _add(
    row: Conversation,
    person: Person,
    entry: Entry,
    message_ids: Collection[int],
    *,
    replaces: Registration | None = None,
) -> Registration:
    """A registration of these messages of a locked conversation."""
    values = (
        _case_values(row.mailbox, entry) if entry.kind == Kind.CASE else _minor_values(row.mailbox, entry)
    )
    made = Registration.objects.create(
        conversation=row, kind=entry.kind, by=person, at=timezone.now(), replaces=replaces, **values
    )
    RegisteredMessage.objects.bulk_create(
        RegisteredMessage(registration=made, message_id=key) for key in sorted(message_ids)
    )
    if made.kind == Kind.CASE:
        index.add_case_number(row.mailbox, message_ids, made.case_number)
    return made


def _case_values(mailbox: FunctionMailbox, entry: Entry) -> dict[str, str | int | None]:
    # The pattern is that of the mailbox in which the conversation is now.
    number = entry.case_number
    if mailbox.case_number_pattern:
        number = case_numbers.parse(mailbox.case_number_pattern).read(number)
    return {"case_number": number}


def _minor_values(mailbox: FunctionMailbox, entry: Entry) -> dict[str, str | int | None]:
    days = None
    if entry.retention_state:
        rule = RetentionRule.objects.filter(mailbox=mailbox, state=entry.retention_state).first()
        if rule is None:
            raise RuleChanged
        days = rule.days
    return {
        "reason": entry.reason,
        "retention_state": entry.retention_state,
        "retention_days": days,
        "retention_basis": entry.retention_basis,
    }


def _end(registration: Registration, person: Person, outcome: Outcome, reason: str) -> list[int]:
    """End a registration; returns the keys of the messages that it covered."""
    registration.ended_at, registration.ended_by = timezone.now(), person
    registration.outcome, registration.end_reason = outcome, reason
    registration.save(update_fields=["ended_at", "ended_by", "outcome", "end_reason"])
    covered = registration.covered.filter(is_current=True)
    keys = list(covered.values_list("message_id", flat=True))
    covered.update(is_current=False)
    index.index_again(keys)
    return keys


def _conclude(
    row: Conversation, person: Person, what: ConversationEvent.What, code: str, registration: Registration
) -> None:
    """Set the state of a locked conversation, and record what was done; no case number is in either log."""
    row.registration_state = _state_of(row)
    row.save(update_fields=["registration_state"])
    assignment.record_event(row, what, person)
    mailbox = row.mailbox
    access_log.record(
        person,
        code,
        mailbox.participant_id,
        mailbox=mailbox,
        conversation=row,
        kind=registration.kind,
        registration=str(registration.key),
    )
    case_deliveries.order_by_itself(row, CaseDelivery.Trigger.REGISTRATION)


def _state_of(row: Conversation) -> str:
    """The state of all its messages together."""
    state = Conversation.RegistrationState
    covered = RegisteredMessage.objects.filter(message__conversation=row, is_current=True)
    kinds = list(covered.values_list("registration__kind", flat=True))
    if row.messages.exclude(AUTOMATIC_ANSWER).exclude(pk__in=covered.values("message")).exists():
        return state.PENDING if kinds or row.mailbox.registration_mode else state.NONE
    return state.REGISTERED if Kind.CASE in kinds else state.MINOR
