"""Rules and messages for the tests of rules on arrival."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from mailbox.arrival_rules.decision import Actions, Conditions
from mailbox.delivery.inbound import deliver
from mailbox.models import (
    ArrivalRule,
    ArrivalTurn,
    Conversation,
    FunctionMailbox,
    LoginSession,
    Message,
    Person,
)
from tests.transport.protocol.build import a_message
from transport.message_service.client_port import Delivered
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import BytesContent, File, Identifier, Reference
from transport.protocol.sdk_message.message import Person as AddressedPerson

HERE = "0203:habo.se"
SENDER = "0203:af.se"


def a_rule(
    mailbox: FunctionMailbox,
    name: str = "Regel",
    *,
    when: Conditions | None = None,
    stops: bool = False,
    is_enabled: bool = True,
    is_move_confirmed: bool = True,
    **actions: Any,
) -> ArrivalRule:
    """A rule after the others, whose move is confirmed."""
    row = ArrivalRule.objects.create(
        mailbox=mailbox,
        position=mailbox.arrival_rules.count() + 1,
        name=name,
        stops=stops,
        is_enabled=is_enabled,
        is_move_confirmed=is_move_confirmed,
        conditions=(when or Conditions()).as_json(),
        actions=Actions(**actions).as_json(),
    )
    ArrivalTurn.objects.create(rule=row)
    return row


def delivered(
    *,
    subject: str = "Kallelse",
    conversation: str = "",
    is_confidential: bool = False,
    our_reference: str = "",
    their_reference: str = "",
    person: str = "",
    file: tuple[str, str] | None = None,
    sender: str = SENDER,
    participant: str = HERE,
    **changes: Any,
) -> Delivered:
    """A message to the function `funktion-b`."""
    files = (File(*file, BytesContent(b"%PDF")),) if file else ()
    message = a_message(recipient=ParticipantId(participant), files=files, **changes)
    header = message.header
    recipient, sent_by = header.recipient.attention, header.sender.attention
    header = replace(
        header,
        label=subject,
        is_confidential=is_confidential,
        conversation_id=conversation or str(uuid.uuid4()),
        recipient=replace(
            header.recipient,
            attention=replace(
                recipient,
                references=(Reference(Identifier("dnr", our_reference), None),) if our_reference else (),
                persons=(AddressedPerson(None, person),) if person else (),
            ),
        ),
        sender=replace(
            header.sender,
            attention=replace(
                sent_by,
                references=(Reference(Identifier("dnr", their_reference), None),) if their_reference else (),
            ),
        ),
    )
    return Delivered(participant, replace(message, header=header), sender, timezone.now())


def arrives(**changes: Any) -> Conversation:
    """The conversation of a message that has arrived."""
    item = delivered(**changes)
    deliver([item])
    return Message.objects.get(message_id=item.message.header.message_id).conversation


def logs_in(person: Person, *, idle: timedelta = timedelta()) -> None:
    """The person is logged in, and has done nothing for so long."""
    key = uuid.uuid4().hex
    until = timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE) - idle
    Session.objects.create(session_key=key, session_data="", expire_date=until)
    LoginSession.objects.create(session_key=key, person=person)


def history(conversation: Conversation) -> list[tuple[str, str, str]]:
    """What rules did, to what, and their names."""
    rows = conversation.events.exclude(rule_name="").order_by("pk")
    return list(rows.values_list("what", "to", "rule_name"))
