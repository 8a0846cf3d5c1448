"""What is answered automatically, what the answer says, and what it leaves as it was."""

from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailbox import access
from mailbox.administration import alarms
from mailbox.automatic_answers import decision, ordering, sending
from mailbox.automatic_answers.decision import Period
from mailbox.conversations import assignment, history, state_changes
from mailbox.delivery.inbound import deliver
from mailbox.delivery.status import update
from mailbox.drafts import composer, send_order
from mailbox.models import (
    AutomaticAnswer,
    Conversation,
    Document,
    FunctionMailbox,
    Message,
    ReadMark,
    Registration,
    ServiceLevels,
    TimeLimit,
)
from mailbox.protection import acts
from mailbox.registration import entries
from mailbox.staffed_hours.calendar import Calendar, Hours
from mailbox.statistics.figures import statistics
from mailbox.workplace import inbox
from tests.mailbox.arrival_rules.build import a_rule
from tests.mailbox.build import a_member
from transport import unit_of_work
from transport.message_service.api import MessageKey
from transport.message_service.models import OutgoingMessage
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.document import read_message
from transport.storage import blobs

from .build import ALWAYS, HERE, THERE, answer_to, answers_automatically, arrives, delivered

pytestmark = pytest.mark.django_db
SWEDEN = ZoneInfo("Europe/Stockholm")
OFFICE = Calendar(week=((Hours(480, 1020),),) * 5 + ((), ()))
Outcome = AutomaticAnswer.Outcome


def wire_form(answer: Message):
    """The message as it is sent."""
    row = OutgoingMessage.objects.get(message_id=answer.message_id)
    with (
        blobs.open_stored(row.payload_name, row.payload_binding) as source,
        TemporaryDirectory() as directory,
    ):
        return read_message(source, Path(directory))


def outcome() -> str:
    return AutomaticAnswer.objects.get().outcome


def test_what_arrives_outside_staffed_hours_is_answered_with_the_mailboxs_text(mailbox):
    answers_automatically(mailbox)
    answer = answer_to()
    assert (answer.subject, answer.is_automatic, answer.written_by) == ("Automatiskt svar", True, None)
    assert "Vi är åter på måndag." in Document.objects.get(message=answer).texts[0]
    assert answer.counterpart_address == "funktion-a"
    row = OutgoingMessage.objects.get()
    assert (row.recipient, row.handling_service_id, row.is_receipt) == (THERE, "funktion-a", False)
    lines = [text for _, text in history.lines_of(history.events_of(answer.conversation))]
    assert "Ett automatiskt svar skickades" in lines


def test_the_answer_is_marked_as_automatic_and_has_nothing_of_the_question(mailbox):
    answers_automatically(mailbox)
    answer = answer_to(subject="Orosanmälan", text="Om Kalle", is_confidential=True)
    header = wire_form(answer).header
    assert (header.generating_system.root, header.generating_system.extension) == (
        "sdkportal",
        "auto-replied",
    )
    assert decision.is_marked(header)
    assert header.label == "Automatiskt svar"
    assert not header.is_confidential
    assert header.ref_to_message_id == str(answer.ref_to_message_id)
    for party in (header.recipient, header.sender):
        assert (party.attention.persons, party.attention.references) == ((), ())
    told = wire_form(answer).documents[0].texts[0]
    assert "Kalle" not in told
    assert "Orosanmälan" not in told


def test_what_arrives_in_staffed_hours_is_not_answered(mailbox):
    answers_automatically(mailbox, week=ALWAYS)
    assert answer_to() is None
    assert not AutomaticAnswer.objects.exists()


def test_a_mailbox_without_the_setting_costs_one_query_and_one_with_it_no_query_per_message(mailbox):
    def queries(number: int) -> int:
        batch = [delivered() for _ in range(number)]
        with CaptureQueriesContext(connection) as found, unit_of_work.unit_of_work():
            deliver(batch)
        # A data key that may still be rolled back is fetched each time.
        return sum("at_rest_datakey" not in query["sql"] for query in found)

    queries(1)
    without = queries(1)
    assert queries(10) == without
    answers_automatically(mailbox)
    with_it = queries(1)
    assert queries(10) == with_it
    assert AutomaticAnswer.objects.count() == 11


def test_in_chosen_days_it_answers_at_all_hours_and_without_staffed_hours(mailbox):
    today = timezone.localdate()
    answers_automatically(mailbox, week=[], mode="days", first_day=today, last_day=today)
    assert answer_to() is not None
    answers_automatically(
        mailbox, week=[], mode="days", first_day=today + timedelta(2), last_day=today + timedelta(3)
    )
    assert answer_to() is None


