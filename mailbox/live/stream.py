"""The stream of server-sent events that tells one browser which of its pages to fetch again.

In production `serve` answers, in front of Django's middleware: a stream holds neither a thread nor a
connection to the database. What its person may see is looked up together with that of all other streams (see
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
from django.core.exceptions import TooManyFieldsSent
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse, parse_cookie
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_GET

from .batches import Batches
from .hub import CHANGED, hub
from .open_pages import Page, PageAccess, PageCheck, PageStatus, check_pages, close_pages
from .turns import turns

PATH: Final = "/handelser"
_HEARTBEAT_SECONDS: Final = 15.0
# The streams of a process are divided among so many heartbeats: those of one ask the database together, and
# thousands at the same moment would keep requests waiting.
_HEARTBEATS: Final = 10
# The least time between two `changed` events; the second covers all that has happened since the first.
_CHANGED_SECONDS: Final = 2.0
_JITTER_SECONDS: Final = 0.4
# Where the database is away, pages ask for it again at different times.
_ASKS_AGAIN_SECONDS: Final = (2.0, 5.0)
_RETRY_MILLISECONDS: Final = (2000, 6000)
_MOST_OF_ONE_LOGIN: Final = 500
# The database is away; the page waits for its turn. Neither says that the page is up to date.
_STILL_OPEN: Final = b": here\n\n"
_WAITING: Final = b": waiting\n\n"
_random: Final = random.SystemRandom()
_checks: Final[Batches[PageCheck, PageStatus]] = Batches(check_pages)
_closed_pages: Final[Batches[tuple[PageAccess, datetime], None]] = Batches(close_pages)
_open_streams: Final[Counter[str]] = Counter()


@dataclass(slots=True)
class _LastReport:
    """When the stream last recorded its person as present, and who was in the page's conversations then."""

    at: datetime | None = None
    present: frozenset[tuple[int, int, bool]] = frozenset()

    def is_due(self) -> bool:
        """Whether presence has to be recorded again, however often other events come in between."""
        age = timezone.now() - self.at if self.at else timedelta()
        return age >= timedelta(seconds=_HEARTBEAT_SECONDS - 1)

    def update(self, status: PageStatus) -> bool:
        """Remember the status; returns whether somebody who was present has gone."""
        if status.marked_at is None:
            return False
        before, self.at, self.present = self.present, status.marked_at, status.present
        return bool(before - status.present)


