"""Ordering that conversations are handed over to a case system: by a caseworker, or by themselves when they
are registered or done. `mailbox.case_systems` hands them over.

An order that is repeated before its package is made, or that would bring the case system nothing new, is the
order that there is already. The conversation is locked first.
"""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from mailbox import access_log
from mailbox.models import (
    CaseDelivery,
    CaseSystem,
    CaseSystemMailbox,
    Conversation,
    ConversationEvent,
    FunctionMailbox,
    Person,
)
from transport.jobs import task_named, wake

from . import assignment

State = CaseDelivery.State
# What was marked as done can be undone for a while; until then nothing leaves by itself.
_AFTER_DONE: Final = timedelta(seconds=60)
_WORK_ON: Final = task_named("mailbox.tasks.work_on_case_delivery")


class NotRegistered(Exception):
    """The conversation is not registered with a case number, or a message of it is not."""


class NotAllowed(Exception):
    """The mailbox may not hand over to that case system, or nothing is handed over to it now."""


def usable_by(mailbox: FunctionMailbox) -> QuerySet[CaseSystem]:
    """The case systems that the mailbox may hand conversations over to now."""
    return CaseSystem.objects.filter(
        mailboxes__mailbox=mailbox,
        participant_id=mailbox.participant_id,
        is_enabled=True,
        is_confirmed=True,
    )


def order(conversation_id: int, person: Person, case_system_id: int) -> CaseDelivery:
    """Order that the conversation is handed over. Raises `NotRegistered`, `NotAllowed` and
    `assignment.NotAMember`."""
    with transaction.atomic():
        row = assignment.locked_for(conversation_id, person)
        if row.registration_state != Conversation.RegistrationState.REGISTERED:
            raise NotRegistered
        system = usable_by(row.mailbox).filter(pk=case_system_id).first()
        if system is None:
            raise NotAllowed
        open_one = _open_delivery(row, system)
        return open_one or _create(row, system, person, CaseDelivery.Trigger.ORDER)


def order_by_itself(row: Conversation, trigger: CaseDelivery.Trigger) -> None:
    """Order what the mailbox has handed over at registration, or when a conversation is done; the caller has
    locked the conversation and saved its state. A protected one is handed over by order alone."""
    if row.is_protected or row.registration_state != Conversation.RegistrationState.REGISTERED:
        return
    if trigger == CaseDelivery.Trigger.DONE and row.state != Conversation.State.DONE:
        return
    systems = usable_by(row.mailbox).filter(
        pk__in=CaseSystemMailbox.objects.filter(mailbox=row.mailbox_id, delivers_at=trigger.value).values(
            "case_system"
        )
    )
    for system in systems:
        if not _has_all(row, system):
            _create(row, system, None, trigger)


def _has_all(row: Conversation, system: CaseSystem) -> bool:
    """Whether the case system has every message of the conversation, or will get it."""
    if _open_delivery(row, system) is not None:
        return True
    got = row.case_deliveries.filter(case_system=system, state=State.ACKNOWLEDGED)
    return bool(got.filter(newest_message__gte=_newest_message(row)).exists())


def _open_delivery(row: Conversation, system: CaseSystem) -> CaseDelivery | None:
    """The delivery that has, or will have, every message, and has not been acknowledged or refused."""
    newest = _newest_message(row)
    for delivery in row.case_deliveries.filter(case_system=system, state__in=CaseDelivery.OPEN_STATES):
        is_whole = delivery.newest_message is None or delivery.newest_message >= newest
        if is_whole and not delivery.is_refused:
            return delivery
    return None


def _newest_message(row: Conversation) -> int:
    return row.messages.aggregate(newest=Max("pk"))["newest"] or 0


def _create(
    row: Conversation, system: CaseSystem, person: Person | None, trigger: CaseDelivery.Trigger
) -> CaseDelivery:
    now = timezone.now()
    is_later = trigger == CaseDelivery.Trigger.DONE
    made = CaseDelivery.objects.create(
        conversation=row,
        case_system=system,
        ordered_by=person,
        ordered_at=now,
        trigger=trigger,
        due_at=now + _AFTER_DONE if is_later else now,
    )
    assignment.record_event(row, ConversationEvent.What.CASE_ORDERED, person, to=system.name)
    access_log.record(
        person,
        "case-delivery-ordered",
        row.mailbox.participant_id,
        mailbox=row.mailbox,
        conversation=row,
        delivery=str(made.pk),
        case_system=str(system.key),
        trigger=trigger.value,
    )
    if not is_later:
        wake(_WORK_ON, made.pk)
    return made
