"""Two workers, and people who act while a task is at it."""

import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from mailbox.conversations import assignment
from mailbox.models import (
    Conversation,
    DutyAlert,
    DutyList,
    FunctionMailbox,
    Message,
    ServiceLevels,
    StaffedHours,
    TimeLimit,
)
from mailbox.notifications import duty
from mailbox.staffed_hours import duty_lists, time_limits
from tests.mailbox.build import a_member, arrives

pytestmark = pytest.mark.django_db(transaction=True)
HERE = "0203:habo.se"
SECONDS = 60


def in_a_thread(do) -> threading.Thread:
    def run() -> None:
        try:
            do()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def arrived(mailbox: FunctionMailbox, **changes) -> Message:
    """A message that was delivered in a transaction of its own."""
    with transaction.atomic():
        return arrives(mailbox, **changes)


def test_what_one_worker_tells_another_does_not(mailbox):
    karin = a_member("Karin", mailbox)
    karin.mail_address = "karin@habo.se"
    karin.save()
    StaffedHours.objects.create(participant_id=HERE, mailbox=mailbox, week=[[]] * 7)
    duty_lists.set_duty_list(karin, mailbox, [karin], 30)
    DutyList.objects.update(since=timezone.now() - timedelta(days=1))
    arrived(mailbox)
    with transaction.atomic():
        list(DutyList.objects.select_for_update())
        other = in_a_thread(duty.send_duty_notices)
        other.join(SECONDS)
        assert not other.is_alive()
        assert not DutyAlert.objects.exists()
    duty.send_duty_notices()
    duty.send_duty_notices()
    assert len(mail.outbox) == 1


def test_who_opens_it_while_limits_are_computed_anew_ends_the_limit(mailbox):
    karin = a_member("Karin", mailbox)
    ServiceLevels.objects.create(mailbox=mailbox, opened_within_hours=2, done_within_hours=8)
    conversation = arrived(mailbox).conversation
    time_limits.set_levels(karin, mailbox, {TimeLimit.Kind.OPENED: 4, TimeLimit.Kind.DONE: 16})
    read = Conversation.objects.get()
    with transaction.atomic():
        row = Conversation.objects.select_for_update().get()
        opening = in_a_thread(lambda: assignment.note_opened(read, karin))
        time_limits.recompute([row], mailbox)
    opening.join(SECONDS)
    assert not opening.is_alive()
    [running] = TimeLimit.objects.filter(ended_at=None)
    conversation.refresh_from_db()
    assert (running.kind, conversation.limit_kind) == ("done", "done")
    assert conversation.limit_at == running.limit_at


def test_of_two_messages_at_once_in_one_conversation_the_first_has_the_limits(mailbox):
    ServiceLevels.objects.create(mailbox=mailbox, answered_within_hours=8)
    first = arrived(mailbox)
    key = str(first.conversation.conversation_id)
    threads = [in_a_thread(lambda: arrived(mailbox, conversation=key)) for _ in range(2)]
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()
    [running] = TimeLimit.objects.all()
    assert running.began_at == first.at
    assert Conversation.objects.get().limit_at == running.limit_at
