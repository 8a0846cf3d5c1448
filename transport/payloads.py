"""Payload files in the default storage: safe on disk before a row names them, removed when none does.

Names are `<folder>/<year>/<month>/<day>/<id of the row ...>`, so that what a dead process left is found.
"""

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import IO
from uuid import UUID

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

_FORGOTTEN_AFTER = timedelta(hours=1)
_DAYS_BACK = 2
_ID_LENGTH = 36


def dated(folder: str, name: str) -> str:
    """A file's name in the folder's directory of today."""
    return f"{folder}/{timezone.now():%Y/%m/%d}/{name}"


def store(name: str, content: IO[bytes]) -> str:
    """Write a file so that it survives a power cut, and give the name that it got."""
    stored = default_storage.save(name, File(content))
    try:
        path = Path(default_storage.path(stored))
    except NotImplementedError:
        # Not a local directory: an object store keeps what it has acknowledged.
        return stored
    for place in (path, *path.parents[:4]):
        _sync(place)
    return stored


def remove(name: str) -> None:
    """Remove a file now, if it is there."""
    if name:
        default_storage.delete(name)


def remove_on_commit(name: str) -> None:
    """Remove a file when the transaction that let go of it has been committed."""
    if name:
        transaction.on_commit(lambda: default_storage.delete(name))


def remove_forgotten(folder: str, held: Callable[[set[UUID]], Iterable[str]]) -> int:
    """Remove what dead processes left in a folder; how many files.

    File names begin with the id of their row; `held` gives the names that the rows with these ids hold.
    Files younger than an hour are left alone: their row may not have been committed yet.
    """
    now = timezone.now()
    removed = 0
    for age in range(_DAYS_BACK + 1):
        directory = f"{folder}/{now - timedelta(days=age):%Y/%m/%d}"
        try:
            names = default_storage.listdir(directory)[1]
        except FileNotFoundError:
            continue
        rows = {f"{directory}/{name}": key for name in names if (key := _row_of(name)) is not None}
        for name in set(rows) - set(held(set(rows.values()))):
            if now - default_storage.get_modified_time(name) > _FORGOTTEN_AFTER:
                default_storage.delete(name)
                removed += 1
    return removed


def _row_of(name: str) -> UUID | None:
    try:
        return UUID(name[:_ID_LENGTH])
    except ValueError:
        return None


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
