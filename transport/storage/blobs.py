"""Stored files: encrypted, safe on disk before a row names them, removed when no row does.

A file is encrypted for one organisation and bound to one row and kind (`BlobBinding`): under another binding
it does not open. Names are `<folder>/<year>/<month>/<day>/<id of the row ...>`, so that files which a dead
process left are found.
"""

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from transport.storage.encryption.errors import NotSealed

from .encryption import files

_ORPHANED_AFTER = timedelta(hours=1)
_DAYS_BACK = 2
_ID_LENGTH = 36
_MOST_REMEMBERED = 1000
# The directories of a file in the order in which they are above it: day, month, year, folder, and the root,
# which names the folder.
_DEPTH = 5
# Directories whose own entry has been written to disk.
_safe_directories: set[tuple[Path, int, int]] = set()


@dataclass(frozen=True, slots=True)
class BlobBinding:
    """What a stored file is bound to: the organisation, the kind of file, and the id of its row.

    It is authenticated when the file is encrypted, so a file that was put in another's place does not open.
    """

    participant: str
    kind: str
    key: UUID | None

    @property
    def context(self) -> str:
        """The text that is authenticated besides the organisation."""
        return f"{self.kind} {self.key}"


def dated(folder: str, name: str) -> str:
    """A file's name in the folder's directory of today."""
    return f"{folder}/{timezone.now():%Y/%m/%d}/{name}"


def store(name: str, content: BinaryIO, binding: BlobBinding) -> str:
    """Encrypt a file and write it so that it survives a power cut; the name that it got.

    That is `name`, unless another file has it. `content` is read from where it stands.
    """
    sealed = files.sealed(content, binding.participant, binding.context)
    stored = default_storage.save(name, File(sealed))
    path = _path_of(stored)
    # What is not a local directory is an object store, which keeps what it has acknowledged.
    if path is not None:
        sync(path)
        _sync_directories(path.parents[:_DEPTH])
    return stored


def open_stored(name: str, binding: BlobBinding) -> BinaryIO:
    """A stored file's content, seekable. Raises `encryption.errors.Altered`, also while it is read."""
    source = cast(BinaryIO, default_storage.open(name))
    try:
        if files.key_id_of(source) is not None:
            return files.opened(source, binding.participant, binding.context)
        if settings.SDK_ACCEPT_PLAIN:
            return source
    except BaseException:
        source.close()
        raise
    source.close()
    raise NotSealed(f"a stored {binding.kind} is in the clear; see docs/keys.md")


def seal_again(name: str, binding: BlobBinding) -> None:
    """Encrypt a file with the current key, in place: one that is in the clear, or under a retired key."""
    with _open_any(name, binding) as content:
        sealed: File[bytes] = File(files.sealed(content, binding.participant, binding.context))
        path = _path_of(name)
        if path is None:
            # The storage's own `save` gives a name that is taken another one; an object is replaced whole.
            storage: Any = default_storage
            storage._save(name, sealed)
            return
        beside = path.with_name(f"{path.name}.sealing")
        with beside.open("wb") as target:
            beside.chmod(settings.FILE_UPLOAD_PERMISSIONS)
            for chunk in sealed.chunks():
                target.write(chunk)
        sync(beside)
        beside.replace(path)
        sync(path.parent)


def sealed_with(name: str) -> UUID | None:
    """The id of the data key that a file is encrypted with; None for one in the clear."""
    with default_storage.open(name) as source:
        return files.key_id_of(cast(BinaryIO, source))


@contextmanager
def _open_any(name: str, binding: BlobBinding) -> Generator[BinaryIO, None, None]:
    with default_storage.open(name) as stored:
        source = cast(BinaryIO, stored)
        is_sealed = files.key_id_of(source) is not None
        yield files.opened(source, binding.participant, binding.context) if is_sealed else source


@contextmanager
def removed_on_failure(name: str) -> Generator[None, None, None]:
    """Remove a stored file if the body fails: the caller's transaction is rolled back then."""
    try:
        yield
    except BaseException:
        remove(name)
        raise


def remove(name: str) -> None:
    """Remove a file now, if it is there."""
    if name:
        default_storage.delete(name)


def remove_on_commit(name: str) -> None:
    """Remove a file when the transaction has been committed."""
    if name:
        transaction.on_commit(lambda: default_storage.delete(name))


def remove_orphaned(folder: str, files_of: Callable[[set[UUID]], Iterable[str]]) -> int:
    """Remove files of a folder that no row names: dead processes left them. How many there were.

    File names begin with the id of their row; `files_of` gives the names that the rows with these ids have.
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
        for name in set(rows) - set(files_of(set(rows.values()))):
            if now - default_storage.get_modified_time(name) > _ORPHANED_AFTER:
                default_storage.delete(name)
                removed += 1
    return removed


def _row_of(name: str) -> UUID | None:
    try:
        return UUID(name[:_ID_LENGTH])
    except ValueError:
        return None


def _path_of(name: str) -> Path | None:
    """A file's path in a local storage; None in an object store."""
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:
        return None


def _sync_directories(directories: Sequence[Path]) -> None:
    """Make the entry of a new file safe, and those of its directories where this process has not done so."""
    sync(directories[0])
    for directory, parent in pairwise(directories):
        status = directory.stat()
        identity = (directory, status.st_dev, status.st_ino)
        if identity not in _safe_directories:
            sync(parent)
            if len(_safe_directories) >= _MOST_REMEMBERED:
                _safe_directories.clear()
            _safe_directories.add(identity)


def sync(path: Path) -> None:
    """Wait until a file, or a directory's entries, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
