"""People, mailboxes and messages for the tests of administration."""

import uuid

from django.utils import timezone

from mailbox.delivery.inbound import deliver
from mailbox.models import FunctionMailbox, Membership, Message, OrganisationRole, Person
from tests.transport.protocol.build import a_message
from transport.message_service.client_port import Delivered
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import BytesContent, File

HERE = "0203:habo.se"
A_FILE = (File("a.pdf", "application/pdf", BytesContent(b"%PDF-1")),)


def a_person(name: str = "Någon") -> Person:
    return Person.add(uuid.uuid4().hex, name)[0]


def a_member(*mailboxes: FunctionMailbox, name: str = "Karin", **membership: object) -> Person:
    person = a_person(name)
    for mailbox in mailboxes:
        Membership.objects.create(person=person, mailbox=mailbox, **membership)
    return person


def with_role(role: str, *organisations: str, name: str = "Eva") -> Person:
    person = a_person(name)
    for participant_id in organisations or (HERE,):
        OrganisationRole.objects.create(person=person, participant_id=participant_id, role=role)
    return person


def a_message_in(mailbox: FunctionMailbox) -> Message:
    """A message that has arrived: the mailbox has to be that of the address `funktion-b`."""
    message = a_message(recipient=ParticipantId(mailbox.participant_id), files=A_FILE)
    deliver([Delivered(mailbox.participant_id, message, "0203:af.se", timezone.now())])
    return Message.objects.get(message_id=message.header.message_id)


def log_in(client, person: Person) -> None:
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
