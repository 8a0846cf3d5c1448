"""Rules at a delivery: what each does, what people have decided before, and what goes wrong."""

import logging
import threading
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailbox.arrival_rules import application, availability
from mailbox.arrival_rules.decision import Conditions
from mailbox.conversations import assignment, state_changes, undo
from mailbox.conversations import history as history_in_words
from mailbox.delivery.inbound import deliver
from mailbox.models import (
    AccessLogEntry,
    ArrivalNotice,
    ArrivalRule,
    Assignment,
    Conversation,
    FunctionMailbox,
    Label,
    Labelling,
    Membership,
    Message,
    OrganisationLock,
    Person,
    SearchEntry,
)
from mailbox.staffed_hours import calendars
from mailbox.staffed_hours.calendar import Calendar, Hours
from mailbox.staffed_hours.calendars import Owner
from tests.mailbox.build import a_member
from transport import unit_of_work

from .build import HERE, a_rule, arrives, delivered, history, logs_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(mailbox):
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-c", name="Ekonomi")


def assignees() -> list[Person | None]:
    """Whom each conversation is assigned to, in the order in which their messages arrived."""
    rows = Message.objects.order_by("pk").select_related("conversation__assignee")
    return [message.conversation.assignee for message in rows]


def test_a_message_gets_what_its_rule_says_and_its_history_tells_it(mailbox):
    karin = a_member("Karin", mailbox)
    label = Label.objects.create(mailbox=mailbox, name="Barn")
    a_rule(
        mailbox,
        "Oro",
        when=Conditions(words=("orosanmäl*",)),
        label=label.pk,
        is_priority=True,
        due_days=3,
        assign_to=karin.pk,
        notify=(karin.pk,),
    )
    row = arrives(subject="Orosanmälan")
    due = timezone.localdate() + timedelta(days=3)
    assert (row.is_priority, row.due_on, row.assignee) == (True, due, karin)
    assert list(row.labels.all()) == [label]
    assert Assignment.objects.get(ended_at=None).person == karin
    assert ArrivalNotice.objects.get().person == karin
    assert history(row) == [
        ("labelled", "Barn", "Oro"),
        ("priority", "", "Oro"),
        ("due", due.isoformat(), "Oro"),
        ("taken", "Karin", "Oro"),
        ("rule-notice", "Karin", "Oro"),
    ]
    lines = [line for _, line in history_in_words.lines_of(history_in_words.events_of(row))]
    assert "Regeln ”Oro” satte etiketten Barn" in lines
    assert "Regeln ”Oro” tilldelade den Karin" in lines


def test_what_no_rule_matches_is_as_before(mailbox):
    a_rule(mailbox, when=Conditions(words=("annat",)), is_priority=True)
    a_rule(mailbox, is_enabled=False, is_priority=True)
    row = arrives()
    assert (row.is_priority, history(row)) == (False, [])


def test_a_rule_is_its_mailbox_s_alone(mailbox, other):
    a_rule(other, is_priority=True)
    assert not arrives().is_priority


def test_the_due_day_is_counted_from_the_local_day_also_on_nights_when_clocks_change():
    before_midnight = timezone.datetime.fromisoformat("2026-10-24T22:30:00+00:00")
    assert availability.due_day(before_midnight, 1).isoformat() == "2026-10-26"
    assert availability.due_day(before_midnight - timedelta(hours=1), 1).isoformat() == "2026-10-25"


