"""urllib3's connections, which check where they go and keep their deadline."""

import os
import socket
import ssl
from functools import lru_cache
from typing import Any

import certifi
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProtocolError
from urllib3.util.ssl_ import create_urllib3_context

from ..protocol.urls import HttpUrl
from .addresses import Origin, resolve
from .deadline import BoundedSocket, BoundedTlsSocket, Clock


class Route:
    """The destination of a pool's connections, where its address comes from, and the deadline."""

    def __init__(self, parts: HttpUrl, *, origin: Origin, plain_http: bool) -> None:
        self.parts = parts
        self.clock = Clock()
        self._origin = origin
        self._plain_http = plain_http

    def connect(self) -> BoundedSocket:
        """A socket connected to an address that was checked: the name is not resolved again."""
        found = resolve(self.parts, self.clock.deadline, origin=self._origin, plain_http=self._plain_http)
        last_error: OSError = OSError("no address")
        for number, (family, kind, protocol, _, address) in enumerate(found):
            connection = BoundedSocket(family, kind, protocol)
            connection.clock = self.clock
            try:
                connection.settimeout(self.clock.remaining() / (len(found) - number))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.connect(address)
                # What begins now, a handshake of TLS perhaps, has to end by the same deadline.
                connection.settimeout(self.clock.remaining())
            except OSError as error:
                connection.close()
                last_error = error
            else:
                return connection
        raise last_error


class _Connection(HTTPConnection):
    def __init__(self, *args: Any, route: Route, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._route = route

    def _new_conn(self) -> socket.socket:
        return _connected(self._route)


class _TlsConnection(HTTPSConnection):
    def __init__(self, *args: Any, route: Route, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._route = route

    def _new_conn(self) -> socket.socket:
        return _connected(self._route)

    def connect(self) -> None:
        super().connect()
        if not isinstance(self.sock, BoundedTlsSocket):
            raise TypeError("a connection without a deadline")
        self.sock.clock = self._route.clock


def _connected(route: Route) -> socket.socket:
    """The socket of a new connection of urllib3's, which takes a reset for that of a server that has answered
    already, unless it is told that no connection came about."""
    try:
        return route.connect()
    except OSError as error:
        raise ProtocolError("no connection", error) from error


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def pool_for(route: Route, certificate: tuple[str, str] | None, authorities: str = "") -> HTTPConnectionPool:
    """A pool of one connection. `certificate` and its key, PEM files, are shown to the server; `authorities`
    (PEM) are trusted besides those of the settings."""
    parts = route.parts
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    if parts.scheme == "http":
        return _Pool(host, parts.port, maxsize=1, route=route)
    return _TlsPool(host, parts.port, maxsize=1, ssl_context=_context(certificate, authorities), route=route)


def _context(certificate: tuple[str, str] | None, more_authorities: str) -> ssl.SSLContext:
    """Built once for each state of the files: a renewed certificate counts without a restart."""
    files = (settings.SDK_TLS_CA_FILE or certifi.where(), *(certificate or ()))
    return _built(tuple((file, os.stat(file).st_mtime_ns) for file in files), more_authorities)


@lru_cache(maxsize=8)
def _built(files: tuple[tuple[str, int], ...], more_authorities: str) -> ssl.SSLContext:
    (authorities, _), *certificate = files
    context = create_urllib3_context()
    context.load_verify_locations(authorities)
    if more_authorities:
        context.load_verify_locations(cadata=more_authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    context.sslsocket_class = BoundedTlsSocket
    if certificate:
        (chain, _), (key, _) = certificate
        context.load_cert_chain(chain, key)
    return context
