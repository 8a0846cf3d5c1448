"""The cache of answers: in the database for all processes, and for a moment in each process's memory.

A message needs the same answer a dozen times on its way. A process reads it from the database once in
SDK_ANSWER_MEMORY_SECONDS, for which it may go on using an answer that another process has dropped.
"""

import hashlib
from datetime import datetime

from django.utils import timezone

from ..short_memory import ShortMemory
from .models import CachedAnswer

_memory: ShortMemory[tuple[bytes, datetime]] = ShortMemory()


class AnswerCache:
    """Answers by their question, without expired ones."""

    def get(self, key: str) -> bytes | None:
        name = _hash(key)
        try:
            answer, expires_at = _memory.get(name, lambda: _stored(name))
            if expires_at <= timezone.now():
                # Another process may have stored a newer one.
                _memory.drop(name)
                answer, _ = _memory.get(name, lambda: _stored(name))
        except CachedAnswer.DoesNotExist:
            return None
        return answer

    def put(self, key: str, answer: bytes, until: datetime) -> None:
        _memory.drop(_hash(key))
        CachedAnswer.objects.update_or_create(pk=_hash(key), defaults={"answer": answer, "expires_at": until})

    def drop(self, key: str) -> None:
        _memory.drop(_hash(key))
        CachedAnswer.objects.filter(pk=_hash(key)).delete()


def _stored(name: str) -> tuple[bytes, datetime]:
    """An answer that has not expired, and when it does. Raises `CachedAnswer.DoesNotExist`."""
    row = CachedAnswer.objects.get(pk=name, expires_at__gt=timezone.now())
    return bytes(row.answer), row.expires_at


def remove_expired() -> int:
    """Delete expired answers; returns how many."""
    deleted, _ = CachedAnswer.objects.filter(expires_at__lte=timezone.now()).delete()
    return deleted


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