def test_in_a_conversation_that_goes_on_what_people_decided_stays(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    row = arrives()
    assignment.assign(row.pk, karin)
    day = timezone.localdate() + timedelta(days=1)
    state_changes.set_due_on(row.pk, karin, day)
    a_rule(mailbox, "Svar", assign_to=ahmed.pk, due_days=9, is_priority=True)
    deliver([delivered(conversation=str(row.conversation_id))])
    row.refresh_from_db()
    assert (row.assignee, row.due_on, row.is_priority) == (karin, day, True)
    assert history(row) == [("priority", "", "Svar")]


def test_what_was_done_and_comes_back_is_assigned_anew(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    row = arrives()
    assignment.assign(row.pk, karin)
    state_changes.finish(row.pk, karin)
    a_rule(mailbox, assign_to=ahmed.pk)
    deliver([delivered(conversation=str(row.conversation_id))])
    row.refresh_from_db()
    assert (row.state, row.assignee) == ("open", ahmed)


def test_two_messages_of_a_conversation_in_a_batch_are_assigned_once(mailbox):
    karin = a_member("Karin", mailbox)
    label = Label.objects.create(mailbox=mailbox, name="Barn")
    a_rule(mailbox, assign_to=karin.pk, label=label.pk, due_days=1, is_priority=True)
    conversation = str(uuid.uuid4())
    deliver([delivered(conversation=conversation) for _ in range(2)])
    row = Conversation.objects.get()
    assert (row.message_count, row.assignee) == (2, karin)
    assert [what for what, _, _ in history(row)] == ["labelled", "priority", "due", "taken"]


def test_what_is_delivered_again_is_not_handled_again(mailbox):
    karin = a_member("Karin", mailbox)
    label = Label.objects.create(mailbox=mailbox, name="Barn")
    a_rule(mailbox, label=label.pk, assign_to=karin.pk, notify=(karin.pk,))
    item = delivered()
    deliver([item, item])
    row = Conversation.objects.get()
    assignment.unassign(row.pk, karin)
    Labelling.objects.all().delete()
    deliver([item])
    row.refresh_from_db()
    assert (row.assignee, row.labels.count(), row.message_count) == (None, 0, 1)
    assert len(history(row)) == 3


def test_a_delivery_that_is_rolled_back_leaves_nothing_and_is_done_whole_the_next_time(mailbox, other):
    people = [a_member(name, mailbox) for name in ("Karin", "Ahmed")]
    for person in people:
        logs_in(person)
    a_rule(mailbox, "Tur", assigns_in_turn=True, notify=(people[0].pk,), due_days=1)
    items = [delivered() for _ in range(3)]
    with transaction.atomic():
        with unit_of_work.unit_of_work():
            deliver(items)
        assert Assignment.objects.count() == 3
        # As when the worker is killed before the commit.
        transaction.set_rollback(True)
    assert not Conversation.objects.exists()
    assert not ArrivalNotice.objects.exists()
    assert ArrivalRule.objects.get().turn.person_id == 0
    with unit_of_work.unit_of_work():
        deliver(items)
    assert assignees() == [people[0], people[1], people[0]]
    assert Assignment.objects.count() == 3


def test_a_person_s_change_before_a_rule_s_is_not_undone(mailbox):
    karin = a_member("Karin", mailbox)
    row = arrives()
    event = assignment.assign(row.pk, karin)
    a_rule(mailbox, is_priority=True)
    deliver([delivered(conversation=str(row.conversation_id))])
    with pytest.raises(undo.TooLateToUndo):
        undo.undo(event.pk, karin)


def test_those_who_are_present_are_assigned_in_turn(mailbox):
    karin, ahmed, eva, nils = (a_member(name, mailbox) for name in ("Karin", "Ahmed", "Eva", "Nils"))
    for person in (karin, ahmed, nils):
        logs_in(person)
    logs_in(eva, idle=timedelta(hours=3))
    a_rule(mailbox, "Tur", assigns_in_turn=True, among=(karin.pk, ahmed.pk, eva.pk))
    found = [arrives().assignee for _ in range(4)]
    deliver([delivered() for _ in range(3)])
    assert found == assignees()[:4]
    assert assignees() == [karin, ahmed, karin, ahmed, karin, ahmed, karin]


def test_outside_staffed_hours_nobody_is_assigned_in_turn_and_due_days_are_working_days(mailbox):
    karin = a_member("Karin", mailbox)
    logs_in(karin)
    a_rule(mailbox, assigns_in_turn=True, due_days=1)
    calendars.save(karin, Owner(HERE, mailbox), Calendar())
    assert arrives().assignee is None
    always = (Hours(0, 24 * 60),)
    calendars.save(karin, Owner(HERE, mailbox), Calendar((always,) * 7, is_closed_on_holidays=False))
    assert arrives().assignee == karin
    # Closed tomorrow: the day after is the first working day.
    tomorrow = timezone.localdate() + timedelta(days=1)
    calendars.set_exception(karin, Owner(HERE, mailbox), tomorrow, (), "")
    assert arrives().due_on == tomorrow + timedelta(days=1)


def test_where_nobody_is_present_a_message_is_nobody_s_and_no_turn_is_lost(mailbox):
    karin = a_member("Karin", mailbox)
    rule = a_rule(mailbox, assigns_in_turn=True)
    assert arrives().assignee is None
    rule.refresh_from_db()
    assert (rule.failure_count, rule.turn.person_id) == (0, 0)
    logs_in(karin)
    assert arrives().assignee == karin


def test_who_has_logged_out_is_not_present(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    logs_in(karin)
    logs_in(ahmed)
    karin.login_sessions.all().delete()
    assert availability.present_among([karin.pk, ahmed.pk], timezone.now()) == {ahmed.pk}


def test_a_message_is_moved_before_anybody_sees_it_here(mailbox, other):
    ahmed = a_member("Ahmed", other)
    label = Label.objects.create(mailbox=mailbox, name="Faktura")
    same = Label.objects.create(mailbox=other, name="FAKTURA")
    only_here = Label.objects.create(mailbox=mailbox, name="Bara här")
    a_rule(mailbox, "Sortera", label=only_here.pk)
    a_rule(mailbox, "Fakturor", when=Conditions(words=("faktura",)), move_to=other.pk, label=label.pk)
    a_rule(mailbox, "Sist", is_priority=True)
    a_rule(other, "Deras", assign_to=ahmed.pk)
    row = arrives(subject="Faktura 7")
    assert (row.mailbox, row.assignee, row.is_priority) == (other, None, False)
    assert list(row.labels.all()) == [same]
    assert SearchEntry.objects.get().mailbox == other
    assert history(row) == [
        ("rule-moved", "Mottagning", "Fakturor"),
        ("labelled", "FAKTURA", "Fakturor"),
    ]
    entry = AccessLogEntry.objects.get()
    assert (entry.what, entry.mailbox, entry.actor) == ("moved-by-rule", other, None)
    assert entry.message_id == Message.objects.get().message_id
    # A later one of the same conversation follows it.
    deliver([delivered(subject="Faktura 7", conversation=str(row.conversation_id))])
    row.refresh_from_db()
    assert (row.message_count, Conversation.objects.count()) == (2, 1)


def test_rules_that_would_send_it_round_in_a_circle_move_it_once(mailbox, other):
    a_rule(mailbox, move_to=other.pk)
    a_rule(other, move_to=mailbox.pk)
    row = arrives()
    assert row.mailbox == other
    assert len(history(row)) == 1


def test_a_rule_that_names_its_own_mailbox_moves_nothing(mailbox):
    a_rule(mailbox, move_to=mailbox.pk)
    row = arrives()
    assert (row.mailbox, history(row)) == (mailbox, [])


def test_a_conversation_that_is_here_stays_here(mailbox, other):
    row = arrives()
    a_rule(mailbox, move_to=other.pk, is_priority=True)
    deliver([delivered(conversation=str(row.conversation_id))])
    row.refresh_from_db()
    assert (row.mailbox, row.message_count, row.is_priority) == (mailbox, 2, True)


def test_of_a_new_conversation_in_one_batch_what_follows_one_that_stays_stays(mailbox, other):
    a_rule(mailbox, when=Conditions(words=("faktura",)), move_to=other.pk)
    conversation = str(uuid.uuid4())
    deliver([delivered(conversation=conversation), delivered(conversation=conversation, subject="Faktura")])
    row = Conversation.objects.get()
    assert (row.mailbox, row.message_count) == (mailbox, 2)


def test_a_move_that_nobody_has_confirmed_is_not_made_and_the_rest_is(mailbox, other):
    rule = a_rule(mailbox, move_to=other.pk, is_priority=True, is_move_confirmed=False)
    row = arrives()
    assert (row.mailbox, row.is_priority) == (mailbox, True)
    rule.refresh_from_db()
    assert rule.failure_count == 0


def closed(mailbox, other):
    other.is_open = False
    other.save()
    return {"move_to": other.pk}


def of_another_organisation(mailbox, other):
    other.participant_id = "0203:nagon-annan.se"
    other.save()
    return {"move_to": other.pk}


def label_of_another_mailbox(mailbox, other):
    return {"label": Label.objects.create(mailbox=other, name="Deras").pk}


def label_that_is_gone(mailbox, other):
    return {"label": 4711}


def no_member(mailbox, other):
    return {"assign_to": a_member("Utomstående", other).pk}


def locked_member(mailbox, other):
    person = a_member("Spärrad", mailbox)
    OrganisationLock.objects.create(person=person, participant_id=HERE)
    return {"notify": (person.pk,)}


def ended_member(mailbox, other):
    person = a_member("Slutat", mailbox)
    Membership.objects.filter(person=person).update(ends_at=timezone.now() - timedelta(days=1))
    return {"assigns_in_turn": True, "among": (person.pk,)}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (closed, "target-closed"),
        (of_another_organisation, "target-closed"),
        (label_of_another_mailbox, "label-gone"),
        (label_that_is_gone, "label-gone"),
        (no_member, "not-a-member"),
        (locked_member, "not-a-member"),
        (ended_member, "not-a-member"),
    ],
)
def test_what_a_faulty_rule_cannot_do_is_noted_on_it_and_everything_else_is_done(mailbox, other, fault, code):
    rule = a_rule(mailbox, "Trasig", is_priority=True, **fault(mailbox, other))
    a_rule(mailbox, "Hel", due_days=1)
    with unit_of_work.unit_of_work():
        deliver([delivered(), delivered()])
    rows = Conversation.objects.all()
    assert [(row.mailbox, row.is_priority, row.due_on is not None) for row in rows] == [
        (mailbox, True, True)
    ] * 2
    assert [row.assignee for row in rows] == [None, None]
    rule.refresh_from_db()
    assert (rule.failure_count, rule.last_failure) == (2, code)
    assert timezone.now() - rule.last_failed_at < timedelta(minutes=5)
    assert not Labelling.objects.exists()
    assert not ArrivalNotice.objects.exists()


@pytest.mark.parametrize("column", ["conditions", "actions"])
def test_a_rule_that_cannot_be_read_stops_nothing(mailbox, column):
    rule = a_rule(mailbox, when=Conditions(words=("kallelse",)), is_priority=True)
    a_rule(mailbox, due_days=1)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE mailbox_arrivalrule SET {column} = '{{\"x\": [1]}}' WHERE id = %s", [rule.pk])
    row = arrives()
    assert (row.is_priority, row.due_on is not None) == (False, True)
    rule.refresh_from_db(fields=["failure_count", "last_failure"])
    assert (rule.failure_count, rule.last_failure) == (1, "unreadable")


def test_an_unforeseen_error_of_the_database_stops_no_delivery(mailbox, monkeypatch, caplog):
    rule = a_rule(mailbox, "Trasig", when=Conditions(words=("fel",)), is_priority=True, due_days=1)
    made = application._Changes.make

    def fails(self, arrivals):
        made(self, arrivals)
        if any(arrival.message.subject == "Fel" for arrival in arrivals):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")

    monkeypatch.setattr(application._Changes, "make", fails)
    a_rule(mailbox, "Hel", when=Conditions(words=("rätt",)), is_priority=True)
    with caplog.at_level(logging.ERROR), unit_of_work.unit_of_work():
        deliver([delivered(subject="Fel"), delivered(subject="Rätt")])
    assert {row.subject: row.is_priority for row in Conversation.objects.all()} == {
        "Fel": False,
        "Rätt": True,
    }
    assert Message.objects.count() == SearchEntry.objects.count() == 2
    rule.refresh_from_db()
    assert (rule.failure_count, rule.last_failure) == (1, "unexpected")
    assert "arrival_rules_failed" in caplog.text


@pytest.mark.parametrize("step", ["decide", "loading.rules_of"])
def test_an_unforeseen_error_in_deciding_stops_no_delivery(mailbox, monkeypatch, step):
    rule = a_rule(mailbox, is_priority=True)

    def fails(*_args, **_more):
        raise IntegrityError("of its words nothing is said")

    monkeypatch.setattr(f"mailbox.arrival_rules.application.{step}", fails)
    row = arrives()
    assert (row.is_priority, row.message_count) == (False, 1)
    rule.refresh_from_db()
    assert (rule.failure_count, rule.last_failure) == (1, "unexpected")


def test_a_due_day_beyond_the_calendar_is_a_fault_of_the_rule(mailbox):
    rule = a_rule(mailbox, due_days=10**9, is_priority=True)
    row = arrives()
    assert (row.due_on, row.message_count) == (None, 1)
    rule.refresh_from_db()
    assert rule.last_failure == "unexpected"


def test_a_larger_batch_takes_no_more_statements_with_rules_either(mailbox, other):
    people = [a_member(f"Person {number}", mailbox) for number in range(3)]
    for person in people:
        logs_in(person)
    label = Label.objects.create(mailbox=mailbox, name="Barn")
    a_rule(
        mailbox, label=label.pk, is_priority=True, due_days=1, assigns_in_turn=True, notify=(people[0].pk,)
    )
    a_rule(mailbox, label=4711)
    a_rule(mailbox, when=Conditions(words=("faktura",)), move_to=other.pk)
    counts = []
    for size in (1, 2, 8):
        batch = [delivered() for _ in range(size)] + [delivered(subject="Faktura") for _ in range(size)]
        with CaptureQueriesContext(connection) as queries, unit_of_work.unit_of_work():
            deliver(batch)
        counts.append(sum("at_rest_datakey" not in query["sql"] for query in queries))
    # The first makes what an organisation has one of.
    assert counts[1] == counts[2]


def test_a_mailbox_without_rules_costs_one_query(mailbox):
    with CaptureQueriesContext(connection) as queries:
        deliver([delivered()])
    assert sum("arrival" in query["sql"] or "membership" in query["sql"] for query in queries) == 1


def in_threads(*steps) -> list[Exception]:
    """Do all at the same time; what they raised."""
    raised: list[Exception] = []

    def run(step) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a thread's own is seen by nobody
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[step]) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return raised


