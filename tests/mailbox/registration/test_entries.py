"""Registering, correcting and withdrawing: what is decided under the lock, and what remains of each."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from mailbox.access_log import verify
from mailbox.administration import retention
from mailbox.conversations import assignment, history, undo
from mailbox.conversations import state_changes as changes
from mailbox.models import (
    AccessLogEntry,
    Conversation,
    FunctionMailbox,
    Membership,
    RegisteredMessage,
    Registration,
    RetentionRule,
)
from mailbox.registration import case_numbers, entries
from mailbox.registration.entries import Entry, register
from mailbox.search import find, index
from tests.mailbox.build import a_member, arrives

from .build import CASE, MINOR, OTHER, Mode, with_mode

pytestmark = pytest.mark.django_db
State = Conversation.RegistrationState


@pytest.fixture
def karin(mailbox):
    return a_member("Karin", mailbox)


@pytest.fixture
def ahmed(mailbox):
    return a_member("Ahmed", mailbox)


@pytest.fixture
def first(mailbox):
    return arrives(mailbox)


def another(message):
    """A further message of the same conversation."""
    return arrives(
        message.conversation.mailbox,
        conversation=str(message.conversation.conversation_id),
        message_id=str(uuid.uuid4()),
    )


def state_of(message) -> str:
    return Conversation.objects.get(pk=message.conversation_id).registration_state


def whats(message) -> list[str]:
    return [event.what for event in history.events_of(message.conversation)]


def test_a_conversations_registration_covers_its_messages(first, karin):
    second = another(first)
    made = register(first.conversation_id, karin, CASE)
    assert made.case_number == "KS 2026/3117"
    assert (made.by, made.kind) == (karin, "case")
    assert {row.message_id for row in made.covered.all()} == {first.pk, second.pk}
    assert state_of(first) == State.REGISTERED
    assert whats(first)[-1] == "registered"
    entry = AccessLogEntry.objects.get(what="registered")
    assert "3117" not in str(entry.details)
    assert not list(verify(first.conversation.mailbox.participant_id))


def test_the_case_number_is_sealed_in_the_database(first, karin):
    made = register(first.conversation_id, karin, CASE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT case_number FROM mailbox_registration WHERE id = %s", [made.pk])
        assert "3117" not in cursor.fetchone()[0]


def test_registering_again_with_the_same_number_changes_nothing(first, karin, ahmed):
    made = register(first.conversation_id, karin, CASE)
    assert register(first.conversation_id, ahmed, CASE) == made
    assert register(first.conversation_id, karin, CASE, message_id=first.pk) == made
    assert Registration.objects.count() == 1
    assert whats(first).count("registered") == 1


def test_the_second_of_two_is_told_what_the_first_did(first, karin, ahmed):
    made = register(first.conversation_id, karin, CASE)
    with pytest.raises(entries.AlreadyRegistered) as raised:
        register(first.conversation_id, ahmed, OTHER)
    assert raised.value.registration == made
    assert raised.value.registration.by == karin
    assert Registration.objects.get().case_number == "KS 2026/3117"


def test_messages_of_a_conversation_may_have_different_numbers(first, karin):
    second = another(first)
    register(first.conversation_id, karin, OTHER, message_id=second.pk)
    assert state_of(first) == State.PENDING
    register(first.conversation_id, karin, CASE)
    assert state_of(first) == State.REGISTERED
    numbers = {row.message_id: row.registration.case_number for row in RegisteredMessage.objects.all()}
    assert numbers == {first.pk: "KS 2026/3117", second.pk: "KS 2026/3118"}


def test_what_arrives_afterwards_is_not_registered_yet(first, karin):
    register(first.conversation_id, karin, CASE)
    second = another(first)
    assert state_of(first) == State.PENDING
    register(first.conversation_id, karin, CASE)
    assert state_of(first) == State.REGISTERED
    assert second.registrations.get().registration.case_number == "KS 2026/3117"
    assert Registration.objects.count() == 2


def test_what_the_page_did_not_show_is_not_registered(first, karin):
    another(first)
    register(first.conversation_id, karin, CASE, newest_seen=first.pk)
    assert RegisteredMessage.objects.get().message == first
    with pytest.raises(entries.AlreadyRegistered):
        register(first.conversation_id, karin, OTHER, newest_seen=first.pk)


def test_a_message_of_another_conversation_is_not_registered(first, karin, mailbox):
    other = arrives(mailbox, conversation=str(uuid.uuid4()), message_id=str(uuid.uuid4()))
    with pytest.raises(entries.NothingToRegister):
        register(first.conversation_id, karin, CASE, message_id=other.pk)


def test_whoever_is_no_member_registers_nothing(first):
    with pytest.raises(assignment.NotAMember):
        register(first.conversation_id, a_member("Utomstående"), CASE)
    assert not Registration.objects.exists()


def test_whoever_is_a_member_no_more_corrects_and_withdraws_nothing(first, karin):
    made = register(first.conversation_id, karin, CASE)
    Membership.objects.filter(person=karin).delete()
    with pytest.raises(assignment.NotAMember):
        entries.correct(made, karin, OTHER, "Fel")
    with pytest.raises(assignment.NotAMember):
        entries.withdraw(made, karin, "Fel")


def test_minor_importance_keeps_the_rule_as_it_was(first, karin, mailbox):
    rule = RetentionRule.objects.create(mailbox=mailbox, state="done", days=90)
    made = register(first.conversation_id, karin, Entry("minor", reason="Reklam", retention_state="done"))
    rule.delete()
    made.refresh_from_db()
    assert (made.retention_state, made.retention_days, made.reason) == ("done", 90, "Reklam")
    assert state_of(first) == State.MINOR
    assert whats(first)[-1] == "minor"


def test_a_rule_that_is_no_more_is_not_referred_to(first, karin):
    with pytest.raises(entries.RuleChanged):
        register(first.conversation_id, karin, Entry("minor", reason="Reklam", retention_state="done"))


def test_the_pattern_is_that_of_the_mailbox_under_the_lock(first, karin, mailbox):
    with_mode(mailbox, Mode.TRACKED, "SN {år}/{nr}")
    with pytest.raises(case_numbers.Mismatch):
        register(first.conversation_id, karin, CASE)
    made = register(first.conversation_id, karin, Entry("case", case_number="sn 2026/1"))
    assert made.case_number == "SN 2026/1"


def test_a_correction_keeps_the_earlier_one_with_who_and_why(first, karin, ahmed):
    made = register(first.conversation_id, karin, CASE)
    corrected = entries.correct(made, ahmed, OTHER, "Fel nummer")
    made.refresh_from_db()
    assert (made.case_number, made.by, made.outcome) == ("KS 2026/3117", karin, "corrected")
    assert (made.ended_by, made.end_reason) == (ahmed, "Fel nummer")
    assert (corrected.case_number, corrected.by, corrected.replaces) == ("KS 2026/3118", ahmed, made)
    assert first.registrations.filter(is_current=True).get().registration == corrected
    assert first.registrations.count() == 2
    assert whats(first)[-1] == "corrected"
    assert state_of(first) == State.REGISTERED


def test_a_correction_is_made_once(first, karin, ahmed):
    made = register(first.conversation_id, karin, CASE)
    corrected = entries.correct(made, ahmed, OTHER, "Fel nummer")
    assert entries.correct(made, ahmed, OTHER, "Fel nummer") == corrected
    with pytest.raises(entries.AlreadyEnded) as raised:
        entries.correct(made, karin, MINOR, "Reklam")
    assert raised.value.registration.ended_by == ahmed
    with pytest.raises(entries.AlreadyEnded):
        entries.withdraw(made, karin, "Fel")
    assert entries.correct(corrected, karin, OTHER, "Igen") == corrected
    assert Registration.objects.count() == 2


def test_a_withdrawal_leaves_the_messages_not_registered(first, karin, ahmed, mailbox):
    with_mode(mailbox, Mode.TRACKED)
    made = register(first.conversation_id, karin, CASE)
    entries.withdraw(made, ahmed, "Hör till ett annat ärende")
    entries.withdraw(made, ahmed, "Igen")
    made.refresh_from_db()
    assert (made.outcome, made.end_reason) == ("withdrawn", "Hör till ett annat ärende")
    assert state_of(first) == State.PENDING
    assert whats(first).count("deregistered") == 1
    assert register(first.conversation_id, karin, OTHER).pk != made.pk


def test_search_finds_the_case_number_while_it_holds(first, karin):
    assert not find(karin, "KS 2026/3117").hits
    made = register(first.conversation_id, karin, CASE)
    assert [hit.row for hit in find(karin, "KS 2026/3117").hits] == [first]
    assert [hit.row for hit in find(karin, "2026/3117").hits] == [first]
    index.rebuild()
    assert [hit.row for hit in find(karin, "2026/3117").hits] == [first]
    entries.correct(made, karin, OTHER, "Fel nummer")
    assert [hit.row for hit in find(karin, "2026/3118").hits] == [first]
    index.index_missing()
    assert not find(karin, "2026/3117").hits
    assert [hit.row for hit in find(karin, "2026/3118").hits] == [first]


def test_search_does_not_show_it_to_others(first, karin):
    register(first.conversation_id, karin, CASE)
    assert not find(a_member("Utomstående"), "2026/3117").hits


def test_registrations_follow_a_conversation_to_another_mailbox(first, karin, mailbox):
    register(first.conversation_id, karin, CASE)
    beside = FunctionMailbox.objects.create(
        participant_id=mailbox.participant_id, address="b", name="B", registration_mode=Mode.REQUIRED
    )
    unregistered = arrives(mailbox, conversation=str(uuid.uuid4()), message_id=str(uuid.uuid4()))
    for message in (first, unregistered):
        assignment.move(assignment.locked(message.conversation_id), beside, karin)
    assert (state_of(first), state_of(unregistered)) == (State.REGISTERED, State.PENDING)


def test_registrations_are_erased_with_their_conversation_and_the_access_log_stays(first, karin, mailbox):
    conversation_id = first.conversation.conversation_id
    made = register(first.conversation_id, karin, CASE)
    entries.correct(made, karin, OTHER, "Fel nummer")
    RetentionRule.objects.create(mailbox=mailbox, state="done", days=30)
    long_ago = timezone.now() - timedelta(days=40)
    Conversation.objects.update(state="done", last_activity_at=long_ago)
    assert retention.run() == 1
    assert not Registration.objects.exists()
    logged = AccessLogEntry.objects.filter(conversation_id=conversation_id)
    assert set(logged.values_list("what", flat=True)) >= {"registered", "registration-corrected"}


def test_done_can_be_undone_after_registering(first, karin):
    done = changes.finish(first.conversation_id, karin)
    register(first.conversation_id, karin, CASE)
    assert undo.undo(done.pk, karin).state == "open"


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_registers_and_the_other_is_told(mailbox):
    with transaction.atomic():
        message = arrives(mailbox)
    people = [a_member("Karin", mailbox), a_member("Ahmed", mailbox)]
    barrier, outcomes = threading.Barrier(2, timeout=20), []

    def act(person, entry):
        try:
            barrier.wait()
            outcomes.append(register(message.conversation_id, person, entry))
        except entries.AlreadyRegistered as told:
            outcomes.append(told)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=pair) for pair in zip(people, (CASE, OTHER), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (made,) = [outcome for outcome in outcomes if isinstance(outcome, Registration)]
    (told,) = [outcome for outcome in outcomes if isinstance(outcome, entries.AlreadyRegistered)]
    assert told.registration == made == Registration.objects.get()
