"""Limits for the length of request bodies, checked before a body is read.

Django reads a body whole, into a file where it is long, before it asks who sent it. `BodyLimits` stands in
front of Django and refuses by what the head says; `BodyLimitMiddleware` does so behind servers that know
Django only.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, parse_cookie

from mailbox.live.batches import Batches
from mailbox.live.open_pages import Page, PageCheck, PageStatus, check_pages
from mailbox.provisioning import tokens as directory_tokens
from transport.message_api.clients import tokens

_MEGABYTE: Final = 1024 * 1024
# Without a login: a logout token, a request for an access token, a choice of language.
ANONYMOUS_LIMIT: Final = 64 * 1024
# Forms without files; what Django holds in memory.
FORM_LIMIT: Final = 5 * _MEGABYTE // 2
_REGISTER_LIMIT: Final = 6 * _MEGABYTE
# Form fields and boundaries around files; base64 and JSON around attachments.
_FORM_OVERHEAD: Final = _MEGABYTE
_WITH_FILES: Final = re.compile(r"/utkast/\d+/(bilagor|granska)?\Z")
_API_MESSAGES: Final = "/v1/sdk/messages"
_API: Final = "/v1/"
_SCIM: Final = "/scim/"
_REGISTER_IMPORT: Final = re.compile(r"/administration/funktioner/las-in\Z")
# More digits than any length has; Python refuses to read thousands of them.
_MOST_DIGITS: Final = 18
# A sender that has sent nothing for so long is disconnected.
_SILENCE_SECONDS: Final = 60.0
# A refused body is read and discarded for so long, so that its sender receives the response.
_DRAIN_SECONDS: Final = 10.0


def limit_of(path: str, *, is_authenticated: bool) -> int:
    """The longest body, in bytes, that the path accepts from a person or client, or without a login."""
    if not is_authenticated:
        return ANONYMOUS_LIMIT
    if _WITH_FILES.match(path) or path == _API_MESSAGES:
        return int(settings.SDK_MAX_MESSAGE_BYTES * 1.2) + _FORM_OVERHEAD
    if _REGISTER_IMPORT.match(path):
        return _REGISTER_LIMIT
    return FORM_LIMIT


def announced_length(content_length: str) -> int | None:
    """The number of bytes that a Content-Length announces; None for what is no length of any body."""
    is_number = content_length.isascii() and content_length.isdecimal()
    return int(content_length) if is_number and len(content_length) <= _MOST_DIGITS else None


class BodyLimitMiddleware:
    """Answers 413 when Content-Length is too large; any session cookie counts as a login, and so does
    a request of a directory service."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[..., Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if _is_too_long(request):
            refused = HttpResponse(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return _later(refused) if iscoroutinefunction(self) else refused
        return self.get_response(request)


async def _later(response: HttpResponse) -> HttpResponse:
    return response


def _is_too_long(request: HttpRequest) -> bool:
    if settings.ROOT_URLCONF != "sdkportal.urls" or request.path == _API_MESSAGES:
        # The access point and the API read bodies as streams, with limits of their own.
        return False
    announced = announced_length(request.headers.get("Content-Length") or "0")
    # A directory service's token is looked up by the view.
    is_authenticated = settings.SESSION_COOKIE_NAME in request.COOKIES or request.path.startswith(_SCIM)
    return announced is None or announced > limit_of(request.path, is_authenticated=is_authenticated)


class _TooLong(Exception):
    """The body is longer than its limit."""


class BodyLimits:
    """An ASGI application in front of another: refuses bodies that are too long, before they are read.

    Bodies longer than ANONYMOUS_LIMIT are accepted from people who are logged in and from clients with a
    valid token; both are looked up first.
    """

    def __init__(self, application: Any) -> None:
        self._application = application
        self._checks: Batches[PageCheck, PageStatus] = Batches(check_pages)
        self._tokens: Batches[str, bool] = Batches(_are_valid_tokens)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        content_length = headers.get("content-length", "0" if "transfer-encoding" not in headers else "")
        announced = announced_length(content_length)
        # No login is looked up for a body that needs none.
        is_short = announced is not None and announced <= ANONYMOUS_LIMIT
        limit = limit_of(
            scope["path"], is_authenticated=not is_short and await self._is_authenticated(headers)
        )
        if announced is not None and announced > limit:
            await _refuse(scope["path"], receive, send)
            return
        counted = _CountedBody(receive, limit)
        response_start = _ResponseStart(send)
        try:
            await self._application(scope, counted, response_start)
        except _TooLong:
            if not response_start.has_begun:
                await _refuse(scope["path"], receive, send)

    async def _is_authenticated(self, headers: dict[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        session_key = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
        try:
            if scheme.lower() == "bearer" and token:
                return await self._tokens.ask(token)
            if session_key:
                return (await self._checks.ask(PageCheck(Page(session_key)))).access is not None
        except DatabaseError:
            # Django answers 503.
            return True
        return False


class _CountedBody:
    """Counts the bytes of a body as they arrive, and disconnects a sender that is silent."""

    def __init__(self, receive: Any, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self._is_whole = False

    async def __call__(self) -> Any:
        if self._is_whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), _SILENCE_SECONDS)
        except TimeoutError:
            return {"type": "http.disconnect"}
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _TooLong
        self._is_whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message


class _ResponseStart:
    """Remembers whether a response has begun."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: Any) -> None:
        self.has_begun = True
        await self._send(message)


def _are_valid_tokens(values: Sequence[str]) -> list[bool]:
    return [_is_valid_token(token) for token in values]


def _is_valid_token(token: str) -> bool:
    if token.startswith(directory_tokens.PREFIX):
        return directory_tokens.is_valid(token)
    try:
        tokens.caller_of(token)
    except tokens.TokenRefused:
        return False
    except tokens.ServerAway:
        # The API answers 503 itself.
        return True
    return True


async def _refuse(path: str, receive: Any, send: Any) -> None:
    status, body, kind = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"", b"text/plain; charset=utf-8"
    if path.startswith(_API):
        # The contract has no 413.
        kind = b"application/json"
        status = HTTPStatus.BAD_REQUEST
        body = b'{"type":"urn:problem-type:sdk:badRequest","title":"Payload Too Large","status":400}'
    elif path.startswith(_SCIM):
        kind = b"application/scim+json"
        body = b'{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"413"}'
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})
