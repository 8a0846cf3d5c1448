"""What a process hears of announcements, and what it reads afterwards because nobody listened."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from datetime import timedelta

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.utils import timezone

from mailbox import events
from mailbox.live import hub as hub_module
from mailbox.live.hub import Hub, Stream
from mailbox.models import Announcement
from transport.database import connection_parameters

pytestmark = pytest.mark.django_db(transaction=True)
PERSON = 7
_NAME = "listener of this test"


@pytest.fixture(autouse=True)
def quick(db, monkeypatch):
    """What is waited for a few seconds in a node is waited for shortly here; the listener's connection has a
    name."""
    monkeypatch.setattr(hub_module, "_RECONNECT_SECONDS", 0.3)
    monkeypatch.setattr(hub_module, "_SNAPSHOT_SECONDS", 0.2)
    named = {**connection_parameters(), "application_name": _NAME}
    monkeypatch.setattr(hub_module, "connection_parameters", lambda: named)


@contextlib.asynccontextmanager
async def listening(hub: Hub, *mailbox_ids: int) -> AsyncIterator[list[Stream]]:
    """A stream for each of the mailboxes, when the listener is connected and has told what it had missed."""
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(hub.stream([key], PERSON)) for key in mailbox_ids]
        for stream in streams:
            await stream.wait(20)
        try:
            yield streams
        finally:
            assert hub._listener is not None
            hub._listener.cancel()
            await asyncio.wait([hub._listener], timeout=20)
            await sync_to_async(lambda: connection.close())()


def told(story) -> None:
    asyncio.run(asyncio.wait_for(story(), 60))


def recorded(payload: str, age: timedelta) -> None:
    """An announcement of some time ago, by another process."""
    events._notify_all([payload])
    Announcement.objects.filter(payload=payload).update(announced_at=timezone.now() - age)


def break_listener() -> None:
    """The server ends the connection of whoever listens."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = %s",
            [_NAME],
        )
        assert cursor.fetchall() == [(True,)]


async def settled(hub: Hub) -> None:
    """Wait until what has been announced before is known to have been heard."""
    before = hub._latest
    while hub._latest is before or hub._settled in {before, None}:
        await asyncio.sleep(0.05)
    before = hub._settled
    while hub._settled is before:
        await asyncio.sleep(0.05)


def test_a_process_that_begins_tells_what_was_announced_shortly_before():
    recorded("1", timedelta(seconds=10))
    recorded("2", timedelta(seconds=hub_module.REMEMBERED_SECONDS + 5))
    hub = Hub()

    async def story() -> None:
        async with hub.stream([1], PERSON) as one, hub.stream([2], PERSON) as two, listening(hub, 3):
            assert one.pop() == {"changed"}
            assert one.waits_for_turn
            assert two.pop() == frozenset()
            # So it knows at once what pages have missed that come a moment later.
            assert hub.remembered(["1", "2", "3"]) == ["1"]

    told(story)


def test_a_process_that_finds_no_announcement_of_before_cannot_know_what_was_missed():
    recorded("1", timedelta(seconds=10))
    hub = Hub()

    async def story() -> None:
        async with hub.stream([2], PERSON) as stream, listening(hub, 3):
            assert stream.pop() == {"changed"}
            assert hub.remembered(["2"]) is None

    told(story)


def test_only_what_was_announced_while_the_connection_was_broken_is_told_afterwards():
    recorded("9", timedelta(minutes=5))
    hub = Hub()

    async def story() -> None:
        async with listening(hub, 1, 2, 3) as (one, two, three):
            await sync_to_async(events.announce)(3)
            assert await three.wait(20) == {"changed"}
            assert not three.waits_for_turn
            await settled(hub)
            await sync_to_async(break_listener)()
            await sync_to_async(events.announce)(1)
            assert hub.remembered(["1"]) == []
            assert await one.wait(20) == {"changed"}
            assert one.waits_for_turn
            # The others are woken, to say that they are there, and told of nothing.
            assert await two.wait(20) == await three.wait(20) == frozenset()
            assert hub.remembered(["1", "2"]) == ["1"]

    told(story)