def deliver_in_one(items) -> None:
    with transaction.atomic(), unit_of_work.unit_of_work():
        deliver(items)


@pytest.mark.django_db(transaction=True)
def test_two_deliveries_at_once_share_the_turns_fairly(mailbox):
    people = [a_member(f"Person {number}", mailbox) for number in range(4)]
    for person in people:
        logs_in(person)
    a_rule(mailbox, assigns_in_turn=True)
    batches = [[delivered() for _ in range(4)] for _ in range(4)]
    assert in_threads(*(lambda batch=batch: deliver_in_one(batch) for batch in batches)) == []
    counts = [Assignment.objects.filter(person=person).count() for person in people]
    assert counts == [4, 4, 4, 4]


@pytest.mark.django_db(transaction=True)
def test_of_one_that_is_delivered_twice_at_once_one_assignment_is_left(mailbox):
    karin = a_member("Karin", mailbox)
    a_rule(mailbox, assign_to=karin.pk, notify=(karin.pk,))
    item = delivered()
    assert in_threads(*(lambda: deliver_in_one([item]) for _ in range(3))) == []
    assert Assignment.objects.count() == Message.objects.count() == ArrivalNotice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_nobody_is_left_with_what_arrives_while_their_membership_ends(mailbox):
    karin = a_member("Karin", mailbox)
    a_rule(mailbox, assign_to=karin.pk)
    with transaction.atomic():
        assignment.unassign_all(karin, mailbox)
        # The membership is locked here: the delivery neither waits for it nor assigns to her.
        assert in_threads(lambda: deliver_in_one([delivered()])) == []
        Membership.objects.all().delete()
    row = Conversation.objects.get()
    assert (row.assignee, Assignment.objects.count()) == (None, 0)


@pytest.mark.django_db(transaction=True)
def test_a_label_that_is_deleted_meanwhile_stops_no_delivery(mailbox):
    label = Label.objects.create(mailbox=mailbox, name="Barn")
    a_rule(mailbox, label=label.pk)
    with transaction.atomic():
        Label.objects.select_for_update().get(pk=label.pk)
        assert in_threads(lambda: deliver_in_one([delivered()])) == []
        label.delete()
    assert not Labelling.objects.exists()
    assert Conversation.objects.get().message_count == 1
