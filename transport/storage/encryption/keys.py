"""The data keys of organisations: finding, creating, retiring and rewrapping them."""

import os
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection, transaction
from django.utils import timezone

from .configured_keys import wrapping_key, wrapping_key_named
from .errors import DataKeyUnknown
from .models import DataKey

KEY_BYTES: Final = 32
# For so long a process may encrypt with a key that another has retired, which can still decrypt.
_CURRENT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class OpenKey:
    """An unwrapped data key, which is hidden in tracebacks."""

    id: UUID
    participant: str
    secret: bytes = field(repr=False)
    cipher: AESGCM = field(repr=False)


class _Current:
    """The current key of each organisation, cached for a while in this process.

    An uncommitted key is never cached: it would be lost if its transaction were rolled back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[UUID, float]] = {}
        self._uncommitted: set[UUID] = set()

    def get(self, participant: str, purpose: str) -> UUID | None:
        key, until = self._known.get((participant, purpose), (None, 0.0))
        return key if time.monotonic() < until else None

    def remember(self, row: DataKey) -> None:
        with self._lock:
            if row.pk not in self._uncommitted:
                until = time.monotonic() + _CURRENT_SECONDS
                self._known[row.participant_id, row.purpose] = (row.pk, until)

    def made(self, row: DataKey) -> None:
        if not connection.in_atomic_block:
            return
        with self._lock:
            self._uncommitted.add(row.pk)
        transaction.on_commit(lambda: self._uncommitted.discard(row.pk))

    def drop_cached(self) -> None:
        with self._lock:
            self._known.clear()


_current = _Current()


def current_key(participant: str, purpose: str = DataKey.Purpose.CONTENT) -> OpenKey:
    """The organisation's current data key, created if there is none yet."""
    key = _current.get(participant, purpose)
    if key is None:
        row = _find(participant, purpose) or _make(participant, purpose)
        _current.remember(row)
        key = row.pk
    return key_of(key)


@lru_cache(maxsize=4096)
def key_of(key_id: UUID) -> OpenKey:
    """The key with this id, unwrapped once in a process. Raises `DataKeyUnknown`."""
    row = DataKey.objects.filter(pk=key_id).first()
    if row is None:
        raise DataKeyUnknown(f"there is no data key {key_id}")
    secret = wrapping_key_named(row.wrapped_by).unwrap(bytes(row.wrapped), row.binding)
    return OpenKey(row.pk, row.participant_id, secret, AESGCM(secret))


def search_key(participant: str) -> bytes:
    """The key of an organisation's blind search index. Rotating data keys leaves it as it is."""
    return current_key(participant, DataKey.Purpose.SEARCH).secret


def rotate(participant: str) -> None:
    """Create a new data key, which encrypts from now on; the old one can still decrypt."""
    with transaction.atomic():
        DataKey.objects.filter(
            participant_id=participant, purpose=DataKey.Purpose.CONTENT, retired_at=None
        ).update(retired_at=timezone.now())
        _make(participant, DataKey.Purpose.CONTENT)
    drop_cached()


def rewrap() -> int:
    """Wrap every data key with the current wrapping key; returns how many were wrapped with another."""
    wrapping = wrapping_key()
    count = 0
    for key in DataKey.objects.exclude(wrapped_by=wrapping.name).values_list("pk", flat=True):
        with transaction.atomic():
            row = DataKey.objects.select_for_update().get(pk=key)
            secret = wrapping_key_named(row.wrapped_by).unwrap(bytes(row.wrapped), row.binding)
            row.wrapped, row.wrapped_by = wrapping.wrap(secret, row.binding), wrapping.name
            row.save(update_fields=["wrapped", "wrapped_by"])
        count += 1
    return count


def drop_cached() -> None:
    """Read the current keys from the database again before the next use."""
    _current.drop_cached()


def _find(participant: str, purpose: str) -> DataKey | None:
    return DataKey.objects.filter(participant_id=participant, purpose=purpose, retired_at=None).first()


def _make(participant: str, purpose: str) -> DataKey:
    """Create a key, or return the one that another process has created at the same time."""
    wrapping = wrapping_key()
    row = DataKey(participant_id=participant, purpose=purpose, wrapped_by=wrapping.name)
    row.wrapped = wrapping.wrap(os.urandom(KEY_BYTES), row.binding)
    _current.made(row)
    DataKey.objects.bulk_create([row], ignore_conflicts=True)
    return DataKey.objects.get(participant_id=participant, purpose=purpose, retired_at=None)
