"""A request's connection to the database: released early; 503 when there is none, or no storage."""

import errno
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error

from transport.database import release_connection
from transport.message_api import problems
from transport.storage.errors import StorageUnavailable

_API: Final = "/v1/"
_ACCESS_POINT: Final = "sdkportal.urls_access_point"
_RETRY_SECONDS: Final = (2, 10)
_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_random = random.SystemRandom()


class ReleaseConnectionMiddleware:
    """Releases the connection when the response is made: a slow reader must not hold it."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[..., Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._call_async(request)
        response = self.get_response(request)
        release_connection()
        return response

    async def _call_async(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = await self.get_response(request)
        await sync_to_async(release_connection)()
        return response


def server_error_or_unavailable(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: 503 with Retry-After where the database was away or had no connection free, or
    stored files could not be read or written: the object store is away, or a disk is full.

    Access points, API clients and browsers try again after 503, and give up after 500.
    """
    if any(_passes(error) for error in _causes(sys.exc_info()[1])):
        return unavailable(request)
    return server_error(request)


def _passes(error: BaseException) -> bool:
    is_disk_full = isinstance(error, OSError) and error.errno in _DISK_FULL
    return is_disk_full or isinstance(error, OperationalError | InterfaceError | StorageUnavailable)


def unavailable(request: HttpRequest) -> HttpResponse:
    """503 with Retry-After: a page, or the problem document of the API."""
    if request.path.startswith(_API):
        response = problems.unavailable()
    elif settings.ROOT_URLCONF == _ACCESS_POINT:
        response = HttpResponse(status=503)
    else:
        response = HttpResponse(render_to_string("503.html"), status=503)
    response.headers["Retry-After"] = str(_random.randint(*_RETRY_SECONDS))
    response.headers["Cache-Control"] = "no-store"
    return response


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