@pytest.mark.parametrize(
    ("at", "is_answered"),
    [
        ((2026, 10, 23, 16, 59), False),
        ((2026, 10, 23, 17, 0), True),
        # The clock is set back on Sunday at 03:00, and forward on the last Sunday of March.
        ((2026, 10, 25, 2, 30), True),
        ((2026, 10, 26, 7, 59), True),
        ((2026, 10, 26, 8, 0), False),
        ((2027, 3, 28, 3, 30), True),
        ((2027, 3, 30, 8, 0), False),
        ((2026, 12, 24, 10, 0), True),
    ],
)
def test_hours_are_swedish_also_around_the_nights_when_clocks_change(at, is_answered):
    moment = datetime(*at, tzinfo=SWEDEN)
    assert Period("hours").covers(moment, OFFICE) is is_answered


def test_chosen_days_are_swedish_days_on_the_night_when_the_clock_is_set_back():
    night = date(2026, 10, 25)
    period = Period("days", night, night)
    # 25 hours: from 22:00 UTC the day before to 23:00 UTC.
    assert period.covers(datetime(2026, 10, 24, 22, 0, tzinfo=ZoneInfo("UTC")), None)
    assert period.covers(datetime(2026, 10, 25, 22, 59, tzinfo=ZoneInfo("UTC")), None)
    assert not period.covers(datetime(2026, 10, 24, 21, 59, tzinfo=ZoneInfo("UTC")), None)
    assert not period.covers(datetime(2026, 10, 25, 23, 0, tzinfo=ZoneInfo("UTC")), None)
    nights = datetime(2026, 10, 25, 2, 30, tzinfo=SWEDEN)
    staffed = Calendar(week=((),) * 6 + ((Hours(60, 240),),))
    assert not Period("hours").covers(nights.replace(fold=0), staffed)
    assert not Period("hours").covers(nights.replace(fold=1), staffed)


def test_an_answer_changes_nothing_that_people_do_or_wait_for(mailbox):
    karin = a_member("Karin", mailbox)
    ServiceLevels.objects.create(mailbox=mailbox, opened_within_hours=1, answered_within_hours=1)
    answers_automatically(
        mailbox, week=[], mode="days", first_day=timezone.localdate(), last_day=timezone.localdate()
    )
    message = arrives()
    before = Conversation.objects.get()
    sending.send_due()
    row = Conversation.objects.get()
    for name in ("state", "is_waiting", "has_sent", "assignee_id", "last_activity_at", "last_arrived_at"):
        assert getattr(row, name) == getattr(before, name), name
    assert (row.limit_at, row.limit_kind) == (before.limit_at, before.limit_kind)
    assert row.message_count == 2
    assert TimeLimit.objects.filter(ended_at=None).count() == 2
    assert not ReadMark.objects.exists()
    assert list(alarms.unhandled()) == [row]
    now = timezone.now()
    figures = statistics(
        FunctionMailbox.objects.all(), now - timedelta(days=1), now + timedelta(days=1)
    ).figures[0]
    assert (figures.arrived, figures.sent, figures.answered.count) == (1, 0, 0)
    assert history.milestones_of(row)[-1] == ("Ingen har svarat", None)
    (shown,) = inbox.page_of(mailbox, karin).rows
    assert (shown.last_message_id, shown.last_state) == (message.pk, None)


def test_an_answer_does_not_hold_up_what_somebody_has_begun_to_write(mailbox):
    karin = a_member("Karin", mailbox)
    answers_automatically(mailbox)
    message = arrives()
    draft = composer.begin_answer(message, karin)
    sending.send_due()
    assert message.conversation.messages.filter(is_automatic=True).exists()
    assert not send_order.unseen_messages(draft).exists()


def test_an_answer_that_is_not_delivered_does_not_move_the_conversation(mailbox):
    answers_automatically(mailbox)
    answer = answer_to()
    state_changes.finish(answer.conversation_id, a_member("Karin", mailbox))
    OutgoingMessage.objects.update(state="MESSAGE_EXCHANGE_ERROR")
    update([MessageKey(HERE, answer.message_id)])
    row = Conversation.objects.get()
    assert (row.state, row.is_not_delivered) == ("done", False)
    answer.refresh_from_db()
    assert answer.delivery_state == "MESSAGE_EXCHANGE_ERROR"


def test_a_registered_question_is_registered_whole_without_its_automatic_answer(mailbox):
    karin = a_member("Karin", mailbox)
    FunctionMailbox.objects.update(registration_mode="tracked")
    answers_automatically(mailbox)
    answer = answer_to()
    question = Message.objects.get(is_automatic=False)
    entries.register(
        answer.conversation_id, karin, entries.Entry(Registration.Kind.CASE, "KS 1"), message_id=question.pk
    )
    assert Conversation.objects.get().registration_state == "registered"


