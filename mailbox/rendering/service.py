"""Rendering in a process of its own, which has neither a network nor a file of the node's.

    python -m mailbox.rendering.service ADDRESS
    python -m mailbox.rendering.service --ask

serves the jobs at an address, a socket's path or `host:port`; `--ask` tries the one that SDK_RENDERER names.
It reads no settings. `remote` has the client and the form of requests and answers.
"""

import contextlib
import json
import os
import sys
import threading
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Final

from .confinement import Job, Limits, RenderingFailed, render_here, strongest
from .remote import FAILED, WAIT_SECONDS, WELL, parsed, render_at

_HERE: Final = Path(__file__).resolve().parent
# What may be asked for, by the name of the program.
_PROGRAMS: Final = {name: _HERE / f"{name}.py" for name in ("pdf_pictures", "html_pages", "probe")}
_LARGEST_REQUEST: Final = 1024
_LARGEST_INPUT: Final = 256 * 1024 * 1024
_LARGEST_OUTPUT: Final = 256 * 1024 * 1024


def serve(address: str) -> None:
    """Answer at the address, for as long as the process lives."""
    where = parsed(address)
    if isinstance(where, str):
        # Of a process that did not end well. The node's processes may be another user's, of the same group.
        Path(where).unlink(missing_ok=True)
        os.umask(0o007)
    used = strongest()
    sys.stderr.write(f"renderer_listens address={address} {used.description()}\n")
    with Listener(where) as listener:
        while True:
            with contextlib.suppress(OSError):
                connection = listener.accept()
                threading.Thread(target=_answer, args=[connection], daemon=True).start()


def _answer(connection: "Connection[bytes, bytes]") -> None:
    with connection, contextlib.suppress(OSError, EOFError):
        try:
            answer = WELL + _answered(connection)
        except RenderingFailed as error:
            answer = FAILED + str(error).encode()
        except (ValueError, KeyError, TypeError):
            answer = FAILED + b"not a request"
        connection.send_bytes(answer)


def _answered(connection: "Connection[bytes, bytes]") -> bytes:
    name, *limits = json.loads(_received(connection, _LARGEST_REQUEST))
    job = Job(_PROGRAMS[name], Limits(*(int(value) for value in limits)))
    if min(job.limits.output, job.limits.seconds) < 1 or job.limits.output > _LARGEST_OUTPUT:
        raise RenderingFailed("not a request")
    return render_here(job, _received(connection, min(job.limits.input, _LARGEST_INPUT)))


def _received(connection: "Connection[bytes, bytes]", most: int) -> bytes:
    if not connection.poll(WAIT_SECONDS):
        raise RenderingFailed("nothing was sent")
    return connection.recv_bytes(most)


def answers(address: str) -> bool:
    """Whether the service at an address starts processes and hands over what they make."""
    job = Job(_PROGRAMS["probe"], Limits(memory=1 << 29, seconds=20, input=1024, output=1024))
    try:
        return render_at(address, job, b"") == b"ready"
    except RenderingFailed:
        return False


if __name__ == "__main__":
    if sys.argv[1:] == ["--ask"]:
        sys.exit(not answers(os.environ["SDK_RENDERER"]))
    serve(sys.argv[1])
