"""Figures are those of the period and of the mailboxes that one answers for."""

import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from lxml import etree

from mailbox.models import (
    AccessLogEntry,
    Assignment,
    Conversation,
    ConversationEvent,
    FunctionMailbox,
    Membership,
    Message,
)
from mailbox.statistics.charts import chart_of
from mailbox.statistics.figures import Period, Wait, statistics
from mailbox.templatetags.waiting import in_words

from .build import HERE, a_member, log_in, with_role

pytestmark = pytest.mark.django_db
SWEDISH_TIME = ZoneInfo("Europe/Stockholm")
MARCH = datetime(2026, 3, 1, tzinfo=SWEDISH_TIME)
APRIL = datetime(2026, 4, 1, tzinfo=SWEDISH_TIME)


@pytest.fixture
def mailbox():
    return FunctionMailbox.objects.create(participant_id=HERE, address="a", name="Mottagning")


def exchange(mailbox: FunctionMailbox, at: datetime, *answers: timedelta, missing: bool = False) -> None:
    """A message that arrived, and answers so long after it."""
    conversation = Conversation.objects.create(
        mailbox=mailbox, conversation_id=uuid.uuid4(), counterpart="X", last_activity_at=at
    )
    Message.objects.create(
        conversation=conversation, direction="in", message_id=uuid.uuid4(), is_confidential=False, at=at
    )
    for after in answers:
        Message.objects.create(
            conversation=conversation,
            direction="out",
            message_id=uuid.uuid4(),
            is_confidential=False,
            is_receipt_missing=missing,
            at=at + after,
        )


def test_what_came_and_went_and_how_long_people_waited(mailbox):
    day = MARCH + timedelta(days=3)
    for hours in (1, 2, 3, 4):
        exchange(mailbox, day, timedelta(hours=hours), timedelta(hours=hours + 1))
    exchange(mailbox, day)
    exchange(mailbox, day, timedelta(hours=5), missing=True)
    (one,) = statistics(FunctionMailbox.objects.all(), MARCH, APRIL).figures
    assert (one.arrived, one.sent, one.receipts_missing) == (6, 9, 1)
    assert one.answered == Wait(5, timedelta(hours=3), timedelta(hours=4, minutes=36))
    assert one.assigned == one.done == Wait()


def test_how_long_it_took_until_somebody_took_it_and_until_it_was_done(mailbox):
    exchange(mailbox, MARCH)
    exchange(mailbox, MARCH + timedelta(days=2))
    first, second = Conversation.objects.order_by("pk")
    person = a_member(mailbox)
    hours = [MARCH + timedelta(hours=hour) for hour in range(6)]
    Assignment.objects.create(conversation=first, person=person, began_at=hours[1], ended_at=hours[2])
    Assignment.objects.create(conversation=first, person=person, began_at=hours[3])
    # In somebody's hand already when the message came.
    Assignment.objects.create(conversation=second, person=person, began_at=MARCH)
    for at, undone in ((hours[4], hours[5]), (hours[5], None)):
        ConversationEvent.objects.create(conversation=first, at=at, what="done", undone_at=undone)
    (one,) = statistics(FunctionMailbox.objects.all(), MARCH, APRIL).figures
    assert (one.assigned.count, one.assigned.median) == (2, timedelta(minutes=30))
    assert one.done == Wait(1, timedelta(hours=5), timedelta(hours=5))


def test_the_period_begins_and_ends_at_swedish_midnight(mailbox):
    for at in (MARCH - timedelta(seconds=1), MARCH, APRIL - timedelta(seconds=1), APRIL):
        exchange(mailbox, at)
    found = statistics(FunctionMailbox.objects.all(), MARCH, APRIL)
    assert found.figures[0].arrived == 2
    assert [step.arrived for step in found.periods] == [1] + [0] * 29 + [1]


@pytest.mark.parametrize(("days", "step"), [(10, "day"), (100, "week"), (400, "month")])
def test_steps_are_long_enough_to_be_seen_and_count_everything(mailbox, days, step):
    for number in range(days):
        exchange(mailbox, MARCH + timedelta(days=number, hours=12))
    until = (MARCH + timedelta(days=days)).replace(tzinfo=SWEDISH_TIME)
    found = statistics(FunctionMailbox.objects.all(), MARCH, until)
    assert found.length == step
    assert sum(one.arrived for one in found.periods) == days
    assert len(found.periods) <= 36


