"""Ordering automatic answers in a delivery's own transaction, once a conversation; it never stops a delivery.

One query where no mailbox answers automatically, and at most four otherwise, however many messages there are.
"""

import logging
from collections.abc import Sequence
from typing import Final, Protocol

from django.utils import timezone

from mailbox import fault_isolation
from mailbox.models import (
    AUTOMATIC_ANSWER,
    AutomaticAnswer,
    AutomaticAnswerSetting,
    Conversation,
    FunctionMailbox,
    Message,
)
from mailbox.staffed_hours import calendars
from transport.message_service.api import Header
from transport.queues import wake_queue

from . import decision

logger = logging.getLogger(__name__)
SEND_DUE: Final = "mailbox.tasks.send_automatic_answers"


class Arrived(Protocol):
    """A message that has been stored by the delivery that is going on."""

    mailbox: FunctionMailbox
    conversation: Conversation
    message: Message

    @property
    def header(self) -> Header:
        """The message's header as it came."""


def order_all(arrivals: Sequence[Arrived]) -> None:
    """Order the automatic answers to messages that have just been stored; their conversations are locked."""
    settings = AutomaticAnswerSetting.objects.filter(mailbox__in={arrival.mailbox.pk for arrival in arrivals})
    periods = {
        row.mailbox_id: decision.period_of(row)
        for row in settings.exclude(mode=decision.Mode.OFF).defer("text")
    }
    if periods:
        candidates = [arrival for arrival in arrivals if arrival.mailbox.pk in periods]
        fault_isolation.succeeds(
            lambda: _order(candidates, periods), event="automatic_answers_failed", logger=logger
        )


def _order(arrivals: Sequence[Arrived], periods: dict[int, decision.Period]) -> None:
    found = calendars.calendars_of({arrival.mailbox.pk: arrival.mailbox for arrival in arrivals}.values())
    due = [
        arrival
        for arrival in arrivals
        if periods[arrival.mailbox.pk].covers(arrival.message.at, found.get(arrival.mailbox.pk))
        and _may_be_answered(arrival)
    ]
    answering_ours = _referring_to_automatic_answers(due)
    now = timezone.now()
    rows = [
        AutomaticAnswer(
            conversation=arrival.conversation,
            mailbox=arrival.mailbox,
            answers=arrival.message,
            participant_id=arrival.mailbox.participant_id,
            counterpart_participant=arrival.message.counterpart_participant,
            counterpart_address=arrival.message.counterpart_address,
            ordered_at=now,
            due_at=now,
        )
        for arrival in due
        if arrival.message.pk not in answering_ours
    ]
    if rows:
        # A conversation has one at most, of all its messages and for good.
        AutomaticAnswer.objects.bulk_create(rows, ignore_conflicts=True)
        wake_queue(SEND_DUE)


def _may_be_answered(arrival: Arrived) -> bool:
    """Whether it is no automatic message, and comes from a function that can be written to, not from the
    mailbox's own."""
    header, sender = arrival.header, arrival.header.sender
    participant, address = arrival.message.counterpart_participant, sender.function_address
    own = {arrival.mailbox.address, header.recipient.function_address}
    is_from_itself = participant == arrival.mailbox.participant_id and address in own
    return bool(address) and not is_from_itself and not decision.is_automatic(header)


def _referring_to_automatic_answers(arrivals: Sequence[Arrived]) -> set[int]:
    """The keys of messages that answer an automatic answer of ours, in whatever conversation."""
    references = {
        arrival.message.ref_to_message_id
        for arrival in arrivals
        if arrival.message.ref_to_message_id is not None
    }
    if not references:
        return set()
    organisations = {arrival.mailbox.participant_id for arrival in arrivals}
    ours = Message.objects.filter(
        AUTOMATIC_ANSWER,
        message_id__in=references,
        conversation__mailbox__participant_id__in=organisations,
    )
    known = set(ours.values_list("message_id", flat=True))
    return {arrival.message.pk for arrival in arrivals if arrival.message.ref_to_message_id in known}
