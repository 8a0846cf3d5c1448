"""The stream of "fetch again": server-sent events for one browser.

In production `serve` answers, in front of Django's middleware: a stream holds neither a thread nor a
connection to the database. What its person may see is asked together with what all others may (see
`mailbox.live.batches`).
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse, parse_cookie
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_GET

from mailbox.events import CHANGED, Stream, hub

from .batches import Batches
from .open_pages import Look, Page, Seen, Sight, leave, look

PATH: Final = "/handelser"
_HEARTBEAT_SECONDS: Final = 15.0
# Between two that say that a page is to be fetched again; what happens meanwhile is told by the second.
_CHANGED_SECONDS: Final = 2.0
_JITTER_SECONDS: Final = 0.4
# Where every page is to look, as after the database was away, they do not all come at once.
_SPREAD_SECONDS: Final = 3.0
_RETRY_MILLISECONDS: Final = (2000, 6000)
_MOST_OF_ONE_LOGIN: Final = 500
_random: Final = random.SystemRandom()
_looks: Final[Batches[Look, Seen]] = Batches(look)
_goings: Final[Batches[tuple[Sight, datetime], None]] = Batches(leave)
_open: Final[Counter[str]] = Counter()
# Two processes do not ask at the same moment either.
_phase: Final = _random.random()


@dataclass(slots=True)
class _Beat:
    """When the page last said that somebody is there, and who else was."""

    at: datetime | None = None
    there: frozenset[tuple[int, int, bool]] = frozenset()

    def is_over(self) -> bool:
        """Also where something happens all the time, it is said again in time."""
        age = timezone.now() - self.at if self.at else timedelta()
        return age >= timedelta(seconds=_HEARTBEAT_SECONDS - 1)

    def take(self, seen: Seen) -> bool:
        """Remember what was seen; whether somebody is not there any more."""
        if seen.at is None:
            return False
        before, self.at, self.there = self.there, seen.at, seen.there
        return bool(before - seen.there)


async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The stream as an ASGI application of its own; 401 for nobody, 503 where the database is away.

    `konversation` and `utkast`, as often as need be, say what the browser's pages show: while the stream is
    open, its person is there.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    host = split_domain_port(headers.get("host", ""))[0]
    if scope["method"] != "GET" or not validate_host(host, _hosts()):
        await _refuse(send, 405 if scope["method"] != "GET" else 400)
        return
    session_key = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
    said = QueryDict(scope["query_string"])
    page = Page.asked(session_key, said.getlist("konversation"), said.getlist("utkast"))
    try:
        sight = (await _looks.ask(Look(page))).sight if session_key else None
    except DatabaseError:
        await _refuse(send, 503)
        return
    if sight is None or _open[session_key] >= _MOST_OF_ONE_LOGIN:
        await _refuse(send, 401 if sight is None else 429)
        return
    _open[session_key] += 1
    writing = asyncio.create_task(_write(page, sight, send))
    reading = asyncio.create_task(_until_gone(receive))
    try:
        await asyncio.wait({writing, reading}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (writing, reading):
            task.cancel()
        await asyncio.gather(writing, reading, return_exceptions=True)
        _open[session_key] -= 1
        if not _open[session_key]:
            del _open[session_key]


@require_GET
async def stream(request: HttpRequest) -> HttpResponseBase:
    """The same for servers that know Django only, such as `runserver`."""
    session_key = request.session.session_key or ""
    page = Page.asked(session_key, request.GET.getlist("konversation"), request.GET.getlist("utkast"))
    sight = (await _looks.ask(Look(page))).sight if session_key else None
    if sight is None:
        return HttpResponse(status=401)
    response = StreamingHttpResponse(_events(page, sight), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(page: Page, seen: Sight) -> AsyncGenerator[bytes, None]:
    yield f"retry: {_random.randint(*_RETRY_MILLISECONDS)}\n\n".encode()
    beat = _Beat()
    try:
        async with hub.stream(seen.mailbox_ids, seen.person_id, seen.conversation_ids) as listening:
            if seen.places:
                beat.take(await _seen(page, is_here=True))
            # What happened before the stream was there has been missed: look once.
            yield _event(CHANGED)
            told_at = _now()
            while True:
                heard = await listening.heard(_until_beat())
                if CHANGED in heard:
                    await listening.pause(_delay(listening, told_at))
                    heard |= listening.taken()
                # Nobody is told more than they may see now: who was locked or left gets no further word.
                now = await _seen(page, is_here=beat.is_over())
                if now.sight != seen:
                    # A page that nobody may see any more is left; another is fetched again.
                    yield _event("ended") if now.sight is None else _event(CHANGED)
                    return
                if beat.take(now):
                    # Somebody has gone without a word.
                    heard |= {CHANGED}
                if CHANGED in heard:
                    told_at = _now()
                for name in sorted(heard):
                    yield _event(name)
                if not heard:
                    yield b": here\n\n"
    finally:
        if seen.places and beat.at is not None:
            await asyncio.shield(_goings.ask((seen, beat.at)))


async def _seen(page: Page, *, is_here: bool) -> Seen:
    """What the page may see now. While the database is away, nobody is told anything."""
    while True:
        try:
            return await _looks.ask(Look(page, is_here))
        except DatabaseError:
            await asyncio.sleep(_CHANGED_SECONDS + _random.uniform(0, _SPREAD_SECONDS))


def _delay(listening: Stream, told_at: float) -> float:
    spread = _SPREAD_SECONDS if listening.is_one_of_all() else _JITTER_SECONDS
    return max(0.0, told_at + _CHANGED_SECONDS - _now()) + _random.uniform(0, spread)


def _until_beat() -> float:
    """All streams of a process beat at the same moment, so that they ask together."""
    return _HEARTBEAT_SECONDS * (1 - (_now() / _HEARTBEAT_SECONDS + _phase) % 1)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _event(name: str) -> bytes:
    return f"event: {name}\ndata: 1\n\n".encode()


async def _write(page: Page, sight: Sight, send: Any) -> None:
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async with aclosing(_events(page, sight)) as events:
        async for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Any, status: int) -> None:
    headers = [(b"cache-control", b"no-store"), (b"content-length", b"0")]
    if status in {429, 503}:
        headers.append((b"retry-after", str(_random.randint(2, 10)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _hosts() -> list[str]:
    # As Django's own requests have it.
    return settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