def test_a_mailbox_without_messages_has_figures_too(mailbox):
    (one,) = statistics(FunctionMailbox.objects.all(), MARCH, APRIL).figures
    assert (one.arrived, one.answered) == (0, Wait())


def test_only_what_one_answers_for_is_counted(mailbox, client):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    elsewhere = FunctionMailbox.objects.create(participant_id="0203:x.se", address="a", name="Deras")
    for box in (mailbox, beside, elsewhere):
        exchange(box, MARCH)
    asked = {"since": "2026-03-01", "until": "2026-03-31"}

    def seen() -> list[str]:
        figures = client.get(reverse("administration-statistics"), asked).context["statistics"].figures
        return [one.mailbox.name for one in figures]

    log_in(client, with_role("administrator"))
    assert seen() == ["Ekonomi", "Mottagning"]
    log_in(client, a_member(beside, role=Membership.Role.MANAGER))
    assert seen() == ["Ekonomi"]
    asked["mailbox"] = str(mailbox.pk)
    assert seen() == []


def test_the_number_of_queries_does_not_grow(mailbox, client):
    log_in(client, with_role("administrator"))
    counts = []
    for number in range(2):
        FunctionMailbox.objects.create(participant_id=HERE, address=f"x{number}", name=f"X{number}")
        exchange(mailbox, MARCH)
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("administration-statistics"))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_chart_is_well_formed_and_its_bars_are_the_figures(mailbox, client):
    exchange(mailbox, MARCH + timedelta(hours=1), timedelta(hours=1))
    exchange(mailbox, MARCH + timedelta(hours=1))
    log_in(client, with_role("administrator"))
    asked = {"since": "2026-03-01", "until": "2026-03-07"}
    html = client.get(reverse("administration-statistics"), asked).content.decode()
    svg = etree.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])
    bars = svg.findall("{*}rect")
    assert len(bars) == 14
    heights = {bar.get("class"): float(bar.get("height")) for bar in bars[:2]}
    assert heights["in"] == 2 * heights["out"] > 0
    assert all(float(bar.get("height")) == 0 for bar in bars[2:])
    assert "style=" not in html[html.index("<svg") : html.index("</svg>")]


@pytest.mark.parametrize("count", [0, 1, 3, 7, 99, 12_345])
def test_the_highest_bar_fits(count):
    chart = chart_of([Period(MARCH.date(), count, 0)])
    assert 0 <= max(bar.height for bar in chart.bars) <= chart.base
    assert float(chart.beside[-1].text) >= count


def test_the_file_has_the_same_figures_and_is_logged(mailbox, client):
    exchange(mailbox, MARCH, timedelta(hours=2))
    log_in(client, with_role("administrator"))
    asked = {"since": "2026-03-01", "until": "2026-03-31"}
    response = client.get(reverse("administration-statistics-file"), asked)
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert lines[1].startswith(
        "Mottagning;2026-03-01T00:00:00+01:00;2026-04-01T00:00:00+02:00;1;1;0;0;;;1;7200;7200;0;;"
    )
    assert AccessLogEntry.objects.filter(what="statistics-exported").count() == 1


@pytest.mark.parametrize(
    "asked", [{"since": "x"}, {"since": "2999-01-01"}, {"until": "1902-99-99"}, {"mailbox": "²"}]
)
def test_a_period_that_cannot_be_gives_the_last_four_weeks(mailbox, client, asked):
    log_in(client, with_role("administrator"))
    page = client.get(reverse("administration-statistics"), asked)
    assert len(page.context["statistics"].periods) == 28


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(10, "under en minut"), (60, "1 minut"), (3000, "50 minuter"), (3600, "1 timme"), (172_800, "2 dagar")],
)
def test_lengths_are_told_as_people_say_them(seconds, words):
    assert in_words(timedelta(seconds=seconds)) == words
    assert in_words(None) == "–"