def test_a_protected_conversation_is_answered_as_others_are(mailbox):
    karin = a_member("Karin", mailbox)
    message = arrives()
    acts.set_named_members(message.conversation_id, karin, [])
    answers_automatically(mailbox)
    answer = answer_to(conversation=str(message.conversation.conversation_id))
    assert answer is not None
    assert access.messages_of(karin).filter(pk=answer.pk).exists()
    assert not access.messages_of(a_member("Ahmed", mailbox)).filter(pk=answer.pk).exists()


def test_a_conversation_that_somebody_has_answered_or_finished_is_left_alone(mailbox):
    answers_automatically(mailbox)
    message = arrives()
    state_changes.finish(message.conversation_id, a_member("Karin", mailbox))
    sending.send_due()
    assert outcome() == Outcome.HANDLED
    assert not OutgoingMessage.objects.exists()


def test_what_has_changed_since_the_message_arrived_is_looked_at_again(mailbox):
    setting = answers_automatically(mailbox)
    arrives()
    setting.mode = ""
    setting.save()
    sending.send_due()
    assert outcome() == Outcome.SWITCHED_OFF
    AutomaticAnswer.objects.update(outcome="", due_at=timezone.now())
    answers_automatically(mailbox, week=ALWAYS)
    sending.send_due()
    assert outcome() == Outcome.STAFFED
    AutomaticAnswer.objects.update(outcome="", due_at=timezone.now())
    answers_automatically(mailbox)
    FunctionMailbox.objects.update(is_open=False)
    sending.send_due()
    assert outcome() == Outcome.SWITCHED_OFF


def test_a_message_of_long_ago_is_not_answered_when_a_node_comes_back(mailbox):
    answers_automatically(mailbox)
    assert answer_to(at=timezone.now() - timedelta(hours=25)) is None
    assert outcome() == Outcome.TOO_OLD


def test_a_moved_conversation_is_not_answered_from_the_mailbox_that_it_left(mailbox):
    answers_automatically(mailbox)
    message = arrives()
    other = FunctionMailbox.objects.create(participant_id=HERE, address="funktion-c", name="Ekonomi")
    karin = a_member("Karin", mailbox, other)
    assignment.move(assignment.locked(message.conversation_id), other, karin)
    sending.send_due()
    assert outcome() == Outcome.MOVED


def test_a_failure_while_ordering_never_stops_the_delivery(mailbox, monkeypatch, caplog):
    answers_automatically(mailbox)
    monkeypatch.setattr(ordering, "_may_be_answered", lambda arrival: 1 / 0)
    arrives()
    assert Message.objects.count() == 1
    assert not AutomaticAnswer.objects.exists()
    assert "automatic_answers_failed" in caplog.messages


def test_a_text_that_cannot_be_sent_ends_the_answer_and_a_fault_of_the_node_is_tried_again(
    mailbox, monkeypatch
):
    answers_automatically(mailbox, text="\x01")
    assert answer_to() is None
    assert outcome() == Outcome.FAILED
    AutomaticAnswer.objects.all().delete()
    answers_automatically(mailbox)

    def full_disk(*_args, **_named):
        raise OSError

    monkeypatch.setattr(sending.orders, "order", full_disk)
    message = arrives()
    sending.send_due()
    row = AutomaticAnswer.objects.get()
    assert (row.outcome, row.attempts) == ("", 1)
    assert row.due_at > timezone.now()
    assert message.conversation.messages.count() == 1
    AutomaticAnswer.objects.update(due_at=timezone.now(), attempts=20)
    sending.send_due()
    assert outcome() == Outcome.FAILED


def test_an_answer_is_sent_once_however_many_workers_come(mailbox):
    answers_automatically(mailbox)
    arrives()
    for _ in range(3):
        sending.send_due()
    assert OutgoingMessage.objects.count() == 1
    row = AutomaticAnswer.objects.get()
    assert (row.outcome, row.due_at, row.lease) == (Outcome.SENT, None, None)
    assert settings.SDK_AUTOMATIC_ANSWERS_PER_HOUR > 0


def test_a_rule_that_moves_a_message_leaves_the_answer_to_the_mailbox_that_gets_it(mailbox):
    other = FunctionMailbox.objects.create(participant_id=HERE, address="funktion-c", name="Ekonomi")
    a_rule(mailbox, "Flytta", move_to=other.pk)
    answers_automatically(mailbox)
    assert answer_to() is None
    answers_automatically(other)
    answer = answer_to()
    assert answer is not None
    header = wire_form(answer).header
    assert header.sender.function_address == "funktion-c"
    assert ParticipantId(HERE).value == header.sender.identifier.extension
