"""More open pages than PostgreSQL has connections: a node answers all of them, and does so after its database
has been away.

The real server processes, each against a real PostgreSQL with `max_connections` 50.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

import psycopg
import pytest
import requests
from django.conf import settings
from playwright.sync_api import expect

from mailbox import events
from tests.faults.pages import PATIENCE, Pages
from tests.faults.streams import Line
from tests.journeys.browser import chromium
from tests.nodes import eventually
from transport.message_api.clients import tokens
from transport.message_api.models import ApiClient

pytestmark = pytest.mark.xdist_group("many-pages")
STREAMS = 300


async def _request(pages: Pages, path: str, session: str = "") -> tuple[int, Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", pages.port)
    cookie = f"Cookie: many_session={session}\r\n" if session else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    return status, Line(reader, writer, status)


async def _fetched(pages: Pages, path: str, session: str = "") -> int:
    """The status of a page that is read whole."""
    status, line = await _request(pages, path, session)
    await line.reader.read(1000)
    line.writer.close()
    return status


@contextlib.asynccontextmanager
async def streams(
    pages: Pages, count: int, people: Sequence[int] = range(17)
) -> AsyncGenerator[list[Line], None]:
    """So many open pages of these people: every other one shows a conversation."""
    asked = [
        _request(
            pages,
            f"/handelser?conversation={pages.conversation}" if number % 2 else "/handelser",
            pages.sessions[people[number % len(people)]],
        )
        for number in range(count)
    ]
    lines = [line for _, line in await asyncio.gather(*asked)]
    try:
        yield lines
    finally:
        for line in lines:
            line.writer.close()


async def _burst(pages: Pages, path: str, session: str, count: int, at_once: int) -> list[int]:
    gate = asyncio.Semaphore(at_once)

    async def one() -> int:
        async with gate:
            return await _fetched(pages, path, session)

    return await asyncio.gather(*(one() for _ in range(count)))


def test_pages_are_answered_beside_more_streams_than_there_are_connections(pages):
    async def story() -> None:
        async with asyncio.timeout(PATIENCE), streams(pages, STREAMS) as lines:
            assert {line.status for line in lines} == {200}
            login, start = await asyncio.gather(
                _burst(pages, "/logga-in", "", 200, 30), _burst(pages, "/", pages.sessions[0], 60, 30)
            )
            assert set(login) == {200}
            assert set(start) == {200}
            pages.change()
            await asyncio.gather(*(line.next(b"changed") for line in lines))

    asyncio.run(story())
    ((connected,),) = pages.query("SELECT count(*) FROM pg_stat_activity WHERE datname = 'pages'")
    assert connected < 15, "no thread has kept a connection of its own"


def test_streams_outlive_their_database_and_pages_answer_again(pages):
    async def story() -> None:
        # What was announced just before is told once more, in turn.
        async with asyncio.timeout(PATIENCE), streams(pages, STREAMS // 3) as lines:
            assert {line.status for line in lines} == {200}
            await asyncio.gather(*(line.next(b"changed") for line in lines))
            await asyncio.to_thread(pages.postgres.kill)
            # While the database is away, nobody is told that something here is broken.
            meanwhile = asyncio.create_task(_burst(pages, "/", pages.sessions[0], 5, 5))
            await asyncio.to_thread(pages.postgres.revive)
            assert set(await meanwhile) <= {200, 503}
            # Every stream is still there, says so, and tells its page of what happens from now on.
            await asyncio.gather(*(line.next(b"here") for line in lines))
            await asyncio.to_thread(pages.change)
            await asyncio.gather(*(line.next(b"changed") for line in lines))
            assert set(await _burst(pages, "/", pages.sessions[0], 20, 10)) == {200}

    asyncio.run(story())


def _take_all_connections(pages: Pages, held: contextlib.ExitStack) -> None:
    """Until none of the pages' processes has one."""
    url = pages.postgres.url("pages")
    first = held.enter_context(psycopg.connect(url, autocommit=True))
    first.execute("SET application_name = 'the test'")
    while True:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                held.enter_context(psycopg.connect(url, application_name="the test"))
        ended = first.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = 'pages' AND application_name <> 'the test'"
        ).fetchall()
        if not ended:
            return


def test_a_page_without_a_free_connection_is_told_to_come_again(pages):
    """All of the server's are taken by others: 503 with Retry-After for pages, streams and the API."""

    # One that the API has to look up.
    token = tokens.issue(ApiClient(client_id="somebody"), "urn:sdk.api:getMessagesByFilter")["access_token"]

    async def story() -> None:
        with contextlib.ExitStack() as held:
            _take_all_connections(pages, held)
            async with asyncio.timeout(PATIENCE):
                asked = (
                    asyncio.to_thread(
                        requests.get,
                        f"http://127.0.0.1:{pages.port}{path}",
                        cookies={"many_session": pages.sessions[0]},
                        headers={"Authorization": f"Bearer {token}"},
                        timeout=40,
                    )
                    for path in ("/", "/handelser", "/v1/sdk/messages")
                )
                for answer in await asyncio.gather(*asked):
                    assert answer.status_code == 503, answer.url
                    assert int(answer.headers["Retry-After"]) > 0
        async with asyncio.timeout(PATIENCE):
            assert await _fetched(pages, "/", pages.sessions[0]) == 200

    asyncio.run(story())


