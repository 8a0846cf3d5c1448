"""By when what has arrived is to be opened, answered and done, and what is told of it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mailbox.conversations import assignment, reassignment, state_changes, undo
from mailbox.delivery.inbound import add_to_conversation, deliver
from mailbox.models import (
    AccessLogEntry,
    Conversation,
    FunctionMailbox,
    Membership,
    Message,
    ServiceLevels,
    StaffedHours,
    TimeLimit,
)
from mailbox.staffed_hours import time_limits
from mailbox.statistics.figures import LimitsKept, statistics
from mailbox.tasks import recompute_time_limits
from mailbox.workplace import inbox
from mailbox.workplace.list_order import Order
from tests.mailbox.build import a_member, arrives, log_in
from tests.transport.protocol.build import a_message
from transport.message_service.client_port import Delivered
from transport.protocol.identifiers import ParticipantId

pytestmark = pytest.mark.django_db
HERE = "0203:habo.se"
SWEDEN = ZoneInfo("Europe/Stockholm")
OFFICE = [[480, 1020]]
HOUR = timedelta(hours=1)
Kind = TimeLimit.Kind
FRIDAY = datetime(2026, 10, 23, 15, tzinfo=SWEDEN)


@pytest.fixture
def karin(mailbox, client):
    person = a_member("Karin", mailbox)
    log_in(client, person)
    return person


@pytest.fixture
def levels(mailbox):
    return ServiceLevels.objects.create(
        mailbox=mailbox, opened_within_hours=2, answered_within_hours=8, done_within_hours=16
    )


@pytest.fixture
def hours(mailbox):
    return StaffedHours.objects.create(participant_id=HERE, mailbox=mailbox, week=[OFFICE] * 5 + [[], []])


def arrives_at(
    mailbox: FunctionMailbox, at: datetime, conversation: Conversation | None = None
) -> Conversation:
    message = a_message(recipient=ParticipantId(mailbox.participant_id))
    if conversation is not None:
        header = message.header
        values = {name: getattr(header, name) for name in header.__slots__}
        values["conversation_id"] = str(conversation.conversation_id)
        message = message.__class__(header.__class__(**values), message.documents)
    deliver([Delivered(mailbox.participant_id, message, "0203:af.se", at)])
    return Message.objects.get(message_id=message.header.message_id).conversation


def limits_of(conversation: Conversation) -> dict[str, datetime]:
    running = TimeLimit.objects.filter(conversation=conversation, ended_at=None)
    return dict(running.values_list("kind", "limit_at"))


def late(conversation: Conversation, *kinds: Kind, hours: int = 3) -> None:
    """As if the limits had been missed so many hours ago."""
    at = timezone.now() - hours * HOUR
    TimeLimit.objects.filter(conversation=conversation, kind__in=kinds).update(limit_at=at)
    Conversation.objects.filter(pk=conversation.pk).update(limit_at=at, limit_kind=kinds[0])


def answered(conversation: Conversation) -> None:
    conversation = Conversation.objects.get(pk=conversation.pk)
    message = Message.objects.create(
        conversation=conversation,
        direction=Message.Direction.OUT,
        message_id="00000000-0000-0000-0000-000000000001",
        is_confidential=False,
        at=timezone.now(),
    )
    add_to_conversation(conversation, message, has_files=False)


def test_limits_are_counted_in_staffed_hours_from_the_arrival(mailbox, levels, hours):
    conversation = arrives_at(mailbox, FRIDAY)
    assert limits_of(conversation) == {
        "opened": datetime(2026, 10, 23, 17, tzinfo=SWEDEN),
        "answered": datetime(2026, 10, 26, 14, tzinfo=SWEDEN),
        "done": datetime(2026, 10, 27, 13, tzinfo=SWEDEN),
    }
    assert (conversation.limit_at, conversation.limit_kind) == (
        datetime(2026, 10, 23, 17, tzinfo=SWEDEN),
        "opened",
    )


def test_without_hours_every_hour_counts(mailbox, levels):
    assert limits_of(arrives_at(mailbox, FRIDAY))["answered"] == FRIDAY.astimezone(UTC) + 8 * HOUR


def test_without_levels_nothing_runs(mailbox, hours):
    conversation = arrives_at(mailbox, FRIDAY)
    assert (limits_of(conversation), conversation.limit_at) == ({}, None)


def test_a_mailbox_that_never_opens_has_no_limits(mailbox, levels, hours):
    StaffedHours.objects.update(week=[[]] * 7)
    assert limits_of(arrives_at(mailbox, FRIDAY)) == {}


def test_a_batch_asks_as_often_for_one_message_as_for_many(mailbox, levels, hours, django_assert_num_queries):
    rows = [
        Conversation.objects.create(
            mailbox=mailbox,
            conversation_id=f"00000000-0000-0000-0000-{number:012}",
            counterpart="X",
            last_activity_at=FRIDAY,
        )
        for number in range(5)
    ]
    with django_assert_num_queries(4):
        time_limits.start([(rows[0], FRIDAY)])
    with django_assert_num_queries(4):
        time_limits.start([(row, FRIDAY) for row in rows])


def test_a_further_message_does_not_put_off_what_the_first_began(mailbox, levels, hours):
    conversation = arrives_at(mailbox, FRIDAY)
    before = limits_of(conversation)
    assert arrives_at(mailbox, FRIDAY + HOUR, conversation).pk == conversation.pk
    assert limits_of(conversation) == before


def test_opening_it_ends_the_limit_for_that(client, mailbox, karin, levels):
    conversation = arrives(mailbox).conversation
    client.get(reverse("conversation", args=[conversation.pk]), headers={"x-background": "1"})
    assert set(limits_of(conversation)) == {"opened", "answered", "done"}
    client.get(reverse("conversation", args=[conversation.pk]))
    assert set(limits_of(conversation)) == {"answered", "done"}
    conversation.refresh_from_db()
    assert conversation.limit_kind == "answered"


def test_opening_it_does_not_end_what_has_arrived_since(mailbox, karin, levels):
    conversation = arrives_at(mailbox, FRIDAY)
    assignment.note_opened(Conversation.objects.get(pk=conversation.pk), karin)
    as_it_was_read = Conversation.objects.get(pk=conversation.pk)
    arrives_at(mailbox, FRIDAY + HOUR, conversation)
    assignment.note_opened(as_it_was_read, karin)
    assert "opened" in limits_of(conversation)
    assignment.note_opened(Conversation.objects.get(pk=conversation.pk), karin)
    assert "opened" not in limits_of(conversation)


def test_answering_it_ends_the_limit_for_that_and_the_next_message_begins_another(mailbox, karin, levels):
    conversation = arrives_at(mailbox, FRIDAY)
    answered(conversation)
    assert set(limits_of(conversation)) == {"done"}
    arrives_at(mailbox, FRIDAY + 24 * HOUR, conversation)
    assert limits_of(conversation)["answered"] == FRIDAY.astimezone(UTC) + 32 * HOUR


@pytest.mark.parametrize("change", [state_changes.finish, state_changes.move_to_trash])
def test_what_is_done_or_put_away_has_no_limits_until_that_is_undone(mailbox, karin, levels, change):
    conversation = arrives_at(mailbox, FRIDAY)
    before = limits_of(conversation)
    event = change(conversation.pk, karin)
    conversation.refresh_from_db()
    assert (limits_of(conversation), conversation.limit_at) == ({}, None)
    undo.undo(event.pk, karin)
    conversation.refresh_from_db()
    assert (limits_of(conversation), conversation.limit_at) == (before, before["opened"])


def test_what_moves_to_another_mailbox_has_that_ones_limits(mailbox, karin, levels):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    ServiceLevels.objects.create(mailbox=beside, answered_within_hours=40)
    nils = a_member("Nils", beside)
    conversation = arrives_at(mailbox, FRIDAY)
    made = reassignment.offer(conversation.pk, karin, to=beside, done="Ringt", remains="Svara")
    reassignment.accept(made.pk, nils)
    conversation.refresh_from_db()
    assert limits_of(conversation) == {"answered": FRIDAY.astimezone(UTC) + 40 * HOUR}
    assert (conversation.limit_at, conversation.limit_kind) == (
        limits_of(conversation)["answered"],
        "answered",
    )


def page_of(mailbox: FunctionMailbox) -> str:
    return reverse("administration-mailbox-hours", args=[mailbox.pk])


def test_changed_levels_and_hours_change_the_limits_that_run(client, mailbox, karin, levels):
    Membership.objects.update(role=Membership.Role.MANAGER)
    conversation = arrives_at(mailbox, FRIDAY)
    client.post(page_of(mailbox), {"action": "levels", "answered": "4", "done": ""})
    assert AccessLogEntry.objects.filter(what="service-levels-changed", mailbox=mailbox).exists()
    assert "opened" in limits_of(conversation)
    recompute_time_limits()
    assert limits_of(conversation) == {"answered": FRIDAY.astimezone(UTC) + 4 * HOUR}
    client.post(page_of(mailbox), {"friday": "8-17", "monday": "8-17"})
    recompute_time_limits()
    expected = datetime(2026, 10, 26, 10, tzinfo=SWEDEN)
    assert limits_of(conversation) == {"answered": expected}
    conversation.refresh_from_db()
    assert conversation.limit_at == expected
    assert not ServiceLevels.objects.exclude(recompute_since=None).exists()
    client.post(page_of(mailbox), {"action": "levels"})
    recompute_time_limits()
    conversation.refresh_from_db()
    assert (limits_of(conversation), conversation.limit_at, conversation.limit_kind) == ({}, None, "")


def test_new_levels_are_for_what_waits_already(mailbox, karin):
    waits, was_answered, was_done = (arrives_at(mailbox, FRIDAY) for _ in range(3))
    answered(was_answered)
    state_changes.finish(was_done.pk, karin)
    time_limits.set_levels(karin, mailbox, {Kind.OPENED: 1, Kind.ANSWERED: 8, Kind.DONE: 16})
    recompute_time_limits()
    assert set(limits_of(waits)) == {"answered", "done"}
    assert set(limits_of(was_answered)) == {"done"}
    assert limits_of(was_done) == {}


def test_computing_anew_begins_nothing_that_has_been_met(mailbox, karin, levels):
    conversation = arrives_at(mailbox, FRIDAY)
    event = state_changes.finish(conversation.pk, karin)
    state_changes.reopen(conversation.pk, karin)
    time_limits.set_levels(karin, mailbox, {Kind.ANSWERED: 8, Kind.DONE: 16})
    recompute_time_limits()
    assert limits_of(conversation) == {}
    assert event.before["time_limits"]


def test_the_organisations_hours_concern_all_its_mailboxes(mailbox, karin, levels, client):
    other = FunctionMailbox.objects.create(participant_id="0203:annan.se", address="x", name="Annan")
    ServiceLevels.objects.create(mailbox=other, done_within_hours=1)
    row = StaffedHours.objects.create(participant_id=HERE)
    time_limits.calendars.remove(karin, time_limits.calendars.Owner(HERE))
    assert not StaffedHours.objects.filter(pk=row.pk).exists()
    marked = ServiceLevels.objects.exclude(recompute_since=None).values_list("mailbox", flat=True)
    assert list(marked) == [mailbox.pk]


def test_a_change_while_limits_are_computed_has_them_computed_again(mailbox, karin, levels, monkeypatch):
    conversation = arrives_at(mailbox, FRIDAY)
    time_limits.set_levels(karin, mailbox, {Kind.DONE: 1})
    recompute = time_limits.recompute

    def changed_meanwhile(rows, box):
        recompute(rows, box)
        monkeypatch.undo()
        time_limits.set_levels(karin, box, {Kind.DONE: 2})

    monkeypatch.setattr(time_limits, "recompute", changed_meanwhile)
    recompute_time_limits()
    assert ServiceLevels.objects.get().recompute_since is not None
    recompute_time_limits()
    assert limits_of(conversation) == {"done": FRIDAY.astimezone(UTC) + 2 * HOUR}


@pytest.mark.parametrize("text", ["0", "-1", "2001", "1.5", "x", "9" * 400, "1\0"])
def test_limits_that_cannot_be_are_told(client, mailbox, karin, text):
    Membership.objects.update(role=Membership.Role.MANAGER)
    response = client.post(page_of(mailbox), {"action": "levels", "done": text})
    assert response.status_code == 422
    assert not ServiceLevels.objects.exists()


def test_the_row_the_head_and_the_start_page_tell_how_much_time_is_left(client, mailbox, karin, levels):
    conversation = arrives(mailbox).conversation
    in_list = client.get(reverse("mailbox", args=[mailbox.pk])).content.decode()
    assert "Öppna: 1 tim kvar" in " ".join(in_list.split())
    head = client.get(reverse("conversation", args=[conversation.pk])).content.decode()
    assert "Svara: 7 tim kvar" in " ".join(head.split())
    assert "Besvaras senast" in head
    assert "Öppnas senast" not in head
    late(conversation, Kind.ANSWERED)
    start = " ".join(client.get(reverse("start")).content.decode().split())
    assert "Svara: 3 tim för sent" in start
    assert 'id="brattom"' in start


def test_what_was_missed_longest_ago_is_first_in_the_view_of_what_is_urgent(client, mailbox, karin, levels):
    first, second, third, _later = (arrives(mailbox).conversation for _ in range(4))
    Conversation.objects.update(limit_at=timezone.now() + timedelta(days=3))
    late(second, Kind.ANSWERED, hours=9)
    late(first, Kind.ANSWERED, hours=5)
    late(third, Kind.DONE, hours=1)
    page = inbox.page_of(mailbox, karin, view=inbox.View.URGENT)
    assert [row.pk for row in page.rows] == [second.pk, first.pk, third.pk]
    by_limit = inbox.page_of(mailbox, karin, order=Order.TIME_LIMIT)
    assert [row.pk for row in by_limit.rows][:3] == [second.pk, first.pk, third.pk]
    text = client.get(reverse("mailbox", args=[mailbox.pk]), {"view": "brattom"}).content.decode()
    assert "Bråttom" in text
    state_changes.finish(second.pk, karin)
    page = inbox.page_of(mailbox, karin, view=inbox.View.URGENT)
    assert [row.pk for row in page.rows] == [first.pk, third.pk]
    found = inbox.page_of(mailbox, karin, filters=inbox.Filters(status=inbox.Status.LATE))
    assert {row.pk for row in found.rows} == {first.pk, third.pk}


def test_a_mailbox_without_limits_does_not_show_the_view(client, mailbox, karin):
    arrives(mailbox)
    assert "Bråttom" not in client.get(reverse("start")).content.decode()
    text = client.get(reverse("mailbox", args=[mailbox.pk])).content.decode()
    assert "view=brattom" not in text


def test_what_is_urgent_for_a_colleague_is_left_to_them(client, mailbox, karin, levels):
    conversation = arrives(mailbox).conversation
    late(conversation, Kind.DONE)
    nils = a_member("Nils", mailbox)
    assignment.assign(conversation.pk, nils)
    assert 'id="brattom"' not in client.get(reverse("start")).content.decode()


def test_whoever_has_left_the_mailbox_sees_nothing_of_it(client, mailbox, karin, levels):
    late(arrives(mailbox).conversation, Kind.DONE)
    Membership.objects.all().delete()
    assert 'id="brattom"' not in client.get(reverse("start")).content.decode()


def test_statistics_tell_what_was_met_and_what_was_missed(client, mailbox, karin, levels):
    Membership.objects.update(role=Membership.Role.MANAGER)
    met, missed, _running = (arrives(mailbox).conversation for _ in range(3))
    state_changes.finish(met.pk, karin)
    late(missed, Kind.DONE, Kind.ANSWERED)
    answered(missed)
    since = timezone.now() - timedelta(days=1)
    [figures] = statistics(FunctionMailbox.objects.all(), since, since + timedelta(days=2)).figures
    assert figures.limits == (LimitsKept(2, 0), LimitsKept(1, 1), LimitsKept(1, 1))
    page = " ".join(client.get(reverse("administration-statistics")).content.decode().split())
    assert "1 i tid, 1 för sent" in page
    response = client.get(reverse("administration-statistics-file"))
    header, row = b"".join(response.streaming_content).decode().splitlines()
    assert header.split(";" if ";" in header else ",")[-6:] == [
        "opened_in_time",
        "opened_late",
        "answered_in_time",
        "answered_late",
        "done_in_time",
        "done_late",
    ]
    assert row.split(";" if ";" in header else ",")[-6:] == ["2", "0", "1", "1", "1", "1"]


def test_a_list_asks_no_more_often_because_more_rows_have_limits(client, mailbox, karin, levels):
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("mailbox", args=[mailbox.pk]))
            client.get(reverse("start"))
        return len(queries)

    late(arrives(mailbox).conversation, Kind.DONE)
    asked()
    before = asked()
    for _ in range(4):
        late(arrives(mailbox).conversation, Kind.DONE)
    assert asked() == before
