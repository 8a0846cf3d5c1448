"""Making a backup: first the files that are new, then a snapshot of the database and what came meanwhile.

A stored file is written before a row names it, and removed after no row does. So of a snapshot's rows, the
files are there, unless a row was removed since: then another snapshot is taken. Files are never changed but by
re-encryption, which gives them another length or another key: those are told by their key's id.
"""

import json
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyrage
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone

from transport.access_point.api import last_logged_at
from transport.storage import blobs

from . import manifests, postgresql
from .errors import BackupError
from .manifests import Manifest, stored_name
from .stored_files import named_by_rows
from .targets import Piece, Target

logger = logging.getLogger(__name__)
_SNAPSHOTS: Final = 5
_LAST_BACKUP: Final = "last-backup.json"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made: its manifest, and how many files and bytes were written for it."""

    manifest: Manifest
    files_written: int
    bytes_written: int


def make_backup(
    target: Target,
    recipients: Sequence[pyrage.x25519.Recipient],
    *,
    report: Callable[[str], None] = lambda line: None,
) -> Made:
    """Make a set in the target, while the node runs. Raises `BackupError`; what was written by then is used by
    the next one."""
    copying = _Copying(target, recipients)
    report("copying stored files")
    for file in named_by_rows():
        copying.copy(file.name)
    report(f"{copying.written} files copied")
    for _ in range(_SNAPSHOTS):
        with _snapshot() as (snapshot, taken_at):
            missing = copying.missing_of_snapshot()
            if missing and missing != copying.known_missing:
                # Rows may have been removed since the snapshot, and their files; the next one does not have them.
                copying.known_missing = missing
                continue
            report("dumping the database")
            manifest = _written(target, recipients, copying, snapshot, taken_at)
            break
    else:
        raise BackupError("Stored files were removed at each of several snapshots; try again.")
    total = copying.bytes_written + manifest.database.size
    _remember(manifest, total)
    logger.info(
        "backup_made",
        extra={"fields": {"set": manifest.name, "files": len(manifest.files), "digest": manifest.digest}},
    )
    return Made(manifest, copying.written, total)


def _written(
    target: Target,
    recipients: Sequence[pyrage.x25519.Recipient],
    copying: "_Copying",
    snapshot: str,
    taken_at: datetime,
) -> Manifest:
    manifest = Manifest(taken_at, Piece(0, ""), {})
    with postgresql.dumped(snapshot) as dump:
        database = target.write(manifest.database_name, partial(_encrypt, dump, recipients))
    whole = Manifest(
        taken_at, database, copying.of_snapshot, tuple(sorted(copying.known_missing)), last_logged_at()
    )
    digest = manifests.write(target, whole)
    return Manifest(taken_at, database, whole.files, whole.missing, whole.last_transfer, digest)


def remove_older(target: Target, keep: int) -> tuple[list[str], int]:
    """Remove all but the newest sets, and the stored files that none of those has; the names of the sets, and
    how many files."""
    names = manifests.names_of_sets(target)
    old, kept = names[:-keep], names[-keep:]
    needed = {stored_name(file) for name in kept for file in manifests.read(target, name).files}
    for name in old:
        manifests.remove(target, name)
    unneeded = [name for name in target.names("files") if name not in needed] if kept else []
    for name in unneeded:
        target.remove(name)
    return old, len(unneeded)


def last_backup() -> datetime | None:
    """When this node's last backup was taken; None if there was none, or it is not known here."""
    try:
        noted = json.loads((settings.DATA_DIR / _LAST_BACKUP).read_text())
        return datetime.fromisoformat(noted["taken_at"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _remember(manifest: Manifest, size: int) -> None:
    path: Path = settings.DATA_DIR / _LAST_BACKUP
    partial_file = path.with_suffix(".partial")
    partial_file.write_text(
        json.dumps({"taken_at": manifest.taken_at.isoformat(), "set": manifest.name, "bytes": size})
    )
    partial_file.replace(path)


class _Copying:
    """Copies stored files to a target, each once; those of earlier sets are not copied again."""

    def __init__(self, target: Target, recipients: Sequence[pyrage.x25519.Recipient]) -> None:
        self._target = target
        self._recipients = recipients
        earlier = manifests.names_of_sets(target)
        self._kept: dict[str, Piece] = dict(manifests.read(target, earlier[-1]).files) if earlier else {}
        self._changed_since = self._kept_since(earlier)
        self._copied: dict[str, Piece] = {}
        self.of_snapshot: dict[str, Piece] = {}
        self.known_missing: set[str] = set()
        self.written = 0
        self.bytes_written = 0

    def _kept_since(self, earlier: list[str]) -> datetime | None:
        return manifests.read(self._target, earlier[-1]).taken_at if earlier else None

    def copy(self, name: str) -> bool:
        """Copy a file unless the target has it; False if storage has none."""
        if name in self._copied:
            return True
        kept = self._kept.get(name)
        try:
            if kept is not None and not self._is_changed(name):
                self._copied[name] = kept
                return True
            with default_storage.open(name) as source:
                piece = self._target.write(
                    stored_name(name), partial(_encrypt, source.file, self._recipients)
                )
        except FileNotFoundError:
            return False
        self._copied[name] = piece
        self.written += 1
        self.bytes_written += piece.size
        return True

    def _is_changed(self, name: str) -> bool:
        """Whether a file was written since the last set: re-encryption replaces files in place.

        Raises `FileNotFoundError` for one that is gone.
        """
        since = self._changed_since
        return since is None or default_storage.get_modified_time(name) >= since

    def missing_of_snapshot(self) -> set[str]:
        """Copy what the rows of the snapshot name besides; what storage does not have of it."""
        missing = set()
        self.of_snapshot = {}
        for file in named_by_rows():
            if self.copy(file.name):
                self.of_snapshot[file.name] = self._copied[file.name]
            else:
                missing.add(file.name)
        return missing


@contextmanager
def _snapshot() -> Generator[tuple[str, datetime], None, None]:
    """A snapshot of the database that `pg_dump` can use, seen by the body's queries too, and its time."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        yield snapshot, timezone.now().astimezone(UTC).replace(microsecond=0)


def _encrypt(source: Any, recipients: Sequence[pyrage.x25519.Recipient], out: BinaryIO) -> None:
    try:
        pyrage.encrypt_io(source, out, list(recipients))
    except pyrage.EncryptError:
        raise BackupError("what was to be backed up cannot be read, or its copy not be written") from None
