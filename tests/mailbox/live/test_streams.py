"""Streams of many pages: what they ask the database together, and what is told at once."""

import asyncio
import time
from contextlib import aclosing

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connection
from django.http import QueryDict
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailbox import events
from mailbox.accounts import sessions
from mailbox.accounts.session_store import SessionStore
from mailbox.live import hub as hub_module
from mailbox.live import open_pages
from mailbox.live import stream as stream_view
from mailbox.live.hub import hub
from mailbox.models import Conversation, FunctionMailbox, Membership, Person, Presence
from tests.mailbox.live.reading import next_event


@pytest.fixture
def mailbox(db) -> FunctionMailbox:
    return FunctionMailbox.objects.create(participant_id="0203:a.se", address="a", name="A")


@pytest.fixture
def conversation(mailbox) -> Conversation:
    return Conversation.objects.create(
        mailbox=mailbox,
        conversation_id="6f1b1b2e-6b0f-4f6c-9d5b-3f1c1f6f0a01",
        counterpart="B",
        last_activity_at=timezone.now(),
    )


def logged_in(number: int, *mailboxes: FunctionMailbox) -> tuple[Person, str]:
    person, _ = Person.add(str(number), f"Person {number}")
    for box in mailboxes:
        Membership.objects.create(person=person, mailbox=box)
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "mailbox.accounts.login.EidBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session[sessions.BEGUN] = session[sessions.SEEN] = time.time()
    session.save()
    return person, str(session.session_key)


def queries_for(keys: list[str], conversation: Conversation) -> int:
    checks = [
        open_pages.PageCheck(open_pages.Page(key, (conversation.pk,)), marks_presence=True) for key in keys
    ]
    open_pages.check_pages(checks)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        answers = open_pages.check_pages(checks)
    assert all(answer.access is not None and answer.access.activities for answer in answers)
    return len(asked)


def test_thirty_pages_ask_the_database_as_often_as_one(mailbox, conversation):
    keys = [logged_in(number, mailbox)[1] for number in range(30)]
    assert queries_for(keys, conversation) == queries_for(keys[:1], conversation) <= 10


def test_each_page_is_answered_for_its_own_person(mailbox, conversation):
    """A conversation of others is nobody's to be at; a forged key is nobody."""
    member, key = logged_in(1, mailbox)
    stranger, other = logged_in(2)
    locked, third = logged_in(3, mailbox)
    Person.objects.filter(pk=locked.pk).update(is_active=False)
    sessions_of_pages = (key, other, third, "forged", "")
    pages = [open_pages.Page(session, (conversation.pk, 10**9)) for session in sessions_of_pages]
    checks = [open_pages.PageCheck(page) for page in pages]
    found = [answer.access for answer in open_pages.check_pages(checks)]
    assert found[0] is not None
    assert (found[0].person_id, found[0].mailbox_ids) == (member.pk, {mailbox.pk})
    assert found[0].conversation_ids == {conversation.pk}
    assert found[1] == open_pages.PageAccess(stranger.pk, frozenset(), frozenset())
    assert found[2:] == [None, None, None]


@pytest.mark.django_db(transaction=True)
def test_a_lock_is_told_at_once_though_a_change_waits(mailbox, monkeypatch):
    monkeypatch.setattr(stream_view, "_CHANGED_SECONDS", 3600.0)
    person, _ = logged_in(1, mailbox)
    client = AsyncClient()

    async def story() -> None:
        try:
            await sync_to_async(client.force_login)(person, backend="mailbox.accounts.login.EidBackend")
            stream = (await client.get("/handelser")).streaming_content.__aiter__()
            for _ in range(2):
                await next_event(stream)
            following = asyncio.ensure_future(next_event(stream))
            # The listener has connected when a change is heard, and that waits for an hour.
            await sync_to_async(events.announce)(mailbox.pk)
            done, _ = await asyncio.wait([following], timeout=0.5)
            assert not done
            await sync_to_async(Person.objects.filter(pk=person.pk).update)(is_active=False)
            while not following.done():
                await sync_to_async(events.announce_to)(person.pk)
                await asyncio.wait([following], timeout=1)
            assert following.result() == b"event: ended\ndata: 1\n\n"
            assert [event async for event in stream] == []
        finally:
            # What is left open would keep the tables from being emptied.
            hub._listener.cancel()
            await sync_to_async(lambda: connection.close())()

    asyncio.run(asyncio.wait_for(story(), 60))


