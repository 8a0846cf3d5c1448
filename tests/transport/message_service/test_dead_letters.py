"""What cannot be validated becomes a dead letter, where people see it; it is not validated for ever."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from transport.message_service import inbound, validation
from transport.message_service.models import IncomingMessage
from transport.message_service.tracking import dead_letters
from transport.message_service.tracking.failures import failures_of_last_hour
from transport.protocol.message_receipt import ResponseCode

from .test_receiving import arrived, codes

pytestmark = pytest.mark.xdist_group("federation-messages")


def due(row: IncomingMessage) -> None:
    IncomingMessage.objects.filter(pk=row.pk).update(due_at=timezone.now())


def validated_until_dead_letter(row: IncomingMessage) -> int:
    """How often it was validated."""
    for attempt in range(1, 20):
        due(row)
        inbound.process(row.pk)
        row.refresh_from_db()
        if row.due_at is None:
            return attempt
    raise AssertionError("validated for ever")


@pytest.fixture
def stuck(world, client, settings, monkeypatch) -> IncomingMessage:
    """An arrival whose validation ends in an unforeseen error, once it is opened."""
    settings.SDK_JUDGING_FAILURES = 3

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Karin Svensson's letter")

    monkeypatch.setattr(validation, "read_and_check", fail)
    return arrived(world, world.sealed(world.message())[1])


def test_a_message_that_fails_unexpectedly_becomes_a_dead_letter_with_its_envelope(stuck, world, caplog):
    assert validated_until_dead_letter(stuck) == 3
    assert (stuck.state, stuck.cause, stuck.failures) == ("ERROR", "unexpected", 3)
    assert list(dead_letters.dead_letters([world.recipient.participant.value])) == [stuck]
    assert not dead_letters.dead_letters([world.sender.participant.value])
    assert "Karin" not in caplog.text
    assert [event.name for event in stuck.events.all()] == ["ERROR"]


def test_a_dead_letter_tells_its_administrators_which_error_it_was_without_its_text(stuck):
    validated_until_dead_letter(stuck)
    told = dead_letters.errors_of([stuck])[stuck.pk]
    assert told.startswith("RuntimeError test_dead_letters.py:")
    assert "Karin" not in told


def test_a_dead_letter_counts_as_an_unexpected_failure(stuck):
    validated_until_dead_letter(stuck)
    assert failures_of_last_hour() == {("in", "unexpected"): 1}


def test_a_dead_letter_is_delivered_once_it_can_be(stuck, world, client, monkeypatch):
    validated_until_dead_letter(stuck)
    monkeypatch.undo()
    dead_letters.retry(stuck.pk, actor="Karin")
    world.pump()
    stuck.refresh_from_db()
    assert stuck.is_accepted
    assert len(client.delivered) == 1
    assert not dead_letters.dead_letters()
    with pytest.raises(dead_letters.NotDeadLetter):
        dead_letters.retry(stuck.pk, actor="Karin")


def test_a_dead_letter_that_is_rejected_by_hand_is_answered_without_being_opened(stuck, world, client):
    validated_until_dead_letter(stuck)
    dead_letters.reject(stuck.pk, actor="Karin")
    world.pump()
    stuck.refresh_from_db()
    assert (stuck.state, stuck.cause) == ("MESSAGE_EXCHANGE_ERROR", "rejected: by-hand")
    receipt = world.answer_to(str(stuck.message_id))
    assert receipt.code is ResponseCode.REJECTED
    assert codes(receipt) == {("BV", "not-supported")}
    assert not client.delivered


def test_a_rejection_by_hand_that_fails_too_ends_without_an_answer(stuck, world, monkeypatch):
    validated_until_dead_letter(stuck)
    dead_letters.reject(stuck.pk, actor="Karin")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(validation, "verify_envelope", fail)
    world.pump()
    stuck.refresh_from_db()
    assert (stuck.state, stuck.cause, stuck.due_at) == ("MESSAGE_EXCHANGE_ERROR", "by-hand", None)


def test_what_the_node_itself_lacks_is_waited_for(stuck, monkeypatch):
    def away(*_: object, **__: object) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(validation, "read_and_check", away)
    for _ in range(5):
        due(stuck)
        inbound.process(stuck.pk)
    stuck.refresh_from_db()
    assert (stuck.state, stuck.failures) == ("ARRIVED", 0)
    assert stuck.due_at is not None


def test_a_message_that_workers_die_of_becomes_a_dead_letter(stuck, monkeypatch):
    def die(*_: object, **__: object) -> None:
        raise SystemExit

    monkeypatch.setattr(validation, "read_and_check", die)
    for _ in range(3):
        with pytest.raises(SystemExit):
            inbound.process(stuck.pk)
        IncomingMessage.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    inbound.process(stuck.pk)
    stuck.refresh_from_db()
    assert (stuck.state, stuck.due_at) == ("ERROR", None)
