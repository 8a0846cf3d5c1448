"""The sums of each day agree with a recount of everything that ever was, erased conversations included."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailbox.administration import retention
from mailbox.daily_figures import storage
from mailbox.daily_figures.steps import BEYOND, bound_of
from mailbox.models import (
    Conversation,
    CounterpartName,
    DailyCounterpart,
    DailyFigures,
    DailyWait,
    FiguresCount,
    FunctionMailbox,
    Message,
    RetentionRule,
    StaffedHours,
)
from transport.message_service.models import Organisation

from .build import (
    HERE,
    a_conversation,
    a_limit,
    a_mailbox,
    a_message,
    at,
    clock,
    counted,
    done,
    registered,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    return a_mailbox("Mottagning")


def sums(mailbox: FunctionMailbox) -> dict[str, tuple[int, ...]]:
    rows = DailyFigures.objects.filter(mailbox=mailbox, is_erased=False).order_by("day")
    return {
        row.day.isoformat(): (row.arrived, row.sent, row.registered, row.minor, row.done_missed)
        for row in rows
    }


def erase(*conversations: Conversation) -> None:
    """Erase them as retention does, which is due by a rule."""
    for row in conversations:
        RetentionRule.objects.get_or_create(mailbox=row.mailbox, state="trash", defaults={"days": 30})
        Conversation.objects.filter(pk=row.pk).update(state="trash")
    assert retention.run() == len(conversations)


def test_a_days_messages_are_those_of_the_swedish_day_in_nights_when_clocks_change(mailbox):
    talk = a_conversation(mailbox)
    # Forward on 29 March 2026, back on 25 October: both days end and begin at Swedish midnight.
    for moment in (
        datetime(2026, 3, 28, 22, 59, tzinfo=UTC),
        datetime(2026, 3, 28, 23, 0, tzinfo=UTC),
        datetime(2026, 3, 29, 21, 59, tzinfo=UTC),
        datetime(2026, 3, 29, 22, 0, tzinfo=UTC),
        datetime(2026, 10, 24, 21, 59, tzinfo=UTC),
        datetime(2026, 10, 24, 22, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 22, 59, tzinfo=UTC),
        datetime(2026, 10, 25, 23, 0, tzinfo=UTC),
    ):
        a_message(talk, moment)
    counted()
    assert {day: values[0] for day, values in sums(mailbox).items()} == {
        "2026-03-28": 1,
        "2026-03-29": 2,
        "2026-03-30": 1,
        "2026-10-24": 1,
        "2026-10-25": 2,
        "2026-10-26": 1,
    }


def test_waits_count_staffed_hours_in_the_night_when_the_clock_is_set_back(mailbox):
    StaffedHours.objects.create(
        participant_id=HERE, mailbox=mailbox, week=[[[0, 1440]]] * 7, is_closed_on_holidays=False
    )
    talk = a_conversation(mailbox)
    a_message(talk, at("2026-10-25", "00:30"))
    # Three hours by the clock, four that pass.
    a_message(talk, at("2026-10-25", "03:30"), "out")
    counted()
    wait = DailyWait.objects.get(step="answered")
    assert (wait.day.isoformat(), wait.within_hours, wait.count) == ("2026-10-25", 4, 1)
    assert DailyCounterpart.objects.get(answered=1).answered_minutes == 240


def test_hours_in_which_nobody_is_there_do_not_count(mailbox):
    StaffedHours.objects.create(participant_id=HERE, mailbox=mailbox, week=[[[480, 1020]]] * 5 + [[], []])
    talk = a_conversation(mailbox)
    a_message(talk, at("2026-03-06", "16:30"))
    done(talk, at("2026-03-09", "08:30"))
    counted()
    assert DailyWait.objects.get(step="done").within_hours == 1


@pytest.mark.parametrize(("hours", "bound"), [(0, 1), (1, 1), (1.01, 2), (160, 160), (161, BEYOND)])
def test_a_time_is_told_by_the_smallest_bound_that_it_does_not_exceed(hours, bound):
    assert bound_of(timedelta(hours=hours)) == bound


def test_late_facts_correct_the_day_that_they_are_about(mailbox):
    talk = a_conversation(mailbox)
    message = a_message(talk, at("2026-03-02"))
    counted()
    assert sums(mailbox) == {"2026-03-02": (1, 0, 0, 0, 0)}
    registered(message)
    a_limit(talk, "done", at("2026-03-02"), missed=True)
    counted()
    assert sums(mailbox) == {"2026-03-02": (1, 0, 1, 0, 1)}
    registered(message, "minor")
    counted()
    assert sums(mailbox) == {"2026-03-02": (1, 0, 0, 1, 1)}


def test_counting_twice_changes_nothing_and_writes_nothing(mailbox):
    a_message(a_conversation(mailbox), at("2026-03-02"))
    counted()
    before = list(DailyFigures.objects.values())
    with CaptureQueriesContext(connection) as queries:
        storage.recount(mailbox.pk)
    written = [each["sql"] for each in queries if each["sql"].startswith(("INSERT", "DELETE"))]
    assert all("counterpartname" in sql for sql in written)
    assert list(DailyFigures.objects.values()) == before


def test_figures_stay_when_a_conversation_is_erased_and_are_not_doubled(mailbox):
    talk = a_conversation(mailbox)
    message = a_message(talk, at("2026-03-02"))
    a_message(talk, at("2026-03-02", "13:00"), "out")
    registered(message)
    a_message(a_conversation(mailbox, last_activity_at=timezone.now()), at("2026-03-02"))
    counted()
    before = sums(mailbox), list(DailyWait.objects.filter(is_erased=False).values("step", "count"))
    erase(talk)
    assert sums(mailbox) == before[0], "until the next count the figures are those of the last"
    for _ in range(2):
        counted()
        assert sums(mailbox) == before[0] == {"2026-03-02": (2, 1, 1, 0, 0)}
        assert list(DailyWait.objects.filter(is_erased=False).values("step", "count")) == before[1]


def test_what_was_never_counted_before_it_was_erased_counts_too(mailbox):
    talk = a_conversation(mailbox)
    a_message(talk, at("2026-03-02"))
    erase(talk)
    assert sums(mailbox) == {}
    counted()
    assert sums(mailbox) == {"2026-03-02": (1, 0, 0, 0, 0)}


def test_an_erasure_that_fails_keeps_nothing(mailbox, monkeypatch):
    talk = a_conversation(mailbox)
    a_message(talk, at("2026-03-02"))
    monkeypatch.setattr(retention.events, "announce", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        erase(talk)
    assert not DailyFigures.objects.filter(is_erased=True).exists()


def test_a_conversation_counts_in_the_mailbox_that_has_it_now(mailbox):
    beside = a_mailbox("Ekonomi")
    talk = a_conversation(mailbox)
    a_message(talk, at("2026-03-02"))
    counted()
    Conversation.objects.filter(pk=talk.pk).update(mailbox=beside)
    counted()
    assert sums(mailbox) == {}
    assert sums(beside) == {"2026-03-02": (1, 0, 0, 0, 0)}


def test_messages_of_protected_conversations_have_no_counterpart(mailbox):
    talk = a_conversation(mailbox)
    a_message(talk, at("2026-03-02"), of="kvinnojouren")
    a_limit(talk, "answered", at("2026-03-02"), missed=True)
    counted()
    assert DailyCounterpart.objects.get().counterpart == "0203:kvinnojouren.se"
    Conversation.objects.update(is_protected=True)
    counted()
    row = DailyCounterpart.objects.get()
    assert (row.counterpart, row.arrived, row.limits_missed) == ("", 1, 1)


def test_a_closed_and_renamed_mailbox_keeps_its_figures(mailbox):
    a_message(a_conversation(mailbox), at("2026-03-02"))
    FunctionMailbox.objects.update(is_open=False, name="Gamla mottagningen")
    counted()
    assert sums(mailbox) == {"2026-03-02": (1, 0, 0, 0, 0)}


def test_a_limit_that_has_passed_is_missed_though_nobody_has_done_anything(mailbox):
    talk = a_conversation(mailbox)
    a_message(talk, at("2026-03-02"))
    a_limit(talk, "done", at("2026-03-02"), missed=True)
    talk.time_limits.update(ended_at=None)
    counted()
    assert sums(mailbox)["2026-03-02"][-1] == 1


def test_a_mailbox_is_counted_once_a_night_also_after_a_night_away(mailbox):
    with clock(at("2026-03-02", "00:59")):
        assert (storage.recount_due(), storage.recount_due()) == (1, 0)
    with clock(at("2026-03-02", "01:00")):
        assert (storage.recount_due(), storage.recount_due()) == (1, 0)
    with clock(at("2026-03-05", "14:00")):
        assert (storage.recount_due(), storage.recount_due()) == (1, 0)


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25"])
def test_the_night_begins_once_when_clocks_change(mailbox, night):
    start = at(night, "00:30").astimezone(UTC)
    count = 0
    for quarter in range(4 * 23):
        with clock(start + timedelta(minutes=15 * quarter)):
            count += storage.recount_due()
    # The first time it had never been counted, and then the night began.
    assert count == 2


def test_a_mailbox_that_cannot_be_counted_stops_no_other(mailbox, monkeypatch):
    beside = a_mailbox("Ekonomi")
    whole = storage.count
    monkeypatch.setattr(storage, "count", lambda box, *rest: whole(box, *rest) if box == beside else 1 / 0)
    assert storage.recount_due() == 1
    assert FiguresCount.objects.get().mailbox == beside


def test_the_command_counts_everything_anew(mailbox, capsys):
    a_message(a_conversation(mailbox), at("2026-03-02"))
    counted()
    DailyFigures.objects.update(arrived=7)
    call_command("count_figures")
    assert sums(mailbox) == {"2026-03-02": (1, 0, 0, 0, 0)}
    assert "1 mailboxes counted" in capsys.readouterr().out


def test_the_name_of_a_counterpart_is_that_of_its_latest_messages(mailbox):
    talk = a_conversation(mailbox)
    a_message(talk, at("2026-03-02"))
    later = a_message(talk, at("2026-04-02"))
    Message.objects.filter(pk=later.pk).update(counterpart_organisation="Arbetsförmedlingen")
    counted()
    assert CounterpartName.objects.get().name == "Arbetsförmedlingen"


class History:
    """What ever happened, kept beside the database, and what it counts for."""

    def __init__(self, seed: int, boxes: list[FunctionMailbox]) -> None:
        self.random, self.boxes = random.Random(seed), boxes
        self.talks: dict[int, list[Message]] = {}
        self.kinds: dict[int, str] = {}
        self.gone: Counter[tuple[int, str, str]] = Counter()

    def step(self) -> None:
        acts = [self.write, self.write, self.write, self.register, self.move, self.protect, self.erase]
        self.random.choice(acts if self.talks else [self.write])()

    def write(self) -> None:
        if not self.talks or self.random.random() < 0.5:
            row = a_conversation(self.random.choice(self.boxes))
            self.talks[row.pk] = []
        key = self.random.choice(list(self.talks))
        moment = at("2026-03-27") + timedelta(minutes=self.random.randrange(6 * 24 * 60))
        direction = self.random.choice(["in", "out"])
        message = a_message(
            Conversation.objects.get(pk=key), moment, direction, self.random.choice(["af", "fk"])
        )
        self.talks[key].append(message)

    def register(self) -> None:
        written = [each for talk in self.talks.values() for each in talk]
        if written:
            message, kind = self.random.choice(written), self.random.choice(["case", "minor"])
            registered(message, kind)
            self.kinds[message.pk] = kind

    def move(self) -> None:
        key = self.random.choice(list(self.talks))
        Conversation.objects.filter(pk=key).update(mailbox=self.random.choice(self.boxes))

    def protect(self) -> None:
        key = self.random.choice(list(self.talks))
        Conversation.objects.filter(pk=key).update(is_protected=self.random.random() < 0.5)

    def erase(self) -> None:
        key = self.random.choice(list(self.talks))
        self.gone += self.counts_of(key)
        erase(Conversation.objects.get(pk=key))
        del self.talks[key]

    def counts_of(self, key: int) -> Counter[tuple[int, str, str]]:
        box = Conversation.objects.get(pk=key).mailbox_id
        found: Counter[tuple[int, str, str]] = Counter()
        for message in self.talks[key]:
            day = timezone.localtime(message.at).date().isoformat()
            found[box, day, "arrived" if message.direction == "in" else "sent"] += 1
            if message.pk in self.kinds:
                found[box, day, {"case": "registered", "minor": "minor"}[self.kinds[message.pk]]] += 1
        return found

    def expected(self) -> Counter[tuple[int, str, str]]:
        return sum((self.counts_of(key) for key in self.talks), self.gone)


def stored(model: type[DailyFigures] | type[DailyCounterpart]) -> Counter[tuple[int, str, str]]:
    found: Counter[tuple[int, str, str]] = Counter()
    for row in model.objects.filter(is_erased=False):
        for column in ("arrived", "sent", "registered", "minor"):
            found[row.mailbox_id, row.day.isoformat(), column] += getattr(row, column)
    return +found


@pytest.mark.parametrize("seed", range(6))
def test_random_histories_count_for_what_ever_happened(mailbox, seed):
    history = History(seed, [mailbox, a_mailbox("Ekonomi")])
    for _ in range(60):
        history.step()
        if history.random.random() < 0.2:
            counted()
            assert stored(DailyFigures) == history.expected()
    counted()
    assert stored(DailyFigures) == history.expected()
    assert stored(DailyCounterpart) == history.expected()


def test_an_automatic_answer_is_no_answer_and_nothing_that_was_sent(mailbox):
    talk = a_conversation(mailbox)
    a_message(talk, at("2026-03-02", "20:00"))
    automatic = a_message(talk, at("2026-03-02", "20:01"), "out")
    Message.objects.filter(pk=automatic.pk).update(is_automatic=True)
    counted()
    before = sums(mailbox)["2026-03-02"]
    assert before[:2] == (1, 0)
    assert not DailyWait.objects.filter(mailbox=mailbox, step="answered", count__gt=0).exists()
    a_message(talk, at("2026-03-02", "21:00"), "out")
    counted()
    assert sums(mailbox)["2026-03-02"][:2] == (1, 1)
    assert DailyWait.objects.filter(mailbox=mailbox, step="answered", count=1).exists()
