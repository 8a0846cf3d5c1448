"""A Unix socket that whoever may connect to, and that leads to another one."""

import contextlib
import socket
import threading
from pathlib import Path

_CHUNK = 65536


def relay(target: Path, at: Path) -> None:
    """Let connections at a socket be connections to the target, for as long as this process lives."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(at))
    at.chmod(0o777)
    server.listen(64)
    threading.Thread(target=_accept, args=[server, target], daemon=True).start()


def _accept(server: socket.socket, target: Path) -> None:
    while True:
        near, _ = server.accept()
        far = socket.socket(socket.AF_UNIX)
        far.connect(str(target))
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=_copy, args=[source, sink], daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
