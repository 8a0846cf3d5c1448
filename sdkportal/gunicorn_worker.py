"""gunicorn's worker for the access point: no thread of it waits for ever for a request to begin."""

import contextlib
import socket
import threading
from typing import Any, Final

from gunicorn.workers.gthread import TConn, ThreadWorker

# A TLS handshake and the head of a request have to be there in so long; a body has limits of its own.
HEAD_SECONDS: Final = 10.0


class PatientWorker(ThreadWorker):
    """Threads, as gunicorn has them. One that a slow sender has got is its own again after HEAD_SECONDS."""

    def handle(self, conn: TConn) -> Any:
        end = threading.Timer(HEAD_SECONDS, _cut_off, [conn])
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


def _cut_off(conn: TConn) -> None:
    """Let whoever waits for the sender find its end."""
    with contextlib.suppress(OSError):
        # The method of the class: that of a TLS socket would forget that it speaks TLS.
        socket.socket.shutdown(conn.sock, socket.SHUT_RD)
