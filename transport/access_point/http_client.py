"""Posting a packed message: streamed, bounded in time and size, TLS by the configured CAs."""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from django.conf import settings
from django.utils import timezone

from transport.outgoing_http import AddressRefused, Client, NoAnswer, Origin
from transport.protocol.as4.packing import PackedMessage
from transport.protocol.as4.signals import MEDIA_TYPES

_MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024
# Servers that others run keep an idle connection for two seconds and more.
_REUSED_SECONDS: Final = 1.0
_MOST_DIGITS: Final = 7


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP answer to a posted message."""

    status: int
    content_type: str
    body: bytes
    retry_after: timedelta | None = None

    @property
    def is_signal(self) -> bool:
        """Whether it may be an AS4 signal: those come with status 200 or, for errors, 500."""
        media_type = self.content_type.partition(";")[0].strip().lower()
        return bool(self.body) and media_type in MEDIA_TYPES


def post(packed: PackedMessage, url: str) -> Answer:
    """Send a message and give the answer; raises `NoAnswer`.

    The whole of it has to be done in SDK_AS4_TIMEOUT_SECONDS, and the time that the message takes at
    SDK_AS4_SLOWEST_BYTES a second.
    """
    try:
        answer = _connections.client().request(
            "POST",
            url,
            seconds=settings.SDK_AS4_TIMEOUT_SECONDS + packed.content_length / settings.SDK_AS4_SLOWEST_BYTES,
            max_bytes=_MAX_ANSWER_BYTES,
            body=packed.chunks(),
            headers={
                "Content-Type": packed.content_type,
                "Content-Length": str(packed.content_length),
                "Accept": "application/soap+xml",
            },
        )
    except AddressRefused as error:
        raise NoAnswer(f"address refused: {error}") from None
    return Answer(
        answer.status,
        answer.headers.get("Content-Type", ""),
        answer.body,
        _pause(answer.headers.get("Retry-After", "")),
    )


def _pause(text: str) -> timedelta | None:
    """What `Retry-After` asks for (RFC 9110 10.2.3): seconds or a date; None where it says neither."""
    if text.isascii() and text.isdecimal():
        # A number of more digits than these is longer than anybody waits.
        return timedelta(seconds=int(text[:_MOST_DIGITS]))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return None if at.tzinfo is None else max(at - timezone.now(), timedelta())


class _Connections(threading.local):
    """The connections of a thread: under load, most of what a small message costs would be a TLS handshake.

    One is used again only right after it was used. Later the other side may be about to close it, and nobody
    would know whether the message arrived.
    """

    def __init__(self) -> None:
        self._client: Client | None = None
        self._certificate: tuple[str, str] | None = None
        self._used_at = time.monotonic()

    def client(self) -> Client:
        now = time.monotonic()
        own = (settings.SDK_TLS_CLIENT_CERTIFICATE, settings.SDK_TLS_CLIENT_KEY)
        certificate = own if all(own) else None
        if self._client is not None and now - self._used_at > _REUSED_SECONDS:
            self._client.close()
        if self._client is None or certificate != self._certificate:
            self._client = Client(origin=Origin.OTHERS, certificate=certificate)
            self._certificate = certificate
        self._used_at = now
        return self._client


_connections = _Connections()