def test_what_was_begun_before_the_connection_broke_and_committed_afterwards_is_told():
    recorded("9", timedelta(minutes=5))
    hub = Hub()

    async def story() -> None:
        async with listening(hub, 1) as (stream,):
            async with await psycopg.AsyncConnection.connect(**connection_parameters()) as slow:
                await slow.execute(events.ANNOUNCE, [["1"], events.CHANNEL])
                await settled(hub)
                await sync_to_async(break_listener)()
                await slow.commit()
            assert await stream.wait(20) == {"changed"}

    told(story)


def test_what_is_rolled_back_is_told_to_nobody():
    recorded("9", timedelta(minutes=5))
    hub = Hub()

    def announce_and_roll_back() -> None:
        with transaction.atomic():
            events.announce(1)
            transaction.set_rollback(True)

    async def story() -> None:
        async with listening(hub, 1) as (stream,):
            await settled(hub)
            await sync_to_async(break_listener)()
            await sync_to_async(announce_and_roll_back)()
            assert await stream.wait(20) == frozenset()

    told(story)


@pytest.mark.parametrize("reason", ["another timeline", "away for long"])
def test_where_nobody_knows_what_was_missed_every_page_is_told(reason, monkeypatch):
    recorded("9", timedelta(minutes=5))
    hub = Hub()
    if reason == "away for long":
        monkeypatch.setattr(hub_module, "_LONGEST_AWAY_SECONDS", -1.0)

    async def story() -> None:
        async with listening(hub, 1) as (stream,):
            await settled(hub)
            if reason == "another timeline":
                monkeypatch.setattr(
                    hub_module, "_SNAPSHOT", hub_module._SNAPSHOT.replace("left(", "'F' || left(")
                )
            await sync_to_async(break_listener)()
            assert await stream.wait(20) == {"changed"}
            assert stream.waits_for_turn
            assert hub.remembered(["1"]) is None

    told(story)


def test_announcements_are_kept_for_as_long_as_a_listener_may_be_away():
    recorded("1", timedelta(minutes=59))
    recorded("2", timedelta(minutes=61))
    events.remove_old()
    assert list(Announcement.objects.values_list("payload", flat=True)) == ["1"]
    assert timedelta(seconds=hub_module._LONGEST_AWAY_SECONDS) < events.KEPT


def test_an_announcement_holds_keys_and_times_alone():
    events.announce(1)
    events.announce_to(2)
    events.announce_writing(3)
    events.announce_presence(4)
    rows = Announcement.objects.order_by("pk").values_list("payload", flat=True)
    assert list(rows) == ["1", "person 2", "conversation 3", "presence 4"]
    assert not Announcement.objects.filter(transaction_number__lte=0).exists()


def test_what_is_told_in_turn_does_not_delay_what_changes_later():
    stream = Stream([1], PERSON, [5])
    stream.add("presence 5", in_turn=True)
    assert (stream.pop(), stream.waits_for_turn) == ({"presence"}, True)
    stream.add("1")
    assert (stream.pop(), stream.waits_for_turn) == ({"changed"}, False)


def test_a_lock_is_told_at_once_though_the_page_waits_for_its_turn():
    stream = Stream([1], PERSON, [])

    async def waited(turn: Coroutine[None, None, None]) -> int:
        return len([None async for _ in stream.pause_until(turn)])

    async def story() -> None:
        waiting = asyncio.ensure_future(waited(asyncio.sleep(3600)))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        stream.add(events.of_person(PERSON))
        assert await asyncio.wait_for(waiting, 20) == 1

    told(story)


def test_a_page_that_waits_for_its_turn_says_so_again_and_again(monkeypatch):
    monkeypatch.setattr(hub_module, "_SAYS_AGAIN_SECONDS", 0.1)
    stream = Stream([1], PERSON, [])

    async def story() -> None:
        assert len([None async for _ in stream.pause_until(asyncio.sleep(0.5))]) > 2

    told(story)
