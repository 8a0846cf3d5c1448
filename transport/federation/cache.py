"""The cache of answers: in the database for all processes, and for a moment in each process's memory.

A message needs the same answer a dozen times on its way. A process reads it from the database once in
SDK_ANSWER_MEMORY_SECONDS, for which it may go on using an answer that another process has dropped.
"""

import hashlib
import threading
import time
from datetime import datetime
from typing import Final

from django.conf import settings
from django.utils import timezone

from .models import CachedAnswer

_MOST_REMEMBERED: Final = 500


class AnswerCache:
    """Answers by their question, without expired ones."""

    def get(self, key: str) -> bytes | None:
        name = _hash(key)
        known = _memory.get(name)
        if known is not None:
            return known
        row = CachedAnswer.objects.filter(pk=name, expires_at__gt=timezone.now()).first()
        if row is None:
            return None
        answer = bytes(row.answer)
        _memory.put(name, answer, row.expires_at)
        return answer

    def put(self, key: str, answer: bytes, until: datetime) -> None:
        _memory.drop(_hash(key))
        CachedAnswer.objects.update_or_create(pk=_hash(key), defaults={"answer": answer, "expires_at": until})

    def drop(self, key: str) -> None:
        _memory.drop(_hash(key))
        CachedAnswer.objects.filter(pk=_hash(key)).delete()


class _Memory:
    """Answers that this process has read lately, each with its expiry and the time until which it is used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[bytes, datetime, float]] = {}

    def get(self, name: str) -> bytes | None:
        answer, expires_at, until = self._known.get(name, (None, None, 0.0))
        if expires_at is None or time.monotonic() >= until or expires_at <= timezone.now():
            return None
        return answer

    def put(self, name: str, answer: bytes, expires_at: datetime) -> None:
        until = time.monotonic() + settings.SDK_ANSWER_MEMORY_SECONDS
        with self._lock:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[name] = (answer, expires_at, until)

    def drop(self, name: str) -> None:
        with self._lock:
            self._known.pop(name, None)


_memory = _Memory()


def remove_expired() -> int:
    """Delete expired answers; returns how many."""
    deleted, _ = CachedAnswer.objects.filter(expires_at__lte=timezone.now()).delete()
    return deleted


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
