"""The life of a delivery: handed over, tried again, acknowledged, refused or withdrawn.

A worker claims the row and works on it outside any transaction. Where it is killed, the next one does the
same again under the same id, by which the case system knows that it has it. Locks are taken in one order:
conversation, delivery.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mailbox import access_log, events
from mailbox.conversations import assignment, case_deliveries
from mailbox.models import CaseDelivery, CaseSystem, Conversation, ConversationEvent, Person
from mailbox.rendering import RenderingFailed
from transport import jobs
from transport.jobs import LeaseLost, task_named, wake
from transport.storage import blobs

from . import packages
from .connector import CannotHandOver, Connector
from .directory import DirectoryConnector
from .receipts import Receipt
from .sftp import SftpConnector
from .webhook import WebhookConnector

logger = logging.getLogger(__name__)
State = CaseDelivery.State
Cause = CaseDelivery.Cause
What = ConversationEvent.What
# Pauses of 1, 2, 4 ... minutes and then 6 hours: some three days before somebody has to look.
MOST_ATTEMPTS: Final = 20
_FIRST_PAUSE_SECONDS: Final = 60
_LONGEST_PAUSE_SECONDS: Final = 6 * 3600
_WHILE_INACTIVE: Final = timedelta(minutes=10)
_CONNECTORS: Final[Mapping[str, Connector]] = {
    CaseSystem.Kind.DIRECTORY: DirectoryConnector(),
    CaseSystem.Kind.SFTP: SftpConnector(),
    CaseSystem.Kind.WEBHOOK: WebhookConnector(),
}
_WORK_ON: Final = task_named("mailbox.tasks.work_on_case_delivery")


class Outcome(Enum):
    """What a receipt led to."""

    SETTLED = "settled"
    REPEATED = "repeated"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown-delivery"
    CONTRADICTS = "answered-otherwise"


class CannotRetry(Exception):
    """The delivery is neither failed nor waiting for its receipt."""


class CannotWithdraw(Exception):
    """The delivery has been acknowledged."""


def work_on(key: object) -> None:
    """Hand a delivery over that is due, or remove the files of one that has come to its end."""
    delivery = CaseDelivery.claim(key)
    if delivery is None:
        return
    try:
        with delivery.renewing():
            if delivery.answered_at is not None or delivery.state == State.WITHDRAWN:
                _clear(delivery)
            else:
                _hand_over(delivery)
    except LeaseLost:
        logger.warning("lease_lost", extra={"fields": {"case_delivery": delivery.pk}})
        _clear_again(delivery.pk)


def _clear_again(key: UUID) -> None:
    """Where a delivery ended while it was being handed over, its files are removed once more."""
    ended = Q(answered_at__isnull=False) | Q(state=State.WITHDRAWN)
    CaseDelivery.objects.filter(ended, pk=key, lease=None).update(due_at=timezone.now())


def settle(system: CaseSystem, receipt: Receipt) -> Outcome:
    """Apply a receipt of the case system's. A repeated one changes nothing, nor does one that says otherwise
    than an earlier one."""
    found = system.deliveries.filter(pk=receipt.delivery_id).values_list("conversation_id", flat=True).first()
    if found is None:
        return Outcome.UNKNOWN
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().filter(pk=found).first()
        row = CaseDelivery.objects.select_for_update().filter(pk=receipt.delivery_id).first()
        if conversation is None or row is None:
            return Outcome.UNKNOWN
        if row.answered_at is not None:
            return Outcome.REPEATED if _says(row, receipt) else Outcome.CONTRADICTS
        if row.state == State.WITHDRAWN:
            return Outcome.WITHDRAWN
        if row.newest_message is None:
            # Nobody has been given a package yet.
            return Outcome.UNKNOWN
        now = timezone.now()
        row.state = State.ACKNOWLEDGED if receipt.is_accepted else State.FAILED
        row.cause = "" if receipt.is_accepted else Cause.REFUSED
        row.case_number, row.reference, row.refusal = receipt.case_number, receipt.reference, receipt.reason
        row.answered_at, row.delivered_at = now, row.delivered_at or now
        _end_lease(row, due_at=now)
        row.save()
        what = What.CASE_ACKNOWLEDGED if receipt.is_accepted else What.CASE_REFUSED
        assignment.record_event(conversation, what, None, to=row.case_system.name)
        code = "case-delivery-acknowledged" if receipt.is_accepted else "case-delivery-refused"
        _record(None, code, row, conversation)
        wake(_WORK_ON, row.pk)
    return Outcome.SETTLED


def retry(delivery_id: UUID, person: Person) -> None:
    """Hand over again: at once under the same id, or as a new delivery where the receiver has refused it.

    Raises `CannotRetry`, `assignment.NotAMember`, and what `case_deliveries.order` raises.
    """
    with transaction.atomic():
        conversation, row = _locked(delivery_id, person)
        if row.state not in {State.FAILED, State.DELIVERED}:
            raise CannotRetry
        if row.is_refused:
            row.state = State.WITHDRAWN
            row.save(update_fields=["state"])
            case_deliveries.order(conversation.pk, person, row.case_system_id)
            return
        row.state, row.cause, row.delivered_at = State.WAITING, "", None
        _end_lease(row, due_at=timezone.now())
        row.save()
        assignment.record_event(conversation, What.CASE_ORDERED, person, to=row.case_system.name)
        _record(person, "case-delivery-retried", row, conversation)
        wake(_WORK_ON, row.pk)


def withdraw(delivery_id: UUID, person: Person) -> None:
    """Withdraw a delivery that has not been acknowledged; what the case system has taken, it keeps.

    Withdrawing twice changes nothing. Raises `CannotWithdraw`, `assignment.NotAMember`.
    """
    with transaction.atomic():
        conversation, row = _locked(delivery_id, person)
        if row.state == State.ACKNOWLEDGED:
            raise CannotWithdraw
        if row.state == State.WITHDRAWN:
            return
        row.state, row.cause = State.WITHDRAWN, ""
        _end_lease(row, due_at=timezone.now())
        row.save()
        assignment.record_event(conversation, What.CASE_WITHDRAWN, person, to=row.case_system.name)
        _record(person, "case-delivery-withdrawn", row, conversation)
        wake(_WORK_ON, row.pk)


def resume(system: CaseSystem) -> None:
    """Let deliveries that waited for a case system to be confirmed or switched on be tried now."""
    system.deliveries.filter(state__in=[State.WAITING, State.FAILED], due_at__isnull=False).update(
        due_at=timezone.now(), attempts=0
    )


def _hand_over(delivery: CaseDelivery) -> None:
    system, conversation = delivery.case_system, delivery.conversation
    if not system.is_active:
        # Attempts are counted while somebody is there to answer.
        delivery.finish(
            due_at=timezone.now() + _WHILE_INACTIVE, cause=Cause.PAUSED, attempts=delivery.attempts - 1
        )
        return
    if (why := _why_not(delivery, conversation)) is not None:
        _end(delivery, why)
        return
    if delivery.attempts > MOST_ATTEMPTS:
        _fail(delivery, Cause.UNEXPECTED)
        return
    try:
        if not delivery.package_name:
            made = packages.make(delivery)
            with blobs.removed_on_failure(str(made["package_name"])):
                delivery.change(**made)
        _CONNECTORS[system.kind].hand_over(system, packages.package_of(delivery))
    except CannotHandOver as error:
        _fail(delivery, error.cause)
    except RenderingFailed:
        _fail(delivery, Cause.PACKAGE)
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
        jobs.log_unexpected(error, case_delivery=delivery.pk)
        _fail(delivery, Cause.UNEXPECTED)
    else:
        _succeed(delivery)


def _why_not(delivery: CaseDelivery, conversation: Conversation) -> Cause | None:
    """Why what was ordered is not to be handed over any more."""
    if delivery.newest_message is None:
        if conversation.registration_state != Conversation.RegistrationState.REGISTERED:
            return Cause.NOT_REGISTERED
        is_done = conversation.state == Conversation.State.DONE
        if delivery.trigger == CaseDelivery.Trigger.DONE and not is_done:
            return Cause.REOPENED
        if conversation.is_protected and delivery.trigger != CaseDelivery.Trigger.ORDER:
            return Cause.PROTECTED
    usable = case_deliveries.usable_by(conversation.mailbox)
    return None if usable.filter(pk=delivery.case_system_id).exists() else Cause.NOT_ALLOWED


def _end(delivery: CaseDelivery, why: CaseDelivery.Cause) -> None:
    """Stop a delivery: where its mailbox may not hand over, people are to see it; else nobody wants it."""
    is_failed = why == Cause.NOT_ALLOWED
    with transaction.atomic():
        conversation = assignment.locked(delivery.conversation_id)
        with delivery.step() as row:
            row.state = State.FAILED if is_failed else State.WITHDRAWN
            row.cause, row.due_at, row.attempts = why, None, 0
        what = What.CASE_FAILED if is_failed else What.CASE_WITHDRAWN
        assignment.record_event(conversation, what, None, to=delivery.case_system.name)


def _fail(delivery: CaseDelivery, cause: CaseDelivery.Cause) -> None:
    """Try again after a pause that grows; after the last attempt, when somebody says so."""
    is_last = delivery.attempts >= MOST_ATTEMPTS
    with transaction.atomic():
        conversation = assignment.locked(delivery.conversation_id)
        with delivery.step() as row:
            row.state, row.cause = State.FAILED, cause
            row.due_at = None if is_last else _next_attempt(row.attempts)
        if is_last:
            assignment.record_event(conversation, What.CASE_FAILED, None, to=delivery.case_system.name)
        else:
            events.announce(conversation.mailbox_id)
    fields = {"case_delivery": delivery.pk, "cause": cause.value, "attempts": delivery.attempts}
    logger.warning("case_delivery_failed", extra={"fields": fields})


def _next_attempt(attempts: int) -> datetime:
    pause = jobs.pause_after(attempts, first=_FIRST_PAUSE_SECONDS, longest=_LONGEST_PAUSE_SECONDS)
    return timezone.now() + pause


def _succeed(delivery: CaseDelivery) -> None:
    with transaction.atomic():
        conversation = assignment.locked(delivery.conversation_id)
        with delivery.step() as row:
            row.state, row.cause, row.due_at, row.attempts = State.DELIVERED, "", None, 0
            row.delivered_at = timezone.now()
        assignment.record_event(conversation, What.CASE_DELIVERED, None, to=delivery.case_system.name)
        _record(None, "case-delivery-made", delivery, conversation)
    logger.info("case_delivery_made", extra={"fields": {"case_delivery": delivery.pk}})


def _clear(delivery: CaseDelivery) -> None:
    """Remove what is left of a delivery that has come to its end, here and at the connector."""
    try:
        _CONNECTORS[delivery.case_system.kind].remove(delivery.case_system, delivery.pk)
    except CannotHandOver:
        if delivery.attempts < MOST_ATTEMPTS:
            delivery.finish(due_at=_next_attempt(delivery.attempts))
            return
        logger.error("case_delivery_not_cleared", extra={"fields": {"case_delivery": delivery.pk}})
    name = delivery.package_name
    delivery.finish(due_at=None, attempts=0, package_name="")
    blobs.remove(name)


def _locked(delivery_id: UUID, person: Person) -> tuple[Conversation, CaseDelivery]:
    """The conversation and the delivery, locked in that order. Raises `assignment.NotAMember`."""
    keys = CaseDelivery.objects.filter(pk=delivery_id).values_list("conversation_id", flat=True)
    conversation = assignment.locked_for(keys.get(), person)
    return conversation, CaseDelivery.objects.select_for_update().get(pk=delivery_id)


def _end_lease(row: CaseDelivery, *, due_at: datetime) -> None:
    """Whatever a worker does with the row now, it writes nothing of it any more."""
    row.lease = row.lease_until = None
    row.due_at, row.attempts = due_at, 0


def _says(row: CaseDelivery, receipt: Receipt) -> bool:
    if receipt.is_accepted != (row.state == State.ACKNOWLEDGED):
        return False
    return (row.case_number, row.reference, row.refusal) == (
        receipt.case_number,
        receipt.reference,
        receipt.reason,
    )


def _record(actor: Person | None, what: str, row: CaseDelivery, conversation: Conversation) -> None:
    access_log.record(
        actor,
        what,
        conversation.mailbox.participant_id,
        mailbox=conversation.mailbox,
        conversation=conversation,
        delivery=str(row.pk),
        case_system=str(row.case_system.key),
    )
