"""Days on which something is due are working days; alarms and statistics count the staffed hours."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox.administration import alarms
from mailbox.conversations import reassignment, reminders, state_changes, undo
from mailbox.models import Conversation, FunctionMailbox, Membership, Message, StaffedHours
from mailbox.statistics.figures import statistics
from tests.mailbox.build import a_member, arrives, log_in

pytestmark = pytest.mark.django_db
HERE = "0203:habo.se"
SWEDEN = ZoneInfo("Europe/Stockholm")
OFFICE = [[480, 1020]]


@pytest.fixture
def karin(mailbox, client):
    person = a_member("Karin", mailbox)
    log_in(client, person)
    return person


@pytest.fixture
def hours(mailbox):
    return StaffedHours.objects.create(participant_id=HERE, mailbox=mailbox, week=[OFFICE] * 5 + [[], []])


def saturday() -> date:
    """A Saturday of an ordinary week in the years to come."""
    return date(2031, 2, 1)


def test_a_due_date_becomes_a_working_day_and_that_is_told(client, mailbox, karin, hours):
    conversation = arrives(mailbox).conversation
    response = client.post(
        reverse("act", args=[conversation.pk]), {"action": "due", "day": saturday().isoformat()}, follow=True
    )
    conversation.refresh_from_db()
    assert conversation.due_on == saturday() + timedelta(days=2)
    assert (
        "Den 1 februari är ingen arbetsdag i brevlådan: det blev den 3 februari." in response.content.decode()
    )
    event = conversation.events.get(what="due")
    assert event.to == "2031-02-03"
    undo.undo(event.pk, karin)
    conversation.refresh_from_db()
    assert conversation.due_on is None


def test_a_due_date_on_a_working_day_stays_and_nothing_is_told(client, mailbox, karin, hours):
    conversation = arrives(mailbox).conversation
    day = saturday() - timedelta(days=1)
    response = client.post(
        reverse("act", args=[conversation.pk]), {"action": "due", "day": day.isoformat()}, follow=True
    )
    assert Conversation.objects.get().due_on == day
    assert "ingen arbetsdag" not in response.content.decode()


def test_without_hours_every_day_is_a_working_day(mailbox, karin):
    conversation = arrives(mailbox).conversation
    state_changes.set_due_on(conversation.pk, karin, saturday())
    assert Conversation.objects.get().due_on == saturday()


def test_a_mailbox_that_never_opens_keeps_the_day(mailbox, karin, hours):
    StaffedHours.objects.update(week=[[]] * 7)
    conversation = arrives(mailbox).conversation
    state_changes.set_due_on(conversation.pk, karin, saturday())
    assert Conversation.objects.get().due_on == saturday()


def test_a_reminder_by_one_press_comes_on_a_working_day(client, mailbox, karin, hours):
    StaffedHours.objects.update(week=[[]] * 6 + [OFFICE], is_closed_on_holidays=False)
    conversation = arrives(mailbox).conversation
    client.post(reverse("act", args=[conversation.pk]), {"action": "remind-monday"})
    conversation.refresh_from_db()
    local = timezone.localtime(conversation.remind_at)
    assert (local.weekday(), local.hour) == (6, 7)


def test_reminders_of_several_by_one_press_come_on_working_days(client, mailbox, karin, hours):
    StaffedHours.objects.update(week=[[]] * 6 + [OFFICE], is_closed_on_holidays=False)
    keys = [arrives(mailbox).conversation_id for _ in range(2)]
    client.post(reverse("act-on-many", args=[mailbox.pk]), {"action": "remind-monday", "chosen": keys})
    found = Conversation.objects.filter(pk__in=keys).values_list("remind_at", flat=True)
    assert {timezone.localtime(at).weekday() for at in found} == {6}


def test_a_reminder_on_a_typed_day_comes_that_day(mailbox, karin, hours):
    conversation = arrives(mailbox).conversation
    at = datetime(2031, 2, 1, 7, tzinfo=SWEDEN)
    reminders.set_reminder(conversation.pk, karin, at)
    assert Conversation.objects.get().remind_at == at


def test_what_is_offered_is_due_on_a_working_day_of_the_receiver(mailbox, karin, hours):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    StaffedHours.objects.create(
        participant_id=HERE, mailbox=beside, week=[[]] * 6 + [OFFICE], is_closed_on_holidays=False
    )
    for to, expected in ((beside, date(2031, 2, 2)), (a_member("Nils", mailbox), date(2031, 2, 3))):
        conversation = arrives(mailbox).conversation
        made = reassignment.offer(
            conversation.pk, karin, to=to, done="Ringt", remains="Svara", due_on=saturday()
        )
        assert made.due_on == expected


def waiting_since(mailbox: FunctionMailbox, at: datetime) -> Message:
    message = arrives(mailbox)
    Conversation.objects.filter(pk=message.conversation_id).update(last_arrived_at=at, last_activity_at=at)
    return message


def test_a_weekend_does_not_make_a_mailbox_unattended(mailbox, karin, hours):
    FunctionMailbox.objects.update(unattended_after_hours=8)
    friday = datetime(2026, 10, 23, 15, tzinfo=SWEDEN)
    waiting_since(mailbox, friday)
    # Two hours on Friday, six on Monday; the clock is set back between them.
    eight_hours_later = datetime(2026, 10, 26, 14, tzinfo=SWEDEN)
    assert alarms.unattended(eight_hours_later) == []
    [found] = alarms.unattended(eight_hours_later + timedelta(minutes=1))
    assert (found.reason, found.since) == ("untaken", friday)
    StaffedHours.objects.all().delete()
    assert alarms.unattended(friday + timedelta(hours=9)) != []


def test_alarms_ask_as_often_for_one_mailbox_as_for_many(mailbox, karin, django_assert_num_queries):
    def boxes(count: int) -> None:
        for number in range(count):
            box = FunctionMailbox.objects.create(participant_id=HERE, address=f"{count}-{number}", name="X")
            StaffedHours.objects.create(participant_id=HERE, mailbox=box, week=[OFFICE] * 7)
            Membership.objects.create(person=karin, mailbox=box)
            Conversation.objects.create(
                mailbox=box,
                conversation_id=f"00000000-0000-0000-0000-{count:06}{number:06}",
                counterpart="X",
                last_activity_at=timezone.now(),
                last_arrived_at=timezone.now() - timedelta(days=9),
            )

    boxes(1)
    with django_assert_num_queries(4):
        alarms.unattended(timezone.now())
    boxes(5)
    with django_assert_num_queries(4):
        assert len(alarms.unattended(timezone.now())) == 6


def test_statistics_count_working_hours(mailbox, karin, hours):
    friday = datetime(2026, 10, 23, 15, tzinfo=SWEDEN)
    for minutes in (0, 60, 180):
        message = arrives(mailbox)
        Message.objects.filter(pk=message.pk).update(at=friday)
        Message.objects.create(
            conversation=message.conversation,
            direction="out",
            message_id=f"00000000-0000-0000-0000-{minutes:012}",
            is_confidential=False,
            at=datetime(2026, 10, 26, 9, tzinfo=SWEDEN) + timedelta(minutes=minutes),
        )
    [figures] = statistics(
        FunctionMailbox.objects.all(), friday - timedelta(days=1), friday + timedelta(days=1)
    ).figures
    assert figures.answered.count == 3
    assert figures.answered.median == timedelta(hours=4)
    assert figures.answered.p90 == timedelta(hours=5, minutes=36)
    StaffedHours.objects.all().delete()
    [figures] = statistics(
        FunctionMailbox.objects.all(), friday - timedelta(days=1), friday + timedelta(days=1)
    ).figures
    # Two days and twenty hours, and the hour that the clock is set back.
    assert figures.answered.median == timedelta(days=2, hours=20)
