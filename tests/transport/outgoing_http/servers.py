"""Servers that answer as a test wants: slowly, never, without end."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Generator

_PATIENCE_SECONDS = 120


class RawServer:
    """Hands every connection to a function, and counts them."""

    def __init__(
        self, answer: Callable[[socket.socket], None], context: ssl.SSLContext | None = None
    ) -> None:
        self._answer = answer
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.connections: list[socket.socket] = []
        self.open = 0
        self._lock = threading.Lock()
        self.closing = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.settimeout(_PATIENCE_SECONDS)
            self.connections.append(connection)
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with self._lock:
            self.open += 1
        try:
            self._answered(connection)
        finally:
            with self._lock:
                self.open -= 1

    def _answered(self, connection: socket.socket) -> None:
        # The other side leaves: that is what is tried here.
        with contextlib.suppress(OSError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._answer(connection)
            connection.close()

    def dribble(self, connection: socket.socket, data: bytes, pause: float) -> None:
        """A byte at a time, for as long as the other side takes it."""
        for position in range(len(data)):
            if self.closing.wait(pause):
                return
            connection.sendall(data[position : position + 1])

    def close(self) -> None:
        self.closing.set()
        # Wakes `accept`, which a mere close does not.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self.connections:
            connection.close()


def read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and (piece := connection.recv(4096)):
        data += piece
    return data


@contextlib.contextmanager
def serving(
    answer: Callable[["RawServer", socket.socket], None], context: ssl.SSLContext | None = None
) -> Generator[RawServer, None, None]:
    """A server while the body runs."""
    server = RawServer(lambda connection: answer(server, connection), context)
    try:
        yield server
    finally:
        server.close()
