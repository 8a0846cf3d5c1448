"""A request's body as it comes: not spooled, and not waited for without end.

A thread of the server stands behind every body. A sender that falls silent, or that sends a byte now and
then, would keep it: nginx holds such senders off where it stands in front, and this where it does not.
"""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.http import HttpRequest, UnreadablePostError

from transport.database import release_connection


class SenderTooSlow(UnreadablePostError):
    """Nothing has come for SDK_AS4_SILENCE_SECONDS, or not everything in SDK_AS4_RECEIVE_SECONDS."""


class Body:
    """The body of a request; use it as a context manager. Raises `UnreadablePostError` while it is read.

    Time is bounded where the server gives its socket, as gunicorn does.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._source = _source(request)
        self._line: socket.socket | None = request.META.get("gunicorn.socket")
        self._is_over = False
        self._end = threading.Timer(settings.SDK_AS4_RECEIVE_SECONDS, self._give_up)
        self._end.daemon = True

    def __enter__(self) -> Self:
        # However long the sender takes, no connection to the database waits with it.
        release_connection()
        if self._line is not None:
            self._line.settimeout(settings.SDK_AS4_SILENCE_SECONDS)
            self._end.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.cancel()

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._source.read(size)
        except Exception as error:
            if self._is_over or isinstance(error.__cause__ or error, TimeoutError):
                raise SenderTooSlow from error
            raise UnreadablePostError(type(error).__name__) from error
        if self._is_over and not data:
            raise SenderTooSlow
        return data

    def _give_up(self) -> None:
        """Let whoever waits for the sender find its end. The answer can still be written."""
        self._is_over = True
        if self._line is not None:
            with contextlib.suppress(OSError):
                # The method of the class: that of a TLS socket would forget that it speaks TLS.
                socket.socket.shutdown(self._line, socket.SHUT_RD)


def _source(request: HttpRequest) -> Any:
    """Django reads no body that has no Content-Length; many senders send theirs in chunks, which the server
    has put together again where it says that its input ends by itself."""
    if request.META.get("wsgi.input_terminated") and not request.headers.get("Content-Length"):
        return request.META["wsgi.input"]
    return request
