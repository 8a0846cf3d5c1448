"""Which addresses may be connected to: checked by the address itself, after its name was resolved."""

import ipaddress
import queue
import socket
import threading
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from django.conf import settings

from ..protocol.urls import HttpUrl, UrlRefused, parse_http_url
from .deadline import Deadline, DeadlinePassed

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Addresses of IPv6 in which an address of IPv4 is written: where NAT64 takes them (RFC 6052, RFC 8215).
_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


class Origin(Enum):
    """Where the address of a request comes from, which decides how far it is trusted."""

    SETTINGS = "the operator, in the environment"
    OTHERS = "somebody else: metadata, a certificate, a form, a browser"


class AddressRefused(Exception):
    """Nothing is sent there. The text names the reason, never the address."""


def check_url(url: str, *, origin: Origin = Origin.OTHERS, plain_http: bool = False) -> HttpUrl:
    """Check an address as far as that is possible without asking DNS; its parts.

    `plain_http` allows `http://` for what is signed in itself (CRL, OCSP). Otherwise only the demo and tests
    may use it, on their own machine. Raises `AddressRefused`.
    """
    try:
        parts = parse_http_url(url)
    except UrlRefused as error:
        raise AddressRefused(str(error)) from None
    if parts.scheme != "https" and not plain_http and not settings.DEMO:
        raise AddressRefused("not https")
    literal = _literal(parts.host)
    if literal is not None:
        _check_address(literal, parts, origin, plain_http)
    return parts


def resolve(parts: HttpUrl, deadline: Deadline, *, origin: Origin, plain_http: bool) -> list[tuple[Any, ...]]:
    """The answer of `getaddrinfo` for a host, without addresses that may not be connected to.

    Raises `AddressRefused` where none is left, `OSError` where the host is not known.
    """
    allowed, refusal = [], AddressRefused("no address")
    for found in _looked_up(parts.host, parts.port, deadline):
        try:
            _check_address(ipaddress.ip_address(found[4][0]), parts, origin, plain_http)
        except AddressRefused as error:
            refusal = error
        else:
            allowed.append(found)
    if not allowed:
        raise refusal
    return allowed


def _looked_up(host: str, port: int, deadline: Deadline) -> list[tuple[Any, ...]]:
    """`getaddrinfo` takes no time limit: it is waited for as long as the deadline allows."""
    answer: queue.SimpleQueue[list[tuple[Any, ...]] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    if _literal(host) is not None:
        look_up()
    else:
        threading.Thread(target=look_up, daemon=True, name="resolve").start()
    try:
        found = answer.get(timeout=deadline.remaining())
    except queue.Empty:
        raise DeadlinePassed from None
    if isinstance(found, UnicodeError):
        raise OSError("not a host name")
    if isinstance(found, Exception):
        raise found
    return found


def _check_address(address: _Address, parts: HttpUrl, origin: Origin, plain_http: bool) -> None:
    """Raises `AddressRefused` where the address may not be connected to."""
    address = _unwrapped(address)
    if parts.scheme != "https" and not plain_http and not address.is_loopback:
        raise AddressRefused("not https")
    if origin is Origin.SETTINGS or any(address in network for network in _private_networks()):
        return
    if not address.is_global or address.is_multicast:
        raise AddressRefused("not a public address")


def _unwrapped(address: _Address) -> _Address:
    """The address of IPv4 that one of IPv6 leads to in the end."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and any(address in network for network in _NAT64):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is None and int(address) >> 32 == 0 and int(address) > 1:
        # "IPv4-compatible", long out of use (RFC 4291 2.5.5.1).
        inner = ipaddress.IPv4Address(int(address))
    return inner or address


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _private_networks() -> tuple[_Network, ...]:
    return _parsed(tuple(settings.SDK_PRIVATE_NETWORKS))


@lru_cache(maxsize=8)
def _parsed(networks: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in networks)
