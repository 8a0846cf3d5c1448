"""Live updates are published on commit, and only to those who may see the mailbox."""

import asyncio

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.test import AsyncClient

from mailbox import events
from mailbox.live.hub import hub
from mailbox.models import FunctionMailbox, Membership, Person
from tests.mailbox.live.reading import next_event
from transport.database import connection_parameters

pytestmark = pytest.mark.django_db(transaction=True)


def heard(listening: psycopg.Connection) -> list[str]:
    return [notice.payload for notice in listening.notifies(timeout=0.2)]


def test_what_is_announced_is_out_on_commit_and_gone_on_rollback():
    with psycopg.connect(**connection_parameters(), autocommit=True) as listening:
        listening.execute(f"LISTEN {events.CHANNEL}")
        with transaction.atomic():
            events.announce(1)
            assert heard(listening) == []
        assert heard(listening) == ["1"]
        with transaction.atomic():
            events.announce(2)
            transaction.set_rollback(True)
        assert heard(listening) == []


def _setup() -> tuple[Person, FunctionMailbox, FunctionMailbox]:
    person, _ = Person.add("1", "Karin")
    own = FunctionMailbox.objects.create(participant_id="0203:a.se", address="a", name="A")
    other = FunctionMailbox.objects.create(participant_id="0203:b.se", address="b", name="B")
    Membership.objects.create(person=person, mailbox=own)
    return person, own, other


def test_a_stream_tells_of_one_s_own_mailboxes_and_ends_when_one_is_locked():
    person, own, other = _setup()
    client = AsyncClient()

    async def story() -> None:
        assert (await client.get("/handelser")).status_code == 401
        await sync_to_async(client.force_login)(person, backend="mailbox.accounts.login.EidBackend")
        response = await client.get("/handelser")
        stream = response.streaming_content.__aiter__()
        assert (await next_event(stream)).startswith(b"retry: ")
        assert b"changed" in await next_event(stream)
        # The listener has connected: every stream looks once.
        assert b"changed" in await next_event(stream)
        waiting = asyncio.ensure_future(next_event(stream))
        await sync_to_async(events.announce)(other.pk)
        done, _ = await asyncio.wait([waiting], timeout=0.5)
        assert not done, "another mailbox is nobody's business"
        await sync_to_async(events.announce)(own.pk)
        assert b"changed" in await asyncio.wait_for(waiting, 10)
        await sync_to_async(Person.objects.filter(pk=person.pk).update)(is_active=False)
        await sync_to_async(events.announce_to)(person.pk)
        assert b"ended" in await next_event(stream)
        with pytest.raises(StopAsyncIteration):
            await next_event(stream)
        hub._listener.cancel()
        await sync_to_async(lambda: connection.close())()

    asyncio.run(story())
