"""gunicorn's worker for the access point, with a time limit for TLS handshake and request head."""

import contextlib
import socket
import threading
from typing import Any, Final

from gunicorn.workers.gthread import TConn, ThreadWorker

# For the TLS handshake and the request head together; a body has limits of its own.
HEAD_SECONDS: Final = 10.0


class RequestHeadTimeoutWorker(ThreadWorker):
    """gunicorn's threaded worker; closes a connection whose request head takes longer than HEAD_SECONDS."""

    def handle(self, conn: TConn) -> Any:
        end = threading.Timer(HEAD_SECONDS, _close_for_reading, [conn])
        end.daemon = True
        conn.head_end = end
        end.start()
        try:
            return super().handle(conn)
        finally:
            end.cancel()

    def handle_request(self, req: Any, conn: TConn) -> Any:
        conn.head_end.cancel()
        return super().handle_request(req, conn)


def _close_for_reading(conn: TConn) -> None:
    """End the wait of the thread that reads from the connection."""
    with contextlib.suppress(OSError):
        # The method of the class: a TLS socket's own would go on without TLS.
        socket.socket.shutdown(conn.sock, socket.SHUT_RD)
