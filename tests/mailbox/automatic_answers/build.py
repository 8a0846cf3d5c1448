"""Mailboxes that answer automatically, and messages to them."""

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from mailbox.automatic_answers import sending
from mailbox.delivery.inbound import deliver
from mailbox.models import AutomaticAnswerSetting, FunctionMailbox, Message, StaffedHours
from tests.transport.protocol.build import a_message
from transport.message_service.client_port import Delivered
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import Identifier

HERE, THERE = "0203:habo.se", "0203:arbetsformedlingen.se"
NEVER: list[list[list[int]]] = [[]] * 7
ALWAYS = [[[0, 1440]]] * 7


def answers_automatically(
    mailbox: FunctionMailbox,
    *,
    week: list[Any] | None = None,
    text: str = "Vi är åter på måndag.",
    **values: Any,
) -> AutomaticAnswerSetting:
    """The mailbox answers outside its hours: nobody is ever there, without others; `[]` sets none."""
    if week is None or week:
        StaffedHours.objects.update_or_create(
            participant_id=mailbox.participant_id,
            mailbox=mailbox,
            defaults={"week": NEVER if week is None else week, "is_closed_on_holidays": False},
        )
    row, _ = AutomaticAnswerSetting.objects.update_or_create(
        mailbox=mailbox,
        defaults={"mode": "hours", "text": text, "changed_at": timezone.now(), **values},
    )
    return row


def delivered(
    *,
    conversation: str = "",
    subject: str = "Fråga",
    is_confidential: bool = False,
    system: tuple[str, str] | None = None,
    sender: str = THERE,
    at: datetime | None = None,
    participant: str = HERE,
    **changes: Any,
) -> Delivered:
    """A message to the function `funktion-b`, in a conversation of its own."""
    message = a_message(recipient=ParticipantId(participant), sender=ParticipantId(sender), **changes)
    header = replace(
        message.header,
        label=subject,
        is_confidential=is_confidential,
        conversation_id=conversation or str(uuid.uuid4()),
        generating_system=Identifier(*system) if system else None,
    )
    return Delivered(participant, replace(message, header=header), sender, at or timezone.now())


def arrives(**changes: Any) -> Message:
    """A message that has arrived; its automatic answer is not sent yet."""
    item = delivered(**changes)
    with transaction.atomic():
        deliver([item])
    return Message.objects.get(message_id=item.message.header.message_id, direction=Message.Direction.IN)


def answer_to(**changes: Any) -> Message | None:
    """The automatic answer to a message that arrives; None where there is none."""
    message = arrives(**changes)
    sending.send_due()
    return message.conversation.messages.filter(
        direction=Message.Direction.OUT, is_automatic=True, ref_to_message_id=message.message_id
    ).first()
