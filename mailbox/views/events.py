"""The stream of "fetch again"."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_GET

from .. import presence
from ..access import mailboxes_of
from ..events import CHANGED, hub
from ..sessions import is_over

_HEARTBEAT_SECONDS: Final = 15.0
_RETRY_MILLISECONDS: Final = 3000


@dataclass(frozen=True, slots=True)
class _Sight:
    """Who looks, at which mailboxes, and at which conversation their page says that it is."""

    person_id: int
    mailbox_ids: frozenset[int]
    place: presence.Place | None


@dataclass(slots=True)
class _Beat:
    """When the page last said that somebody is there, and who else was."""

    at: datetime | None = None
    there: frozenset[tuple[int, bool]] = frozenset()

    def is_over(self) -> bool:
        """Also where something happens all the time, it is said again in time."""
        age = timezone.now() - self.at if self.at else timedelta()
        return age >= timedelta(seconds=_HEARTBEAT_SECONDS - 1)


@require_GET
async def stream(request: HttpRequest) -> HttpResponseBase:
    """Server-sent events for the mailboxes of whoever asks; 401 for nobody.

    `konversation` or `utkast` says what the page shows: while the stream is open, its person is there.
    """
    seen = await _sight_of(request)
    if seen is None:
        return HttpResponse(status=401)
    response = StreamingHttpResponse(_events(request, seen), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(request: HttpRequest, seen: _Sight) -> AsyncGenerator[bytes, None]:
    yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
    conversation_id = seen.place.conversation_id if seen.place else None
    beat = _Beat()
    try:
        async with hub.stream(seen.mailbox_ids, seen.person_id, conversation_id) as listening:
            await _be_there(seen, beat)
            # What happened before the stream was there has been missed: look once.
            yield _event(CHANGED)
            while True:
                heard = await listening.heard(_HEARTBEAT_SECONDS)
                # Nobody is told more than they may see now: who was locked or left gets no further word.
                now = await _sight_of(request)
                if now != seen:
                    # A page that nobody may see any more is left; another is fetched again.
                    yield _event("ended") if now is None else _event(CHANGED)
                    return
                if beat.is_over() and await _be_there(seen, beat):
                    # Somebody has gone without a word.
                    heard |= {CHANGED}
                for name in sorted(heard):
                    yield _event(name)
                if not heard:
                    yield b": here\n\n"
    finally:
        await asyncio.shield(_leave(seen, beat))


def _event(name: str) -> bytes:
    return f"event: {name}\ndata: 1\n\n".encode()


@sync_to_async
def _be_there(seen: _Sight, beat: _Beat) -> bool:
    """Say that the person is there; whether somebody else is not there any more."""
    if seen.place is None:
        return False
    beat.at = presence.note(seen.person_id, seen.place)
    there, before = presence.there_now(seen.place.conversation_id), beat.there
    beat.there = there
    return bool(before - there)


@sync_to_async
def _leave(seen: _Sight, beat: _Beat) -> None:
    if seen.place is not None and beat.at is not None:
        presence.leave(seen.person_id, seen.place, beat.at)


@sync_to_async
def _sight_of(request: HttpRequest) -> _Sight | None:
    """What the person may see now; None when logged out or locked."""
    session: SessionBase = type(request.session)(request.session.session_key)
    request.session = session
    person = get_user(request)
    if isinstance(person, AnonymousUser) or is_over(session):
        return None
    told = request.GET
    place = presence.place_of(person, conversation=told.get("konversation", ""), draft=told.get("utkast", ""))
    return _Sight(person.pk, frozenset(mailboxes_of(person).values_list("pk", flat=True)), place)