@pytest.mark.django_db(transaction=True)
def test_a_page_that_waits_for_its_turn_is_present_and_ends_when_its_person_is_locked(
    mailbox, conversation, monkeypatch
):
    """Nobody announces the lock: it may be what was missed."""
    monkeypatch.setattr(hub_module, "_SAYS_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(stream_view, "_HEARTBEAT_SECONDS", 1.0)
    monkeypatch.setattr(stream_view.turns, "wait", lambda: asyncio.sleep(3600))
    person, key = logged_in(1, mailbox)
    page = open_pages.Page(key, (conversation.pk,))
    seen = Presence.objects.filter(person=person)

    async def story() -> None:
        try:
            access = (await stream_view._checks.ask(open_pages.PageCheck(page))).access
            async with aclosing(stream_view._events(page, access)) as stream:
                # The listener has connected, and does not know what was missed.
                while await asyncio.wait_for(anext(stream), 20) != stream_view._WAITING:
                    pass
                before = (await seen.aget()).seen_at
                while (await seen.aget()).seen_at == before:
                    assert await asyncio.wait_for(anext(stream), 20) == stream_view._WAITING
                await sync_to_async(Person.objects.filter(pk=person.pk).update)(is_active=False)
                while (said := await asyncio.wait_for(anext(stream), 20)) == stream_view._WAITING:
                    pass
                assert said == b"event: ended\ndata: 1\n\n"
        finally:
            hub._listener.cancel()
            await sync_to_async(lambda: connection.close())()

    asyncio.run(asyncio.wait_for(story(), 60))


async def first_events(session_key: str, query: str) -> list[bytes]:
    """What a stream says when it is opened, besides when to come back: within a second and a half."""
    page = open_pages.Page.from_query(session_key, QueryDict(query))
    access = (await stream_view._checks.ask(open_pages.PageCheck(page))).access
    async with aclosing(stream_view._events(page, access)) as stream:
        assert (await next_event(stream)).startswith(b"retry: ")
        following = asyncio.ensure_future(next_event(stream))
        done, _ = await asyncio.wait([following], timeout=1.5)
        if done:
            return [following.result().splitlines()[0]]
        following.cancel()
        await asyncio.wait([following], timeout=20)
        return []


@pytest.mark.django_db(transaction=True)
def test_a_page_that_is_up_to_date_is_told_only_of_what_it_has_missed(mailbox, conversation, monkeypatch):
    monkeypatch.setattr(stream_view, "_until_heartbeat", lambda _: 3600.0)
    other = FunctionMailbox.objects.create(participant_id="0203:a.se", address="b", name="B")
    _, key = logged_in(1, mailbox)
    shown = f"conversation={conversation.pk}"

    async def story() -> None:
        try:
            # This process has not listened long enough to know.
            await first_events(key, "continued=1")
            while hub._known_since < 0:
                await asyncio.sleep(0.05)
            assert await first_events(key, "continued=1") == [b"event: changed"]
            hub._known_since -= hub_module.REMEMBERED_SECONDS + 1
            assert await first_events(key, "continued=1") == []
            assert await first_events(key, "") == [b"event: changed"]
            await sync_to_async(events.announce)(other.pk)
            await sync_to_async(events.announce_presence)(conversation.pk)
            while hub.remembered([f"presence {conversation.pk}"]) == []:
                await asyncio.sleep(0.05)
            assert await first_events(key, "continued=1") == []
            assert await first_events(key, f"continued=1&{shown}") == [b"event: presence"]
            await sync_to_async(events.announce)(mailbox.pk)
            while hub.remembered([str(mailbox.pk)]) == []:
                await asyncio.sleep(0.05)
            assert await first_events(key, "continued=1") == [b"event: changed"]
            # What was long ago is forgotten.
            for payload in hub._heard:
                hub._heard[payload] -= hub_module.REMEMBERED_SECONDS + 1
            assert await first_events(key, "continued=1") == []
            await sync_to_async(events.announce)(other.pk)
            while hub.remembered([str(other.pk)]) == []:
                await asyncio.sleep(0.05)
            assert str(mailbox.pk) not in hub._heard
        finally:
            # What is left open would keep the tables from being emptied.
            hub._listener.cancel()
            hub._heard.clear()
            await sync_to_async(lambda: connection.close())()

    asyncio.run(asyncio.wait_for(story(), 60))


def test_pages_that_lose_their_stream_come_back_at_different_times():
    page, access = open_pages.Page("key"), open_pages.PageAccess(1, frozenset(), frozenset())

    async def pause() -> int:
        told = stream_view._events(page, access)
        try:
            return int((await anext(told)).removeprefix(b"retry: "))
        finally:
            await told.aclose()

    async def story() -> set[int]:
        return {await pause() for _ in range(50)}

    pauses = asyncio.run(story())
    assert len(pauses) > 25
    assert all(1_000 <= milliseconds <= 10_000 for milliseconds in pauses)


def test_a_page_from_before_an_upgrade_says_what_it_shows_by_the_old_names():
    old = open_pages.Page.from_query("key", QueryDict("konversation=2&konversation=1&utkast=3&utkast=x"))
    new = open_pages.Page.from_query("key", QueryDict("conversation=2&conversation=1&draft=3&draft=x"))
    assert old == new == open_pages.Page("key", (1, 2), (3,))


@pytest.mark.parametrize(
    ("query", "status"), [(b"&".join([b"conversation=1"] * 1001), 400), (b"conversation=%00&%ff=%ff", 401)]
)
def test_a_stream_of_nobody_is_refused_whatever_stands_in_its_address(query, status):
    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost")]
    asyncio.run(stream_view.serve({"method": "GET", "query_string": query, "headers": headers}, None, send))
    assert [message.get("status") for message in sent] == [status, None]
