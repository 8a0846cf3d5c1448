"""Requests, whole or streamed: one deadline for a call from its name's resolution to its last byte."""

import http.client
import ssl
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError, SSLError
from urllib3.exceptions import TimeoutError as HttpTimeout
from urllib3.response import BaseHTTPResponse

from .addresses import Origin, check_url
from .connections import Route, pool_for
from .deadline import Deadline

_CHUNK: Final = 64 * 1024
_USER_AGENT: Final = "sdkportal"


class NoAnswer(Exception):
    """Nobody answered, or not in time. Whether the request was taken is not known. Names no address."""


class TooLong(NoAnswer):
    """The answer is longer than it may be."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response. Header names are read in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300


class StreamedAnswer:
    """A response that is read as it comes: `read(size)` as of a file, decompressed.

    Raises `TooLong` as soon as more has come than may, `NoAnswer` when the rest does not come in time.
    """

    def __init__(self, response: BaseHTTPResponse, max_bytes: int) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._left = max_bytes
        self.bytes_read = 0

    def read(self, size: int = _CHUNK) -> bytes:
        """At most so many bytes; none at the end."""
        with _translated_errors():
            # One more than may come: the one that tells that it is too long.
            data = self._response.read(min(size, self._left + 1), decode_content=True)
        self.bytes_read += len(data)
        self._left -= len(data)
        if self._left < 0:
            raise TooLong("the answer is too long")
        return data

    def read_all(self) -> bytes:
        pieces = []
        while piece := self.read(_CHUNK):
            pieces.append(piece)
        return b"".join(pieces)


class Client:
    """Connections to servers, kept while one thread makes several requests. `close` ends them.

    `authorities` are certificates (PEM) that servers are trusted by besides those of all connections.
    """

    def __init__(
        self,
        *,
        origin: Origin,
        plain_http: bool = False,
        certificate: tuple[str, str] | None = None,
        authorities: str = "",
    ) -> None:
        self._origin = origin
        self._plain_http = plain_http
        self._certificate = certificate
        self._authorities = authorities
        self._pools: dict[tuple[str, str, int], tuple[Route, HTTPConnectionPool]] = {}

    def close(self) -> None:
        for _, pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def request(
        self,
        method: str,
        url: str,
        *,
        seconds: float,
        max_bytes: int,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, from beginning to end within so many seconds; its answer of at most so many bytes.

        A body other than bytes goes in chunks unless Content-Length is given. Raises `AddressRefused`,
        `NoAnswer`.
        """
        with self.stream(
            method, url, seconds=seconds, max_bytes=max_bytes, body=body, headers=headers
        ) as answer:
            return Answer(answer.status, answer.headers, answer.read_all())

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        *,
        seconds: float,
        max_bytes: int,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[StreamedAnswer, None, None]:
        """As `request`, but the body is read by the caller, within the same deadline."""
        parts = check_url(url, origin=self._origin, plain_http=self._plain_http)
        key = (parts.scheme, parts.host, parts.port)
        if key not in self._pools:
            route = Route(parts, origin=self._origin, plain_http=self._plain_http)
            self._pools[key] = (route, pool_for(route, self._certificate, self._authorities))
        route, pool = self._pools[key]
        route.clock.deadline = Deadline(seconds)
        with _translated_errors():
            response = pool.urlopen(
                method,
                parts.target,
                body=body,
                headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "gzip", **(headers or {})},
                retries=False,
                redirect=False,
                preload_content=False,
            )
        try:
            yield StreamedAnswer(response, max_bytes)
        except BaseException:
            # Something of the answer may still be on its way: the connection is of no further use.
            response.close()
            raise
        finally:
            _release(response)


def request(
    method: str,
    url: str,
    *,
    origin: Origin,
    seconds: float,
    max_bytes: int,
    body: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    plain_http: bool = False,
) -> Answer:
    """One request by a connection of its own; as `Client.request`."""
    client = Client(origin=origin, plain_http=plain_http)
    try:
        return client.request(method, url, seconds=seconds, max_bytes=max_bytes, body=body, headers=headers)
    finally:
        client.close()


def _release(response: BaseHTTPResponse) -> None:
    """Keep the connection if the answer was read to its end; close it otherwise, without reading on."""
    if not response.closed:
        response.close()
    response.release_conn()


def _reason(error: Exception) -> str:
    """One of few words: `ReadTimeout`, `SSLError`, `ConnectionError`."""
    chain = {type(cause) for cause in (error, *error.args) if isinstance(cause, Exception)}
    if any(issubclass(kind, TimeoutError | HttpTimeout) for kind in chain):
        return "ReadTimeout"
    if any(issubclass(kind, ssl.SSLError | SSLError) for kind in chain):
        return "SSLError"
    return "ConnectionError"


@contextmanager
def _translated_errors() -> Generator[None, None, None]:
    """Errors of the libraries below as this package's own."""
    try:
        yield
    except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise NoAnswer(_reason(error)) from None
