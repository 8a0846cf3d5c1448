"""Sending automatic answers: a worker claims what is due, looks again whether it is wanted, and orders it.

Nobody has written or approved it, so nothing is changed that a person has done or has to do: the conversation
stays unread, unassigned, in its list and place, and its time limits run on. Locks are taken in one order:
conversation, automatic answer, guard.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailbox import events
from mailbox.conversations import assignment
from mailbox.models import (
    AutomaticAnswer,
    AutomaticAnswerSetting,
    Conversation,
    ConversationEvent,
    Document,
    Message,
)
from mailbox.search import index
from mailbox.staffed_hours import calendars
from transport import jobs, queues
from transport.jobs import LeaseLost
from transport.message_service.api import SYSTEM, CharacterNotAllowed, orders

from . import decision, limits, message
from .ordering import SEND_DUE

Outcome = AutomaticAnswer.Outcome
_MOST_ATTEMPTS: Final = 10
# Who wrote so long ago has learnt by now that nobody is there.
_OLDEST: Final = timedelta(hours=24)


def send_due() -> None:
    """Send the automatic answers that are due."""
    queues.work_through(AutomaticAnswer, _send_all, SEND_DUE)


def sweep() -> None:
    """Wake a worker for answers that no worker holds."""
    queues.sweep_queue(AutomaticAnswer, SEND_DUE)


def _send_all(answers: list[AutomaticAnswer]) -> None:
    for answer in answers:
        try:
            _send(answer)
        except (LeaseLost, DatabaseError):
            # Another worker has it, or will: its lease ends.
            continue
        except Exception as error:  # noqa: BLE001 - an unforeseen error must not repeat for ever
            jobs.log_unexpected(error, automatic_answer=answer.pk)
            _postpone(answer)


def _send(answer: AutomaticAnswer) -> None:
    with transaction.atomic():
        conversation = Conversation.objects.select_for_update().filter(pk=answer.conversation_id).first()
        if conversation is None:
            return
        with answer.step() as row:
            row.outcome = _outcome_of(row, conversation, timezone.now())
            row.settled_at, row.due_at = timezone.now(), None


def _outcome_of(answer: AutomaticAnswer, conversation: Conversation, now: datetime) -> str:
    """Send the answer if it is still wanted; what became of it."""
    setting = AutomaticAnswerSetting.objects.filter(mailbox=answer.mailbox_id).first()
    if setting is None or not setting.text or not answer.mailbox.is_open:
        return Outcome.SWITCHED_OFF
    if conversation.mailbox_id != answer.mailbox_id:
        return Outcome.MOVED
    if now - answer.answers.at > _OLDEST:
        return Outcome.TOO_OLD
    if not decision.period_of(setting).covers(now, calendars.calendar_of(answer.mailbox)):
        return Outcome.SWITCHED_OFF if setting.mode == decision.Mode.OFF else Outcome.STAFFED
    later = conversation.messages.filter(direction=Message.Direction.OUT, pk__gt=answer.answers_id)
    if conversation.state != Conversation.State.OPEN or later.exists():
        return Outcome.HANDLED
    reason = limits.reason_to_leave_out(answer, now)
    if reason:
        return reason
    try:
        with transaction.atomic(), override(settings.LANGUAGE_CODE):
            _order(answer, conversation, setting.text)
    except (orders.MessageInvalid, orders.SenderUnknown, CharacterNotAllowed) as error:
        jobs.log_unexpected(error, automatic_answer=answer.pk)
        return Outcome.FAILED
    return Outcome.SENT


def _order(answer: AutomaticAnswer, conversation: Conversation, text: str) -> None:
    """Order the message, and store it in its conversation."""
    content = message.answer_to(answer.answers, conversation, text)
    orders.order(content, actor=SYSTEM)
    header, answered = content.header, answer.answers
    row = Message.objects.create(
        conversation=conversation,
        direction=Message.Direction.OUT,
        message_id=UUID(header.message_id),
        ref_to_message_id=answered.message_id,
        subject=header.label or "",
        is_confidential=False,
        is_automatic=True,
        counterpart_participant=answered.counterpart_participant,
        counterpart_organisation=answered.counterpart_organisation,
        counterpart_address=answered.counterpart_address,
        counterpart_function=answered.counterpart_function,
        at=header.created_at,
        delivery_state="SCHEDULED",
    )
    Document.objects.create(
        message=row, position=1, name=_("Automatiskt svar"), texts=list(content.documents[0].texts)
    )
    conversation.message_count += 1
    conversation.save(update_fields=["message_count"])
    assignment.record_event(conversation, ConversationEvent.What.ANSWERED_AUTOMATICALLY, None)
    index.add(row)
    events.announce(conversation.mailbox_id)


def _postpone(answer: AutomaticAnswer) -> None:
    """Try again later, or no more after many attempts."""
    now = timezone.now()
    try:
        if answer.attempts < _MOST_ATTEMPTS:
            answer.finish(due_at=now + jobs.pause_after(answer.attempts))
        else:
            answer.finish(due_at=None, outcome=Outcome.FAILED, settled_at=now)
    except LeaseLost:
        return