async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The stream as an ASGI application of its own; 400 for a request that Django would refuse, 401 for
    nobody, 503 where the database is away.

    The parameters `conversation` and `draft`, as often as need be, say what the browser's pages show: while
    the stream is open, its person is present there. With `continued=1` a page that is up to date is not told
    to fetch again when the stream opens.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    host = split_domain_port(headers.get("host", ""))[0]
    if scope["method"] != "GET" or not validate_host(host, _hosts()):
        await _refuse(send, 405 if scope["method"] != "GET" else 400)
        return
    session_key = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
    try:
        page = Page.from_query(session_key, QueryDict(scope["query_string"]))
    except TooManyFieldsSent:
        await _refuse(send, 400)
        return
    try:
        access = (await _checks.ask(PageCheck(page))).access if session_key else None
    except DatabaseError:
        await _refuse(send, 503)
        return
    if access is None or _open_streams[session_key] >= _MOST_OF_ONE_LOGIN:
        await _refuse(send, 401 if access is None else 429)
        return
    _open_streams[session_key] += 1
    writing = asyncio.create_task(_write(page, access, send))
    reading = asyncio.create_task(_until_disconnected(receive))
    try:
        await asyncio.wait({writing, reading}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (writing, reading):
            task.cancel()
        await asyncio.gather(writing, reading, return_exceptions=True)
        _open_streams[session_key] -= 1
        if not _open_streams[session_key]:
            del _open_streams[session_key]


@require_GET
async def stream(request: HttpRequest) -> HttpResponseBase:
    """The stream as a Django view, for servers that run Django alone, such as `runserver`."""
    session_key = request.session.session_key or ""
    page = Page.from_query(session_key, request.GET)
    access = (await _checks.ask(PageCheck(page))).access if session_key else None
    if access is None:
        return HttpResponse(status=401)
    response = StreamingHttpResponse(_events(page, access), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(page: Page, access: PageAccess) -> AsyncGenerator[bytes, None]:
    yield f"retry: {_random.randint(*_RETRY_MILLISECONDS)}\n\n".encode()
    report = _LastReport()
    heartbeat = _random.randrange(_HEARTBEATS)
    try:
        async with hub.stream(access.mailbox_ids, access.person_id, access.conversation_ids) as subscription:
            if access.activities:
                while (status := await _status(page, marks_presence=True)) is None:
                    yield _STILL_OPEN
                report.update(status)
            missed = hub.remembered(subscription.payloads) if page.is_continued else None
            sent_at = 0.0
            if missed is None:
                # The page may have missed what happened before the stream was open: it fetches once.
                yield _event(CHANGED)
                sent_at = _now()
            for payload in missed or ():
                subscription.add(payload)
            while True:
                names = await subscription.wait(_until_heartbeat(heartbeat))
                if CHANGED in names:
                    is_one_of_many = subscription.waits_for_turn
                    await subscription.pause(_delay(sent_at))
                    if is_one_of_many:
                        async with aclosing(subscription.pause_until(turns.wait())) as pause:
                            async for _ in pause:
                                # Whoever was locked meanwhile does not wait, and who waits is still present.
                                status = await _status(page, marks_presence=report.is_due())
                                if status is not None:
                                    report.update(status)
                                    if status.access != access:
                                        break
                                yield _WAITING
                    names |= subscription.pop()
                # Checked before every event, so that nobody hears of more than they may see now.
                while (status := await _status(page, marks_presence=report.is_due())) is None:
                    # A proxy closes what is silent.
                    yield _STILL_OPEN
                if status.access != access:
                    # The browser leaves a page that its person may not see any more, and opens a new stream
                    # where they see other mailboxes than before.
                    yield _event("ended") if status.access is None else _event(CHANGED)
                    return
                if report.update(status):
                    # Somebody's presence has expired, which nothing announces.
                    names |= {CHANGED}
                if CHANGED in names:
                    sent_at = _now()
                for name in sorted(names):
                    yield _event(name)
                if not names:
                    yield _event("here")
    finally:
        if access.activities and report.at is not None:
            await asyncio.shield(_closed_pages.ask((access, report.at)))


async def _status(page: Page, *, marks_presence: bool) -> PageStatus | None:
    """What the page may see now; None, after a pause, where the database is away."""
    try:
        return await _checks.ask(PageCheck(page, marks_presence))
    except DatabaseError:
        await asyncio.sleep(_random.uniform(*_ASKS_AGAIN_SECONDS))
        return None


def _delay(sent_at: float) -> float:
    return max(0.0, sent_at + _CHANGED_SECONDS - _now()) + _random.uniform(0, _JITTER_SECONDS)


def _until_heartbeat(number: int) -> float:
    """Seconds until the next time of this heartbeat."""
    return _HEARTBEAT_SECONDS * (1 - (_now() / _HEARTBEAT_SECONDS + number / _HEARTBEATS) % 1)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _event(name: str) -> bytes:
    return f"event: {name}\ndata: 1\n\n".encode()


async def _write(page: Page, access: PageAccess, send: Any) -> None:
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async with aclosing(_events(page, access)) as events:
        async for event in events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _until_disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Any, status: int) -> None:
    headers = [(b"cache-control", b"no-store"), (b"content-length", b"0")]
    if status in {429, 503}:
        headers.append((b"retry-after", str(_random.randint(2, 10)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _hosts() -> list[str]:
    # What Django's `HttpRequest.get_host` allows.
    return settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
