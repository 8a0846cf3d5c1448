"""Messages that are delivered together: each as it would be by itself, in as few statements."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailbox.delivery.inbound import deliver
from mailbox.models import Attachment, Conversation, FunctionMailbox, Message, SearchEntry
from tests.transport.protocol.build import a_message
from transport import unit_of_work
from transport.message_service.client_port import Delivered
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import BytesContent, File

pytestmark = pytest.mark.django_db
HERE = "0203:habo.se"


@pytest.fixture
def mailbox():
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


def delivered(conversation: str = "", age: int = 0, **changes) -> Delivered:
    message = a_message(recipient=ParticipantId(HERE), **changes)
    header = replace(message.header, conversation_id=conversation or str(uuid.uuid4()))
    at = timezone.now() - timedelta(minutes=age)
    return Delivered(HERE, replace(message, header=header), "0203:af.se", at)


def test_messages_of_one_new_conversation_are_counted_in_it(mailbox):
    conversation = str(uuid.uuid4())
    batch = [delivered(conversation, age) for age in (3, 2, 1)]
    deliver(batch)
    row = Conversation.objects.get()
    assert (row.message_count, row.last_arrived_at) == (3, batch[-1].arrived_at)
    assert row.messages.count() == SearchEntry.objects.count() == 3


def test_a_message_twice_in_a_batch_is_stored_once(mailbox):
    item = delivered()
    deliver([item, item])
    assert (Message.objects.count(), Conversation.objects.get().message_count) == (1, 1)


def test_a_done_conversation_is_opened_again_by_one_of_a_batch(mailbox):
    conversation = str(uuid.uuid4())
    deliver([delivered(conversation)])
    Conversation.objects.update(state=Conversation.State.DONE, is_waiting=True)
    deliver([delivered(), delivered(conversation)])
    row = Conversation.objects.get(conversation_id=conversation)
    assert (row.state, row.is_waiting, row.message_count) == ("open", False, 2)


def test_files_belong_to_their_own_messages(mailbox):
    names = ["a.pdf", "b.pdf"]
    files = [(File(name, "application/pdf", BytesContent(b"%PDF")),) for name in names]
    deliver([delivered(files=its) for its in files] + [delivered()])
    found = Attachment.objects.order_by("document__message")
    assert [attachment.name for attachment in found] == names
    messages = Message.objects.order_by("pk").select_related("conversation")
    assert [message.conversation.has_attachments for message in messages] == [True, True, False]


def test_a_larger_batch_takes_no_more_statements(mailbox):
    counts = []
    for size in (2, 8):
        batch = [delivered() for _ in range(size)]
        with CaptureQueriesContext(connection) as queries, unit_of_work.unit_of_work():
            deliver(batch)
        # A data key is remembered once its own transaction is committed, and here none is.
        counts.append(sum("at_rest_datakey" not in query["sql"] for query in queries))
    assert counts[0] == counts[1]
