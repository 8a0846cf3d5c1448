"""A mailbox that nobody attends to is impossible to miss, and what is told of it has no content."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from mailbox.administration import alarms
from mailbox.conversations import assignment
from mailbox.models import Conversation, FunctionMailbox, Membership, Message, Person, UnattendedAlarm
from mailbox.tasks import send_unattended_alarms

from .build import HERE, a_member, a_message_in, log_in, with_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.SDK_PUBLIC_URL = "https://sdk.habo.se"
    return FunctionMailbox.objects.create(
        participant_id=HERE, address="funktion-b", name="Mottagning", unattended_after_hours=8
    )


def waiting(mailbox: FunctionMailbox, hours: float) -> Message:
    message = a_message_in(mailbox)
    at = timezone.now() - timedelta(hours=hours)
    Conversation.objects.filter(pk=message.conversation_id).update(last_arrived_at=at, last_activity_at=at)
    return message


def reasons() -> list[str]:
    return [one.reason.value for one in alarms.unattended(timezone.now())]


def test_a_mailbox_without_an_active_member_is_unattended(mailbox):
    assert reasons() == ["no-member"]
    person = a_member(mailbox)
    assert reasons() == []
    Person.objects.filter(pk=person.pk).update(is_active=False)
    assert reasons() == ["no-member"]
    Person.objects.filter(pk=person.pk).update(is_active=True)
    Membership.objects.update(ends_at=timezone.now())
    assert reasons() == ["no-member"]


def test_a_message_that_has_waited_longer_than_the_mailbox_s_own_limit_raises_the_alarm(mailbox):
    a_member(mailbox)
    waiting(mailbox, 7.9)
    assert reasons() == []
    waiting(mailbox, 8.1)
    assert reasons() == ["untaken"]
    mailbox.unattended_after_hours = 9
    mailbox.save()
    assert reasons() == []


def test_a_message_that_was_answered_does_not_wait(mailbox):
    a_member(mailbox)
    message = waiting(mailbox, 20)
    assert reasons() == ["untaken"]
    message.pk, message.direction, message.at = None, Message.Direction.OUT, timezone.now()
    message.save()
    assert reasons() == []


def test_a_closed_mailbox_raises_no_alarm(mailbox):
    mailbox.is_open = False
    mailbox.save()
    assert reasons() == []


def test_the_alarm_stands_on_the_start_page_of_those_concerned_and_of_nobody_else(mailbox, client):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    member, other = a_member(mailbox), a_member(beside)
    waiting(mailbox, 20)
    alarms.send_alarms()
    for person, sees in (
        (member, True),
        (with_role("administrator"), True),
        (other, False),
        (with_role("administrator", "0203:annan.se"), False),
    ):
        log_in(client, person)
        assert ("Obevakade brevlådor" in client.get(reverse("start")).content.decode()) is sees


def test_the_managers_are_told_by_mail_without_content_and_not_again_the_same_day(mailbox):
    manager = a_member(mailbox, role=Membership.Role.MANAGER)
    a_member(mailbox)
    Person.objects.filter(pk=manager.pk).update(mail_address="eva@habo.se")
    message = waiting(mailbox, 20)
    alarms.send_alarms()
    alarms.send_alarms()
    (sent,) = mail.outbox
    assert sent.to == ["eva@habo.se"]
    assert sent.subject == "Obevakad brevlåda: Mottagning"
    link = reverse("administration-mailbox", args=[mailbox.pk])
    assert f"https://sdk.habo.se{link}" in sent.body
    assert message.subject not in sent.subject + sent.body
    assert message.counterpart_organisation not in sent.subject + sent.body
    UnattendedAlarm.objects.update(told_at=timezone.now() - timedelta(hours=25))
    alarms.send_alarms()
    assert len(mail.outbox) == 2


def test_without_managers_the_administrators_are_told(mailbox):
    administrator = with_role("administrator")
    Person.objects.filter(pk=administrator.pk).update(mail_address="adm@habo.se")
    alarms.send_alarms()
    assert [sent.to for sent in mail.outbox] == [["adm@habo.se"]]


def test_the_alarm_ends_when_somebody_attends(mailbox, client):
    alarms.send_alarms()
    assert alarms.counts() == {"no-member": 1, "untaken": 0}
    metrics = client.get(reverse("metrics")).content.decode()
    assert 'sdk_unattended_mailboxes{reason="no-member"} 1.0\n' in metrics
    assert "Mottagning" not in metrics
    a_member(mailbox)
    alarms.send_alarms()
    assert not UnattendedAlarm.objects.exists()
    assert (
        'sdk_unattended_mailboxes{reason="no-member"} 0.0\n'
        in client.get(reverse("metrics")).content.decode()
    )


def told_by_metric(client) -> dict[str, int]:
    """What `sdk_unattended_mailboxes` says after a look: how many mailboxes, by the reason."""
    alarms.send_alarms()
    found = re.findall(
        r'^sdk_unattended_mailboxes\{reason="([a-z-]+)"\} (\d+)\.0$',
        client.get(reverse("metrics")).content.decode(),
        re.MULTILINE,
    )
    return {reason: int(count) for reason, count in found}


def test_the_metric_counts_the_mailboxes_whose_oldest_untaken_message_has_waited_too_long(mailbox, client):
    person = a_member(mailbox)
    quiet = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    a_member(quiet)
    young = waiting(mailbox, 7.9)
    assert told_by_metric(client) == {"no-member": 0, "untaken": 0}
    old = waiting(mailbox, 8.1)
    also_old = waiting(mailbox, 30)
    assert told_by_metric(client) == {"no-member": 0, "untaken": 1}, "a mailbox, however many messages"
    assignment.assign(old.conversation_id, person)
    assert told_by_metric(client) == {"no-member": 0, "untaken": 1}
    assignment.assign(also_old.conversation_id, person)
    assert told_by_metric(client) == {"no-member": 0, "untaken": 0}, "what is taken does not wait"
    assignment.unassign(old.conversation_id, person)
    assert told_by_metric(client) == {"no-member": 0, "untaken": 1}
    assert young.subject not in client.get(reverse("metrics")).content.decode()


def test_the_metric_counts_functions_without_an_active_member_by_themselves(mailbox, client):
    waits = FunctionMailbox.objects.create(
        participant_id=HERE, address="b", name="Ekonomi", unattended_after_hours=8
    )
    person, leaving = a_member(waits), a_member(mailbox, name="Nils")
    message = waiting(mailbox, 20)
    Conversation.objects.filter(pk=message.conversation_id).update(mailbox=waits)
    assert told_by_metric(client) == {"no-member": 0, "untaken": 1}
    Person.objects.filter(pk=leaving.pk).update(is_active=False)
    assert told_by_metric(client) == {"no-member": 1, "untaken": 1}
    Membership.objects.filter(person=person).update(ends_at=timezone.now())
    assert told_by_metric(client) == {"no-member": 2, "untaken": 0}, "that nobody reads it says more"


def test_what_looks_for_them_is_run_by_itself(settings):
    """Pages, mails and the metric all live by it."""
    tasks = [entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()]
    assert send_unattended_alarms.name in tasks


def test_a_manager_sets_the_limit(mailbox, client):
    log_in(client, a_member(mailbox, role=Membership.Role.MANAGER))
    for hours in ("0", "-1", "x", "99999", ""):
        client.post(reverse("administration-limit", args=[mailbox.pk]), {"hours": hours})
    mailbox.refresh_from_db()
    assert mailbox.unattended_after_hours == 8
    client.post(reverse("administration-limit", args=[mailbox.pk]), {"hours": "48"})
    mailbox.refresh_from_db()
    assert mailbox.unattended_after_hours == 48
