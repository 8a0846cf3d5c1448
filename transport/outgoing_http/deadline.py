"""A total deadline that holds for every operation of a connection: no byte that comes renews it."""

import socket
import ssl
import time
from typing import Any


class DeadlinePassed(TimeoutError):
    """The call has taken all the time that it may take."""


class Deadline:
    """A moment that does not move."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds until then, more than 0; raises `DeadlinePassed`."""
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise DeadlinePassed("the deadline has passed")
        return remaining


class Clock:
    """The deadline of the call that uses a connection now; the next call on it sets another."""

    def __init__(self) -> None:
        self.deadline = Deadline(0)

    def remaining(self) -> float:
        return self.deadline.remaining()


class BoundedSocket(socket.socket):
    """A socket each of whose operations ends when its clock's deadline does."""

    clock: Clock

    def send(self, *args: Any) -> int:
        self.settimeout(self.clock.remaining())
        return super().send(*args)

    def sendall(self, *args: Any) -> None:
        self.settimeout(self.clock.remaining())
        super().sendall(*args)

    def recv(self, *args: Any) -> bytes:
        self.settimeout(self.clock.remaining())
        return super().recv(*args)

    def recv_into(self, *args: Any) -> int:
        self.settimeout(self.clock.remaining())
        return super().recv_into(*args)


class BoundedTlsSocket(ssl.SSLSocket):
    """The same under TLS.

    The handshake happens before anybody can give it a clock: it ends by the time-out that the socket below
    was given, which OpenSSL's module counts from the handshake's beginning to its end.
    """

    clock: Clock | None = None

    def read(self, *args: Any) -> Any:
        self._limit()
        return super().read(*args)

    def send(self, *args: Any) -> int:
        self._limit()
        return super().send(*args)

    def _limit(self) -> None:
        if self.clock is not None:
            self.settimeout(self.clock.remaining())
