"""People and messages for the tests of the mailbox."""

import uuid

from django.utils import timezone

from mailbox.delivery.inbound import deliver
from mailbox.drafts import composer, send_order
from mailbox.models import Conversation, Draft, FunctionMailbox, Membership, Message, Person
from tests.transport.protocol.build import a_message
from transport.message_service.client_port import Delivered
from transport.protocol.identifiers import ParticipantId


def a_member(name: str, *mailboxes: FunctionMailbox) -> Person:
    person, _ = Person.add(uuid.uuid4().hex, name)
    for mailbox in mailboxes:
        Membership.objects.create(person=person, mailbox=mailbox)
    return person


def log_in(client, person: Person) -> None:
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")


def arrives(mailbox: FunctionMailbox, *, conversation: str = "", **changes) -> Message:
    """A message from Arbetsförmedlingen; the mailbox has to be that of the address `funktion-b`."""
    message = a_message(recipient=ParticipantId(mailbox.participant_id), **changes)
    if conversation:
        header = message.header
        values = {name: getattr(header, name) for name in header.__slots__} | {
            "conversation_id": conversation
        }
        message = message.__class__(header.__class__(**values), message.documents)
    deliver([Delivered(mailbox.participant_id, message, "0203:af.se", timezone.now())])
    return Message.objects.get(message_id=message.header.message_id, direction=Message.Direction.IN)


def send_now(draft_id: int, version: int, content: composer.Content, person: Person) -> Conversation:
    """Save a draft, review it as it is then, and send it at once; the conversation of what was sent."""
    draft = composer.save(draft_id, version, content, person)
    send_order.order(draft.pk, reviewed(draft, is_confirmed=True), person, seconds=0)
    send_order.send_if_due(draft.pk)
    return send_order.sent_from(draft.pk).get().conversation


def reviewed(draft: Draft, **shown) -> send_order.Reviewed:
    """What is sent by somebody who has been shown the draft as it is."""
    keys = frozenset(draft.attachments.values_list("pk", flat=True))
    return send_order.Reviewed(draft.version, keys, **shown)
