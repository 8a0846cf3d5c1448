"""The cache of answers, shared by all processes."""

import hashlib
from datetime import datetime

from django.utils import timezone

from .models import CachedAnswer


class AnswerCache:
    """Answers by what was asked; those past their end are not given."""

    def get(self, key: str) -> bytes | None:
        row = CachedAnswer.objects.filter(pk=_hash(key), expires_at__gt=timezone.now()).first()
        return bytes(row.answer) if row is not None else None

    def put(self, key: str, answer: bytes, until: datetime) -> None:
        CachedAnswer.objects.update_or_create(pk=_hash(key), defaults={"answer": answer, "expires_at": until})

    def drop(self, key: str) -> None:
        CachedAnswer.objects.filter(pk=_hash(key)).delete()


def remove_expired() -> int:
    """Delete answers past their end; how many there were."""
    deleted, _ = CachedAnswer.objects.filter(expires_at__lte=timezone.now()).delete()
    return deleted


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
