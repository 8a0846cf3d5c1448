"""Asking the rendering service (`service`), where SDK_RENDERER names one; else rendering happens here.

Requests and answers are messages of `multiprocessing.connection`, as bytes: nothing is unpickled. A request
is two messages, the job's name and limits as JSON, and its input; the answer is one, whose first byte says
whether the job went well and whose rest is the output, or the reason.
"""

import json
from multiprocessing.connection import Client
from typing import BinaryIO, Final

from django.conf import settings

from .confinement import Confinement, Job, RenderingFailed, render_here

# Beside a job's own time: two are drawn at a time, and one may wait for another's end.
WAIT_SECONDS: Final = 10
WELL: Final = b"+"
FAILED: Final = b"-"


def render(job: Job, source: BinaryIO | bytes, confinement: Confinement | None = None) -> bytes:
    """Run the job on the source and return its output. Raises `RenderingFailed`."""
    if confinement is None and settings.SDK_RENDERER:
        return render_at(settings.SDK_RENDERER, job, source)
    return render_here(job, source, confinement)


def render_at(address: str, job: Job, source: BinaryIO | bytes) -> bytes:
    """Let the service at an address run the job. Raises `RenderingFailed`, also where it does not answer."""
    given = source if isinstance(source, bytes) else source.read(job.limits.input + 1)
    if len(given) > job.limits.input:
        raise RenderingFailed("the input is too large")
    limits = job.limits
    asked = [job.program.stem, limits.memory, limits.seconds, limits.input, limits.output]
    try:
        with Client(parsed(address)) as connection:
            connection.send_bytes(json.dumps(asked).encode())
            connection.send_bytes(given)
            if not connection.poll(2 * limits.seconds + WAIT_SECONDS):
                raise RenderingFailed("the time is up")
            answer = connection.recv_bytes(limits.output + 1)
    except (OSError, EOFError) as error:
        raise RenderingFailed(type(error).__name__) from None
    if answer[:1] != WELL:
        raise RenderingFailed(answer[1:].decode(errors="replace"))
    return answer[1:]


def parsed(address: str) -> str | tuple[str, int]:
    """A socket's path as it is; `host:port` as a pair."""
    if address.startswith("/"):
        return address
    host, _, port = address.rpartition(":")
    return host, int(port)
