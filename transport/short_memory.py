"""What a process remembers for SDK_ANSWER_MEMORY_SECONDS: one message asks the same many times on its way."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from django.conf import settings

_Value = TypeVar("_Value")
_memories: list["ShortMemory[Any]"] = []


class ShortMemory(Generic[_Value]):
    """At most `most` values by key. What another process has changed is seen when their time is over."""

    def __init__(self, most: int = 500) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: dict[Hashable, tuple[_Value, float]] = {}
        _memories.append(self)

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The remembered value, or what `make` gives; what it raises is not remembered."""
        known = self._known.get(key)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        value = make()
        seconds = settings.SDK_ANSWER_MEMORY_SECONDS
        if seconds:
            with self._lock:
                if len(self._known) >= self._most:
                    self._known.clear()
                self._known[key] = (value, time.monotonic() + seconds)
        return value

    def drop(self, key: Hashable) -> None:
        """Forget a value, for what this process has changed itself."""
        with self._lock:
            self._known.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()


def clear_all() -> None:
    """Forget everything that this process remembers."""
    for memory in _memories:
        memory.clear()