def test_whoever_is_locked_loses_a_stream_though_all_shared_connections_are_in_use(pages):
    # Nobody's in other tests.
    person = 17

    async def story() -> None:
        url = pages.postgres.url("pages")
        async with asyncio.timeout(PATIENCE), streams(pages, 1, (person,)) as (line,):
            await line.next(b"changed")
            with psycopg.connect(url) as holding:
                holding.execute("LOCK TABLE mailbox_conversation IN ACCESS EXCLUSIVE MODE")
                waiting = asyncio.create_task(_burst(pages, "/", pages.sessions[0], 20, 20))
                waits = "SELECT FROM pg_stat_activity WHERE datname = 'pages' AND wait_event_type = 'Lock'"
                while len(await asyncio.to_thread(pages.query, waits)) < settings.SDK_DATABASE_POOL:
                    await asyncio.sleep(0.1)
                await asyncio.to_thread(_lock_out, pages, person)
                await line.next(b"ended")
                assert not waiting.done()
            assert set(await waiting) <= {200, 503}

    asyncio.run(story())


def _lock_out(pages: Pages, person: int) -> None:
    statement = f"UPDATE mailbox_person SET is_active = false WHERE name = 'Person {person}' RETURNING id"
    ((key,),) = pages.query(statement)
    pages.query(events.ANNOUNCE, [events.of_person(key)], events.CHANNEL)


def test_whoever_is_logged_out_or_locked_loses_a_stream_at_once(pages):
    # These two are nobody's in other tests.
    people = (18, 19)

    async def story() -> None:
        async with asyncio.timeout(PATIENCE), streams(pages, 2, people) as lines:
            for line in lines:
                await line.next(b"changed")
            for line, person, statement in zip(
                lines,
                people,
                (
                    f"DELETE FROM django_session WHERE session_key = '{pages.rows[18]}' RETURNING 1",
                    "UPDATE mailbox_person SET is_active = false WHERE name = 'Person 19' RETURNING 1",
                ),
                strict=True,
            ):
                assert pages.query(statement) == [(1,)]
                pages.query(
                    "SELECT pg_notify('mailbox_changed', 'person ' || id) "
                    f"FROM mailbox_person WHERE name = 'Person {person}'"
                )
                await line.next(b"ended")
            for person in people:
                assert await _fetched(pages, "/handelser", pages.sessions[person]) == 401

    asyncio.run(story())


COUNTING = """
(() => {
  const Real = window.EventSource;
  window.sources = [];
  window.EventSource = class extends Real {
    constructor(...given) { super(...given); window.sources.push(this); }
  };
  Object.assign(window.EventSource, { CONNECTING: 0, OPEN: 1, CLOSED: 2 });
})()
"""
# In one go, so that no save comes between.
TYPING = """
() => {
  const field = document.querySelector("#draft [name=subject]");
  field.value = "Åtta flikar";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  return document.getElementById("saved").textContent;
}
"""
OPEN = "window.sources.filter((source) => source.readyState === 1).length"


def test_eight_tabs_share_one_stream_and_what_is_written_in_one_of_them_is_saved(pages):
    """Over HTTP/1.1 a browser has six connections for all tabs: a stream in each would leave none."""
    with chromium() as browser:
        context = browser.new_context(locale="sv-SE")
        context.set_default_timeout(PATIENCE * 1000)
        base = f"http://127.0.0.1:{pages.port}"
        context.add_cookies([{"name": "many_session", "value": pages.sessions[5], "url": base}])
        context.add_init_script(COUNTING)
        tabs = [context.new_page() for _ in range(8)]

        def streams_open() -> int:
            return sum(tab.evaluate(OPEN) for tab in tabs)

        for tab in tabs[:7]:
            tab.goto(f"{base}/", wait_until="domcontentloaded")
        eventually(lambda: streams_open() == 1, what="one stream for seven tabs")
        draft = tabs[7]
        draft.goto(f"{base}/brevlada/{pages.mailbox}/", wait_until="domcontentloaded")
        draft.get_by_role("button", name="Nytt meddelande").click()
        expect(draft.locator("#saved")).to_contain_text("Inget skrivet än", timeout=PATIENCE * 1000)
        draft.wait_for_load_state("domcontentloaded")
        assert draft.evaluate(TYPING) == "Inte sparat än"
        expect(draft.locator("#saved")).to_contain_text("Sparat", timeout=PATIENCE * 1000)
        eventually(lambda: streams_open() == 1, what="one stream for eight tabs")
        # What the stream says reaches tabs that do not hold it.
        follower = next(tab for tab in tabs[:7] if not tab.evaluate(OPEN))
        with follower.expect_request(lambda request: request.headers.get("hx-request") == "true"):
            pages.change()
        # Whoever holds it goes: another takes over.
        holder = next(tab for tab in tabs if tab.evaluate(OPEN))
        tabs.remove(holder)
        holder.close()
        eventually(lambda: streams_open() == 1, what="another tab to take over")
        context.close()


def test_a_tab_that_is_hidden_holds_no_stream_and_looks_again_when_it_is_seen(pages):
    with chromium() as browser:
        context = browser.new_context(locale="sv-SE")
        context.set_default_timeout(PATIENCE * 1000)
        base = f"http://127.0.0.1:{pages.port}"
        context.add_cookies([{"name": "many_session", "value": pages.sessions[6], "url": base}])
        context.add_init_script(COUNTING)
        tab = context.new_page()
        tab.goto(f"{base}/", wait_until="domcontentloaded")
        eventually(lambda: tab.evaluate(OPEN) == 1, what="the stream")
        turn = (
            "(state) => { Object.defineProperty(document, 'visibilityState', "
            "{ value: state, configurable: true }); "
            "document.dispatchEvent(new Event('visibilitychange')); }"
        )
        tab.evaluate(turn, "hidden")
        eventually(lambda: tab.evaluate(OPEN) == 0, what="no stream in a hidden tab")
        with tab.expect_request(lambda request: request.headers.get("hx-request") == "true"):
            tab.evaluate(turn, "visible")
        eventually(lambda: tab.evaluate(OPEN) == 1, what="the stream again")
        context.close()
