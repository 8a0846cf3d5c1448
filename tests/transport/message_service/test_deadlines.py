"""Receipts that do not come in time: the sender is told, and a late one still counts."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from mailbox.delivery.ladder import ladder_of, short_state
from mailbox.models import Conversation, ConversationEvent, Message
from mailbox.workplace.inbox import View, not_delivered, page_of
from tests.mailbox.build import a_member
from transport.access_point import outbound as access_point_sending
from transport.access_point.models import OutboundTransfer
from transport.message_service import orders, outbound
from transport.message_service.models import OutgoingMessage
from transport.message_service.tracking import deadlines
from transport.message_service.tracking.deliveries import delivery_of

pytestmark = pytest.mark.xdist_group("federation-messages")


@pytest.fixture
def clock(monkeypatch):
    """Set the clock forward."""
    now = timezone.now

    def forward(**span) -> None:
        monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(**span))

    return forward


@pytest.fixture
def kept(world):
    """A message that was sent from the sender's mailbox, as its conversation has it."""
    message = world.message()
    message_id = orders.order(message, actor="Karin")
    conversation = Conversation.objects.create(
        mailbox=world.sender.mailbox,
        conversation_id=message.header.conversation_id,
        subject="Kallelse",
        counterpart="Mottagare",
        last_activity_at=timezone.now(),
        is_waiting=True,
        has_sent=True,
        state=Conversation.State.DONE,
    )
    return Message.objects.create(
        conversation=conversation,
        direction=Message.Direction.OUT,
        message_id=message_id,
        is_confidential=True,
        counterpart_participant=world.recipient.participant.value,
        counterpart_organisation="Mottagare",
        at=timezone.now(),
        delivery_state="SCHEDULED",
    )


def ladder_now(world, message: Message):
    return ladder_of(delivery_of(world.sender.participant.value, message.message_id))


def events(message: Message) -> list[str]:
    row = OutgoingMessage.objects.get(message_id=message.message_id)
    return [event.name for event in row.events.all()]


def happened(message: Message) -> list[str]:
    return [event.what for event in ConversationEvent.objects.filter(conversation=message.conversation)]


def listed_as_not_delivered(world) -> list[int]:
    person = a_member("Karin", world.sender.mailbox)
    return [row.pk for row in not_delivered(person)]


def in_inbox(world, message: Message) -> bool:
    person = a_member("Karin", world.sender.mailbox)
    rows = page_of(world.sender.mailbox, person, view=View.INBOX).rows
    return message.conversation_id in [row.pk for row in rows]


def test_without_a_transport_receipt_in_time_the_sender_is_told_and_a_late_one_settles_it(
    world, kept, clock, settings
):
    seconds = settings.SDK_TRANSPORT_DEADLINE_SECONDS
    clock(seconds=seconds - 5)
    assert deadlines.mark_overdue() == 0
    assert not in_inbox(world, kept)
    clock(seconds=seconds + 5)
    assert [deadlines.mark_overdue(), deadlines.mark_overdue()] == [1, 0]
    assert events(kept) == ["SCHEDULED", "TRANSPORT_RECEIPT_MISSING"]
    ladder = ladder_now(world, kept)
    assert ladder.problem.startswith("Meddelandet har inte kommit fram i tid.")
    assert "Transportkvittens saknas" in [name for _, name, _ in ladder.history]
    assert in_inbox(world, kept)
    assert listed_as_not_delivered(world) == [kept.conversation_id]
    assert happened(kept) == ["overdue"]
    kept.refresh_from_db()
    assert short_state(kept.delivery_state, is_receipt_missing=kept.is_receipt_missing) == (
        "Har inte kommit fram än"
    )
    assert kept.delivery_state == "SCHEDULED"
    world.pump()
    assert ladder_now(world, kept).problem == ""
    kept.refresh_from_db()
    assert (kept.delivery_state, kept.is_receipt_missing) == ("ACCEPTED", False)
    assert not in_inbox(world, kept)
    assert listed_as_not_delivered(world) == []
    kept.conversation.refresh_from_db()
    assert kept.conversation.is_waiting


def test_without_a_message_receipt_in_time_the_sender_is_told_and_a_late_one_settles_it(
    world, kept, clock, settings
):
    outbound.seal_and_submit(OutgoingMessage.objects.get().pk)
    access_point_sending.send(OutboundTransfer.objects.get().pk)
    clock(seconds=settings.SDK_RECEIPT_DEADLINE_SECONDS - 5)
    assert deadlines.mark_overdue() == 0
    clock(seconds=settings.SDK_RECEIPT_DEADLINE_SECONDS + 5)
    assert [deadlines.mark_overdue(), deadlines.mark_overdue()] == [1, 0]
    ladder = ladder_now(world, kept)
    assert ladder.problem.startswith("Kvittens saknas")
    assert ladder.may_be_sent_again
    kept.refresh_from_db()
    assert kept.delivery_state == "WAITING_FOR_RECEIPT"
    assert short_state(kept.delivery_state, is_receipt_missing=kept.is_receipt_missing) == "Kvittens saknas"
    assert in_inbox(world, kept)
    kept.conversation.refresh_from_db()
    assert kept.conversation.state == Conversation.State.OPEN
    assert kept.conversation.last_activity_at > kept.at + timedelta(seconds=100)
    world.pump()
    kept.refresh_from_db()
    assert (kept.delivery_state, kept.is_receipt_missing) == ("ACCEPTED", False)
    assert events(kept)[-2:] == ["RECEIPT_MISSING", "ACCEPTED"]
    assert not in_inbox(world, kept)


def test_what_got_there_and_was_answered_in_time_is_never_called_overdue(world, kept, clock):
    world.pump()
    clock(days=2)
    assert deadlines.mark_overdue() == 0
    assert "RECEIPT_MISSING" not in events(kept)
    assert happened(kept) == []


def test_what_failed_comes_back_once_and_is_not_called_overdue_too(world, kept, clock):
    world.federation.change_participant(world.recipient.participant.value, published=False)
    world.pump()
    clock(days=2)
    assert deadlines.mark_overdue() == 0
    assert happened(kept) == ["undelivered"]
    assert in_inbox(world, kept)
    assert listed_as_not_delivered(world) == [kept.conversation_id]


def test_only_the_latest_sent_message_makes_a_conversation_one_that_was_not_delivered(world, kept):
    later = Message.objects.get(pk=kept.pk)
    later.pk, later.message_id, later.at = None, uuid.uuid4(), timezone.now()
    later.delivery_state = "ACCEPTED"
    later.save()
    world.federation.change_participant(world.recipient.participant.value, published=False)
    world.pump()
    kept.refresh_from_db()
    assert kept.delivery_state == "MESSAGE_EXCHANGE_ERROR"
    assert listed_as_not_delivered(world) == []


def test_a_late_receipt_leaves_alone_what_somebody_has_answered_meanwhile(world, kept, clock, settings):
    outbound.seal_and_submit(OutgoingMessage.objects.get().pk)
    access_point_sending.send(OutboundTransfer.objects.get().pk)
    clock(seconds=settings.SDK_RECEIPT_DEADLINE_SECONDS + 5)
    deadlines.mark_overdue()
    later = Message.objects.get(pk=kept.pk)
    later.pk, later.direction, later.at = None, Message.Direction.IN, timezone.now()
    later.save()
    world.pump()
    kept.conversation.refresh_from_db()
    assert not kept.conversation.is_waiting
