"""Whether beat is alive: it leaves a mark at the broker whenever it has started a task."""

import contextlib
import os
import socket
import time
from typing import Final, cast

from redis import RedisError

from .broker import broker

_KEY: Final = "sdkportal:beat"
_KEPT_SECONDS: Final = 86400


def mark_alive(**_: object) -> None:
    """Receives Celery's `after_task_publish` in beat's process. A broker that is away gets no mark."""
    with contextlib.suppress(RedisError), broker() as client, client.pipeline() as pipeline:
        pipeline.hset(_KEY, f"{socket.gethostname()} {os.getpid()}", f"{time.time():.0f}")
        pipeline.expire(_KEY, _KEPT_SECONDS)
        pipeline.execute()


def seconds_since_marks() -> dict[str, float]:
    """How long ago each beat, by host and process, was last alive. Raises `RedisError`."""
    with broker() as client:
        marks = cast(dict[bytes, bytes], client.hgetall(_KEY))
        ages = {name.decode(): max(0.0, time.time() - float(mark)) for name, mark in marks.items()}
        ended = [name for name, age in ages.items() if age > _KEPT_SECONDS]
        if ended:
            client.hdel(_KEY, *ended)
    return {name: age for name, age in ages.items() if age <= _KEPT_SECONDS}
