"""Posting a packed message: streamed, bounded in time and size, TLS by the configured CAs."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Final

import requests
import urllib3.exceptions
from django.conf import settings

from ..protocol.as4.packing import PackedMessage
from ..protocol.as4.signals import MEDIA_TYPES

_MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024
# Servers that others run keep an idle connection for two seconds and more.
_REUSED_SECONDS: Final = 1.0


class NoAnswer(Exception):
    """Nobody answered, or not in time, or too much. Whether the message was taken is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP."""

    status: int
    content_type: str
    body: bytes

    @property
    def is_signal(self) -> bool:
        """Whether it may be an AS4 signal: those come with status 200 or, for errors, 500."""
        media_type = self.content_type.partition(";")[0].strip().lower()
        return bool(self.body) and media_type in MEDIA_TYPES


def post(packed: PackedMessage, url: str) -> Answer:
    """Send a message and give the answer; raises `NoAnswer`."""
    certificate = (settings.SDK_TLS_CLIENT_CERTIFICATE, settings.SDK_TLS_CLIENT_KEY)
    try:
        with _lines.session().post(
            url,
            data=_Body(packed),
            headers={"Content-Type": packed.content_type, "Accept": "application/soap+xml"},
            cert=certificate if all(certificate) else None,
            verify=settings.SDK_TLS_CA_FILE or True,
            timeout=settings.SDK_AS4_TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response:
            answer = response.raw.read(_MAX_ANSWER_BYTES + 1, decode_content=True)
            if len(answer) > _MAX_ANSWER_BYTES:
                raise NoAnswer("the answer is too long")
            return Answer(response.status_code, response.headers.get("Content-Type", ""), answer)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise NoAnswer(type(error).__name__) from None


class _Lines(threading.local):
    """The connections of a thread: under load, most of what a small message costs would be a TLS handshake.

    One is used again only right after it was used. Later the other side may be about to close it, which would
    look like a message whose fate is not known.
    """

    def __init__(self) -> None:
        self._session = requests.Session()
        # Nothing that one peer says is told to another, nor to itself.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._used_at = time.monotonic()

    def session(self) -> requests.Session:
        now = time.monotonic()
        if now - self._used_at > _REUSED_SECONDS:
            self._session.close()
        self._used_at = now
        return self._session


_lines = _Lines()


class _Body:
    """A packed message as what `requests` sends with a Content-Length."""

    def __init__(self, packed: PackedMessage) -> None:
        self._length = packed.content_length
        self._chunks = packed.chunks()
        self._rest = b""

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        if size < 0:
            data, self._rest = self._rest + b"".join(self._chunks), b""
            return data
        data, self._rest = self._rest[:size], self._rest[size:]
        return data
