"""No automatic answer begins a loop: with another node like ours, or with a system that marks nothing."""

import logging
import threading
import uuid
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from mailbox.automatic_answers import decision, limits, sending
from mailbox.delivery.inbound import deliver
from mailbox.models import (
    AccessLogEntry,
    AutomaticAnswer,
    AutomaticAnswerGuard,
    FunctionMailbox,
    Message,
    OrganisationRole,
)
from tests.mailbox.build import a_member
from transport.message_service.models import Organisation, OutgoingMessage

from .build import HERE, THERE, answer_to, answers_automatically, arrives, delivered

Outcome = AutomaticAnswer.Outcome


@pytest.fixture
def answering(mailbox):
    answers_automatically(mailbox)
    return mailbox


@pytest.mark.django_db
@pytest.mark.parametrize(
    "system",
    [("sdkportal", "auto-replied"), ("other", "x/AUTO-GENERATED/1"), ("auto-notified", "1")],
)
def test_what_is_marked_as_automatic_is_never_answered_and_shown_as_such(answering, system):
    assert answer_to(system=system) is None
    assert not AutomaticAnswer.objects.exists()
    assert Message.objects.get().is_automatic


@pytest.mark.django_db
@pytest.mark.parametrize("subject", ["Automatiskt svar: Fråga", " AUTO: hej", "Out of office", "Autosvar"])
def test_what_calls_itself_an_automatic_answer_is_not_answered(answering, subject):
    assert answer_to(subject=subject) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("system", "subject"),
    [(("sdkportal", "sdkportal"), "Fråga"), (("x", "notauto-replied2"), "Automaten är trasig"), (None, "")],
)
def test_what_only_looks_a_little_like_one_is_answered(answering, system, subject):
    assert answer_to(system=system, subject=subject) is not None


@pytest.mark.django_db
def test_a_conversation_is_answered_once_and_for_good(answering):
    conversation = str(uuid.uuid4())
    assert answer_to(conversation=conversation) is not None
    for _ in range(3):
        assert answer_to(conversation=conversation) is None
    first, second = (delivered(conversation=str(uuid.uuid4())) for _ in range(2))
    deliver([first, first, second])
    sending.send_due()
    assert OutgoingMessage.objects.count() == 3


@pytest.mark.django_db
def test_a_reply_to_an_automatic_answer_is_not_answered_in_whatever_conversation_it_comes(answering):
    answer = answer_to()
    assert answer_to(ref_to=str(answer.message_id)) is None
    assert answer_to(ref_to=str(uuid.uuid4())) is not None


@pytest.mark.django_db
def test_a_mailbox_does_not_answer_itself_and_nobody_without_a_function(answering):
    assert answer_to(sender=HERE, sender_function=answering.address) is None
    assert answer_to(sender=HERE, sender_function="funktion-x") is not None
    assert answer_to(sender_function=" ") is None


@pytest.mark.django_db
def test_two_mailboxes_that_both_answer_stop_after_one(answering):
    other = FunctionMailbox.objects.create(participant_id=HERE, address="funktion-a", name="Ekonomi")
    answers_automatically(other)
    answer = answer_to(sender=HERE, sender_function=other.address)
    # The answer arrives as it was sent, in the same conversation.
    header = delivered(
        sender=HERE,
        sender_function=answering.address,
        recipient_function=other.address,
        conversation=str(answer.conversation.conversation_id),
        subject=answer.subject,
        system=(decision.MARK.root, decision.MARK.extension),
        ref_to=str(answer.ref_to_message_id),
        message_id=str(answer.message_id),
    )
    deliver([header])
    sending.send_due()
    assert OutgoingMessage.objects.count() == 1


@pytest.mark.django_db
def test_a_system_that_marks_nothing_and_begins_conversations_anew_is_answered_five_times_a_day(answering):
    """It answers everything that it gets with a new message that refers to nothing."""
    sent = 0
    for _ in range(20):
        if answer_to() is None:
            break
        sent += 1
    assert sent == limits.MOST_TO_A_FUNCTION
    assert AutomaticAnswer.objects.filter(outcome=Outcome.COUNTERPART_LIMIT).count() == 1
    # Others are answered meanwhile, and the same one a day later.
    assert answer_to(sender_function="en-annan") is not None
    assert answer_to(sender="0203:annan.se") is not None
    AutomaticAnswer.objects.update(settled_at=timezone.now() - timedelta(hours=25))
    assert answer_to() is not None


