"""Mailboxes, conversations and departments for the tests of statistics."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest import mock
from zoneinfo import ZoneInfo

from django.utils import timezone

from mailbox.daily_figures import storage
from mailbox.models import (
    Conversation,
    ConversationEvent,
    Department,
    DepartmentLeader,
    DepartmentMailbox,
    FunctionMailbox,
    Membership,
    Message,
    OrganisationRole,
    Person,
    RegisteredMessage,
    Registration,
    TimeLimit,
)

HERE = "0203:habo.se"
SWEDEN = ZoneInfo("Europe/Stockholm")


def at(day: str, clock: str = "12:00") -> datetime:
    """A moment by a Swedish clock."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SWEDEN)


@contextmanager
def clock(moment: datetime) -> Iterator[None]:
    """Let it be a moment."""
    with mock.patch.object(timezone, "now", return_value=moment):
        yield


def a_mailbox(name: str, participant_id: str = HERE, **values) -> FunctionMailbox:
    return FunctionMailbox.objects.create(
        participant_id=participant_id, address=f"sdk:{name}", name=name, **values
    )


def a_conversation(mailbox: FunctionMailbox, **values) -> Conversation:
    values = {"last_activity_at": at("2026-03-02")} | values
    return Conversation.objects.create(
        mailbox=mailbox, conversation_id=uuid.uuid4(), counterpart="X", **values
    )


def a_message(conversation: Conversation, when: datetime, direction: str = "in", of: str = "af") -> Message:
    return Message.objects.create(
        conversation=conversation,
        direction=direction,
        message_id=uuid.uuid4(),
        is_confidential=False,
        at=when,
        counterpart_participant=f"0203:{of}.se",
        counterpart_organisation=of.upper(),
    )


def messages(mailbox: FunctionMailbox, count: int, day: str = "2026-03-02", of: str = "af") -> None:
    """So many messages that arrived on a day, each in a conversation of its own."""
    for _ in range(count):
        a_message(a_conversation(mailbox), at(day), of=of)


def registered(message: Message, kind: str = "case") -> None:
    """Register a message, whatever it was before."""
    RegisteredMessage.objects.filter(message=message).update(is_current=False)
    registration = Registration.objects.create(
        conversation=message.conversation, kind=kind, by=a_person("Registrator"), at=message.at
    )
    RegisteredMessage.objects.create(message=message, registration=registration)


def done(conversation: Conversation, when: datetime) -> None:
    ConversationEvent.objects.create(conversation=conversation, at=when, what="done")


def a_limit(conversation: Conversation, kind: str, began: datetime, *, missed: bool) -> None:
    limit = began + timedelta(hours=8)
    ended = limit + timedelta(hours=1 if missed else -1)
    TimeLimit.objects.create(
        conversation=conversation, kind=kind, began_at=began, limit_at=limit, ended_at=ended
    )


def a_person(name: str = "Någon") -> Person:
    return Person.add(uuid.uuid4().hex, name)[0]


def workers(mailbox: FunctionMailbox, count: int) -> None:
    for number in range(count):
        Membership.objects.create(person=a_person(f"Person {number}"), mailbox=mailbox)


def an_administrator(participant_id: str = HERE, name: str = "Eva") -> Person:
    person = a_person(name)
    OrganisationRole.objects.create(person=person, participant_id=participant_id)
    return person


def a_department(
    name: str, *mailboxes: FunctionMailbox, parent: Department | None = None, participant_id: str = HERE
) -> Department:
    row = Department.objects.create(participant_id=participant_id, name=name, parent=parent)
    for mailbox in mailboxes:
        DepartmentMailbox.objects.create(department=row, mailbox=mailbox)
    return row


def a_leader(*departments: Department, name: str = "Lena") -> Person:
    person = a_person(name)
    for row in departments:
        DepartmentLeader.objects.create(department=row, person=person)
    return person


def counted() -> None:
    """Count all figures, as a worker does at night."""
    assert storage.recount_all() == FunctionMailbox.objects.count()
