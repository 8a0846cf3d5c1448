"""The stream of "fetch again"."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from ..access import mailboxes_of
from ..events import hub
from ..sessions import is_over

_HEARTBEAT_SECONDS: Final = 15.0
_RETRY_MILLISECONDS: Final = 3000


@dataclass(frozen=True, slots=True)
class _Sight:
    """Who looks, and at which mailboxes."""

    person_id: int
    mailbox_ids: frozenset[int]


@require_GET
async def stream(request: HttpRequest) -> HttpResponseBase:
    """Server-sent events for the mailboxes of whoever asks; 401 for nobody."""
    seen = await _sight_of(request)
    if seen is None:
        return HttpResponse(status=401)
    response = StreamingHttpResponse(_events(request, seen), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(request: HttpRequest, seen: _Sight) -> AsyncGenerator[bytes, None]:
    yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
    async with hub.stream(seen.mailbox_ids, seen.person_id) as listening:
        # What happened before the stream was there has been missed: look once.
        yield b"event: changed\ndata: 1\n\n"
        while True:
            changed = await listening.changed(_HEARTBEAT_SECONDS)
            # Nobody is told more than they may see now: who was locked or left gets no further word.
            now = await _sight_of(request)
            if now != seen:
                # A page that nobody may see any more is left; another is fetched again.
                yield b"event: ended\ndata: 1\n\n" if now is None else b"event: changed\ndata: 1\n\n"
                return
            yield b"event: changed\ndata: 1\n\n" if changed else b": here\n\n"


@sync_to_async
def _sight_of(request: HttpRequest) -> _Sight | None:
    """What the person may see now; None when logged out or locked."""
    session: SessionBase = type(request.session)(request.session.session_key)
    request.session = session
    person = get_user(request)
    if isinstance(person, AnonymousUser) or is_over(session):
        return None
    return _Sight(person.pk, frozenset(mailboxes_of(person).values_list("pk", flat=True)))