@pytest.mark.django_db
def test_a_system_that_answers_in_the_same_conversation_gets_one_answer(answering):
    conversation = str(uuid.uuid4())
    answers = [answer_to(conversation=conversation, sender_function="automat") for _ in range(10)]
    assert [answer is not None for answer in answers] == [True] + [False] * 9


@pytest.mark.django_db
def test_a_flood_stops_all_answers_of_the_organisation_and_tells_its_administrators(
    answering, settings, caplog
):
    settings.SDK_AUTOMATIC_ANSWERS_PER_HOUR = 3
    settings.SDK_OPERATOR_MAIL = []
    eva = a_member("Eva")
    eva.mail_address = "eva@habo.se"
    eva.save()
    OrganisationRole.objects.create(person=eva, participant_id=HERE)
    with caplog.at_level(logging.ERROR):
        answers = [answer_to(sender_function=f"funktion-{number}") for number in range(6)]
    assert [answer is not None for answer in answers] == [True] * 3 + [False] * 3
    assert AutomaticAnswer.objects.filter(outcome=Outcome.STOPPED).count() == 3
    assert caplog.messages.count("automatic_answers_stopped") == 1
    assert AccessLogEntry.objects.filter(what="automatic-answers-stopped", actor=None).count() == 1
    for _ in range(2):
        limits.send_alarms()
    assert [message.to for message in mail.outbox] == [["eva@habo.se"]]
    assert "stoppade" in mail.outbox[0].subject
    # It stays so until an administrator has looked, also after an hour.
    AutomaticAnswer.objects.update(settled_at=timezone.now() - timedelta(hours=2))
    assert answer_to(sender_function="funktion-9") is None
    assert limits.resume(eva, HERE)
    assert not limits.resume(eva, HERE)
    assert answer_to(sender_function="funktion-10") is not None
    assert AccessLogEntry.objects.filter(what="automatic-answers-resumed", actor=eva).count() == 1


@pytest.mark.django_db
def test_an_organisation_that_is_stopped_stops_no_other(answering):
    AutomaticAnswerGuard.objects.create(participant_id=HERE, stopped_at=timezone.now())
    Organisation.objects.create(participant_id="0203:annan.se", name="Annan")
    other = FunctionMailbox.objects.create(participant_id="0203:annan.se", address="funktion-b", name="Deras")
    answers_automatically(other)
    assert answer_to() is None
    assert answer_to(participant="0203:annan.se", sender=THERE) is not None


@pytest.mark.django_db
def test_after_resuming_what_was_sent_before_does_not_stop_them_again(answering, settings):
    settings.SDK_AUTOMATIC_ANSWERS_PER_HOUR = 2
    for number in range(3):
        answer_to(sender_function=f"funktion-{number}")
    limits.resume(a_member("Eva"), HERE)
    assert answer_to(sender_function="a") is not None
    assert answer_to(sender_function="b") is not None
    assert answer_to(sender_function="c") is None
    assert AutomaticAnswerGuard.objects.get().stopped_at is not None


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_do_not_send_more_than_the_limit(answering, settings):
    settings.SDK_AUTOMATIC_ANSWERS_PER_HOUR = 1
    for number in range(4):
        arrives(sender_function=f"funktion-{number}")
    rows = AutomaticAnswer.claim_due(4)
    assert len(rows) == 4
    barrier = threading.Barrier(4)

    def send(row: AutomaticAnswer) -> None:
        barrier.wait(20)
        sending._send_all([row])
        connection.close()

    threads = [threading.Thread(target=send, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert OutgoingMessage.objects.count() == 1
    outcomes = sorted(AutomaticAnswer.objects.values_list("outcome", flat=True))
    assert outcomes == ["sent", "stopped", "stopped", "stopped"]
