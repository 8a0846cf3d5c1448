"""Outside staffed hours the people on duty are told, one after the other, until somebody has seen it."""

from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from mailbox.conversations import state_changes
from mailbox.models import (
    AccessLogEntry,
    Conversation,
    DutyAlert,
    DutyList,
    DutyNotice,
    FunctionMailbox,
    Membership,
    Person,
    PushSubscription,
    StaffedHours,
)
from mailbox.notifications import duty, notices
from mailbox.staffed_hours import duty_lists
from mailbox.tasks import send_notices
from mailbox.workplace import inbox
from tests.mailbox.build import a_member, arrives, log_in

pytestmark = pytest.mark.django_db
HERE = "0203:habo.se"
NOBODY_THERE = [[]] * 7
ALWAYS = [[[0, 1440]]] * 7


@pytest.fixture
def hours(mailbox):
    """Nobody is there now."""
    return StaffedHours.objects.create(
        participant_id=HERE, mailbox=mailbox, week=NOBODY_THERE, is_closed_on_holidays=False
    )


def on_duty(mailbox: FunctionMailbox, *names: str) -> list[Person]:
    people = [a_member(name, mailbox) for name in names]
    for person in people:
        person.mail_address = f"{person.name.lower()}@habo.se"
        person.save()
    duty_lists.set_duty_list(people[0], mailbox, people, 30)
    DutyList.objects.update(since=timezone.now() - timedelta(days=1))
    return people


def later(minutes: int) -> None:
    """So many minutes pass for the alerts that run."""
    for alert in DutyAlert.objects.all():
        alert.next_at -= timedelta(minutes=minutes)
        alert.save()


def told() -> list[str]:
    """Whom mails went to since this was last asked."""
    found = [message.to[0].partition("@")[0] for message in mail.outbox]
    mail.outbox.clear()
    return found


def test_the_first_is_told_at_once_and_the_next_when_nobody_has_seen_it(mailbox, hours):
    on_duty(mailbox, "Karin", "Nils")
    arrives(mailbox)
    send_notices()
    assert told() == ["karin"]
    later(29)
    send_notices()
    assert told() == []
    later(1)
    send_notices()
    assert told() == ["nils"]
    later(30)
    send_notices()
    assert told() == ["karin"]


def test_a_notice_names_the_mailbox_and_nothing_of_the_message(mailbox, hours):
    on_duty(mailbox, "Karin")
    message = arrives(mailbox)
    duty.send_duty_notices()
    [sent] = mail.outbox
    assert sent.subject == "Nytt utanför bemannad tid i Mottagning"
    assert message.subject not in sent.subject + sent.body
    assert message.counterpart_organisation not in sent.subject + sent.body


def test_several_messages_are_one_notice(mailbox, hours):
    on_duty(mailbox, "Karin")
    for _ in range(3):
        arrives(mailbox)
    assert duty.send_duty_notices() == 1
    assert DutyAlert.objects.count() == 3


@pytest.mark.parametrize("end", ["seen by a colleague", "done", "answered", "staffed hours begin"])
def test_it_ends(mailbox, hours, end):
    on_duty(mailbox, "Karin", "Nils")
    conversation = arrives(mailbox).conversation
    duty.send_duty_notices()
    colleague = a_member("Ahmed", mailbox)
    if end == "seen by a colleague":
        inbox.mark_seen(conversation, colleague)
    elif end == "done":
        state_changes.finish(conversation.pk, colleague)
    elif end == "answered":
        Conversation.objects.update(is_waiting=True)
    else:
        StaffedHours.objects.update(week=ALWAYS)
    mail.outbox.clear()
    later(30)
    assert duty.send_duty_notices() == 0
    assert DutyAlert.objects.get().ended_at is not None
    StaffedHours.objects.update(week=NOBODY_THERE)
    later(60)
    assert duty.send_duty_notices() == 0


def test_a_further_message_is_told_of_again(mailbox, hours):
    [karin] = on_duty(mailbox, "Karin")
    message = arrives(mailbox)
    duty.send_duty_notices()
    inbox.mark_seen(message.conversation, karin)
    duty.send_duty_notices()
    assert told() == ["karin"]
    arrives(mailbox, conversation=str(message.conversation.conversation_id))
    duty.send_duty_notices()
    assert told() == ["karin"]


