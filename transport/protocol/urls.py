"""Addresses of HTTP servers, in the one form that every parser reads alike.

`HttpUrl` is what is judged and what is connected to: nobody reads the text a second time. What parsers
disagree about (userinfo, backslashes, control characters, numbers that are no port) is refused.
"""

import re
from dataclasses import dataclass
from typing import Final

from .errors import ProtocolError

_MAX_LENGTH: Final = 2048
_URL: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[(?P<v6>[0-9a-f:.]{2,45})\]|(?P<host>[a-z0-9](?:[a-z0-9._-]{0,252})))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    # Printable ASCII without what RFC 3986 never lets stand unescaped; brackets are common in queries.
    r"(?P<path>/[^\x00-\x20\x7f-\U0010ffff\\\"<>^`{|}#?]*)?"
    r"(?P<query>\?[^\x00-\x20\x7f-\U0010ffff\\\"<>^`{|}#]*)?",
    re.IGNORECASE | re.ASCII,
)
_DEFAULT_PORT: Final = {"http": 80, "https": 443}


class UrlRefused(ProtocolError):
    """Not the plain address of an HTTP server."""


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """An address in its parts. `host` is in lower case, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port, the port only where it is not the scheme's own: as an origin is written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme and authority (RFC 6454 6.1)."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return self.origin + self.target


def parse_http_url(text: str) -> HttpUrl:
    """Read the address of an HTTP server; raises `UrlRefused` for whatever could be read in two ways."""
    found = _URL.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if found is None:
        raise UrlRefused("not a plain http(s) address")
    scheme = found["scheme"].lower()
    port = int(found["port"] or _DEFAULT_PORT[scheme])
    if not 0 < port < 65536:
        raise UrlRefused("no such port")
    host = (found["v6"] or found["host"]).lower()
    return HttpUrl(scheme, host, port, (found["path"] or "/") + (found["query"] or ""))
