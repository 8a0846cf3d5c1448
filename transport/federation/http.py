"""The one place that fetches: bounded in time and size, no redirects, TLS by the configured CAs."""

import time
from typing import Final

import requests
from django.conf import settings

MAX_ANSWER_BYTES: Final = 20 * 1024 * 1024
_CHUNK: Final = 64 * 1024


class NoAnswer(Exception):
    """Nobody answered, or not in time, or too much: it may pass."""


class Refused(Exception):
    """The server answered with a status other than 200."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"HTTP {status}")


def fetch(url: str, body: bytes | None = None, *, content_type: str = "application/octet-stream") -> bytes:
    """GET, or POST a body; the answer's bytes. Raises `NoAnswer`, `Refused`."""
    limit = settings.SDK_HTTP_TIMEOUT_SECONDS
    deadline = time.monotonic() + limit
    try:
        with requests.request(
            "GET" if body is None else "POST",
            url,
            data=body,
            headers={"Content-Type": content_type} if body is not None else {},
            timeout=limit,
            verify=settings.SDK_TLS_CA_FILE or True,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != requests.codes.ok:
                raise Refused(response.status_code)
            pieces = []
            size = 0
            for piece in response.iter_content(_CHUNK):
                size += len(piece)
                if size > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                    raise NoAnswer("the answer is too long or too slow")
                pieces.append(piece)
            return b"".join(pieces)
    except requests.RequestException as error:
        raise NoAnswer(type(error).__name__) from None