def test_it_ends_after_three_rounds(mailbox, hours):
    on_duty(mailbox, "Karin", "Nils")
    arrives(mailbox)
    for _ in range(12):
        duty.send_duty_notices()
        later(30)
    assert told() == ["karin", "nils"] * 3


@pytest.mark.parametrize("week", [ALWAYS, None])
def test_within_staffed_hours_and_without_any_nobody_is_told(mailbox, hours, week):
    on_duty(mailbox, "Karin")
    if week is None:
        StaffedHours.objects.all().delete()
    else:
        StaffedHours.objects.update(week=week)
    arrives(mailbox)
    assert duty.send_duty_notices() == 0


def test_what_arrived_before_somebody_was_on_duty_is_not_told(mailbox, hours):
    arrives(mailbox)
    karin = a_member("Karin", mailbox)
    Person.objects.update(mail_address="karin@habo.se")
    duty_lists.set_duty_list(karin, mailbox, [karin], 30)
    assert duty.send_duty_notices() == 0


def test_who_is_no_member_any_more_or_cannot_be_reached_is_passed_over(mailbox, hours):
    karin, nils, _ahmed = on_duty(mailbox, "Karin", "Nils", "Ahmed")
    Membership.objects.filter(person=karin).delete()
    Person.objects.filter(pk=nils.pk).update(mail_address="")
    arrives(mailbox)
    duty.send_duty_notices()
    assert told() == ["ahmed"]
    Membership.objects.all().delete()
    later(30)
    assert duty.send_duty_notices() == 0


def test_a_browser_that_is_pushed_to_learns_which_mailbox_it_is_about(mailbox, hours):
    [karin] = on_duty(mailbox, "Karin")
    Person.objects.update(mail_address="")
    PushSubscription.objects.create(person=karin, endpoint="https://push.example/1")
    arrives(mailbox)
    assert duty.send_duty_notices() == 1
    assert notices.recently_notified_mailboxes(karin) == ["Mottagning"]
    DutyNotice.objects.update(at=timezone.now() - timedelta(days=8))
    assert notices.recently_notified_mailboxes(karin) == []
    duty.send_duty_notices()
    assert not DutyNotice.objects.exists()


@pytest.fixture
def manager(mailbox, client):
    person = a_member("Eva", mailbox)
    Membership.objects.update(role=Membership.Role.MANAGER)
    log_in(client, person)
    return person


def post(client, mailbox, **given):
    page = reverse("administration-mailbox-hours", args=[mailbox.pk])
    return client.post(page, {"action": "duty", "minutes": "45", **given})


def test_a_manager_sets_who_is_told_and_takes_it_back(client, mailbox, manager):
    nils = a_member("Nils", mailbox)
    assert post(client, mailbox, first=nils.pk, third=manager.pk).status_code == 302
    row = DutyList.objects.get()
    assert [each.person for each in row.people.all()] == [nils, manager]
    assert row.escalate_after_minutes == 45
    assert AccessLogEntry.objects.filter(what="duty-list-changed", mailbox=mailbox, actor=manager).exists()
    page = client.get(reverse("administration-mailbox-hours", args=[mailbox.pk]))
    assert f'<option value="{nils.pk}" selected>' in " ".join(page.content.decode().split())
    assert post(client, mailbox).status_code == 302
    assert not DutyList.objects.exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"minutes": "4"}, "Skriv ett antal minuter från 5 till 720."),
        ({"minutes": ""}, "Skriv ett antal minuter från 5 till 720."),
        ({"first": "x\0"}, "Ogiltigt nummer."),
        ({"first": "9999999"}, "Välj personer som är medlemmar i brevlådan."),
    ],
)
def test_what_cannot_be_is_told(client, mailbox, manager, given, message):
    response = post(client, mailbox, **given)
    assert response.status_code == 422
    assert message in response.content.decode()
    assert not DutyList.objects.exists()


def test_nobody_is_on_duty_twice_and_nobody_from_elsewhere(client, mailbox, manager):
    assert post(client, mailbox, first=manager.pk, second=manager.pk).status_code == 422
    other = FunctionMailbox.objects.create(participant_id=HERE, address="x", name="Annan")
    stranger = a_member("Främling", other)
    assert post(client, mailbox, first=stranger.pk).status_code == 422
    assert not DutyList.objects.exists()
