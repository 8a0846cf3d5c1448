"""At most a share of this node's processes at one server of the federation, and nobody at one that was slow.

Every lookup may be for another participant, so what is remembered of participants bounds nothing: a server
that answers a byte a second would hold each worker for a whole deadline, message after message. Slots and
slow servers are kept in the broker's Valkey, which all processes share; while that is away, nobody is
refused.
"""

import hashlib
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from django.conf import settings
from django.core.cache import BaseCache, caches

_REST_SECONDS: Final = 30
# For so long a slot is waited for: many lookups at once are answered one after the other by a quick server.
_WAIT_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.05
# What a slot outlasts its deadline by; it ends by itself where its process was killed.
_GRACE_SECONDS: Final = 5


class ServerBusy(Exception):
    """As many processes as may wait for the server already, or it was slow a moment ago."""


@contextmanager
def slot_at(server: str, seconds: float) -> Generator[None, None, None]:
    """Occupy one of SDK_COUNTERPART_SHARE slots at the server while the body runs, at most so many seconds.

    A server that takes longer than SDK_SLOW_SERVER_SECONDS is slow, whether it answers or not. Raises
    `ServerBusy`.
    """
    cache = caches["rates"]
    name = hashlib.sha256(server.encode()).hexdigest()
    slow = f"slow-{name}"
    if cache.get(slow):
        raise ServerBusy("it was slow a moment ago")
    token = uuid.uuid4().hex
    slot = _occupied(cache, name, token, seconds)
    begun = time.monotonic()
    try:
        yield
    finally:
        if time.monotonic() - begun > settings.SDK_SLOW_SERVER_SECONDS:
            cache.set(slow, 1, _REST_SECONDS)
        if cache.get(slot) == token:
            cache.delete(slot)


def _occupied(cache: BaseCache, name: str, token: str, seconds: float) -> str:
    """The key of the slot that was free. Raises `ServerBusy`."""
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        for number in range(max(settings.SDK_COUNTERPART_SHARE, 1)):
            slot = f"slot-{name}-{number}"
            # None where the cache is away.
            if cache.add(slot, token, int(seconds) + _GRACE_SECONDS) is not False:
                return slot
        if time.monotonic() > end:
            raise ServerBusy("others wait for it")
        time.sleep(_LOOK_SECONDS)
