"""Making a backup: first the files that are new, then a snapshot of the database and what came meanwhile.

A stored file is written before a row names it, and removed after no row does. So the files that a snapshot's
rows name are there, unless such a row has been removed since: then another snapshot is taken. A file changes
only when it is encrypted anew, and is then another version of it, told by when it was written.
"""

import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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

from . import manifests, postgresql
from .errors import BackupError
from .manifests import KeptFile, Manifest
from .stored_files import named_by_rows
from .targets import Target

logger = logging.getLogger(__name__)
_SNAPSHOTS: Final = 5

Recipients = Sequence[pyrage.x25519.Recipient]


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made: its manifest, and how many files and bytes were written for it."""

    manifest: Manifest
    files_written: int
    bytes_written: int


def make_backup(
    target: Target, recipients: Recipients, *, report: Callable[[str], None] = lambda line: None
) -> Made:
    """Make a set in the target, while the node runs. Raises `BackupError`."""
    copying = _Copying(target, recipients)
    report("Copying stored files that no earlier set has.")
    copying.copy_all(file.name for file in named_by_rows())
    report(f"{copying.written} files copied; taking a snapshot of the database.")
    manifest = _of_a_snapshot(target, recipients, copying)
    manifest = replace(manifest, digest=manifests.write(target, manifest))
    written = copying.bytes_written + manifest.database.size
    if settings.SDK_BACKUP_FILE:
        # By its age the operations check tells when the last backup was made.
        Path(settings.SDK_BACKUP_FILE).touch()
    fields = {"set": manifest.name, "files": len(manifest.files), "digest": manifest.digest}
    logger.info("backup_made", extra={"fields": fields})
    return Made(manifest, copying.written, written)


def _of_a_snapshot(target: Target, recipients: Recipients, copying: "_Copying") -> Manifest:
    missing_before: set[str] = set()
    for _ in range(_SNAPSHOTS):
        with _snapshot() as (snapshot, taken_at):
            files, missing = copying.copy_all(file.name for file in named_by_rows())
            if missing != missing_before:
                # Rows may have been removed since the snapshot, with their files: the next one has neither.
                missing_before = missing
                continue
            manifest = Manifest(
                taken_at, manifests.NOTHING, files, tuple(sorted(missing)), last_transfer=last_logged_at()
            )
            with postgresql.dumped(snapshot) as dump:
                database = target.write(manifest.database_name, partial(_encrypt, dump, recipients))
            return replace(manifest, database=database)
    raise BackupError("Stored files were removed at each of several snapshots; try again.")


def remove_older(target: Target, keep: int) -> tuple[list[str], int]:
    """Remove all sets but the newest, and the stored files that none of those has; the names of the sets, and
    how many files."""
    names = manifests.names_of_sets(target)
    old, kept = names[:-keep], names[-keep:]
    needed = {file.kept_name for name in kept for file in manifests.read(target, name).files.values()}
    for name in old:
        manifests.remove(target, name)
    unneeded = [name for name in target.names(manifests.FILES) if kept and name not in needed]
    for name in unneeded:
        target.remove(name)
    return old, len(unneeded)


class _Copying:
    """Copies stored files to a target, each version of a file once; what the latest set has is not copied."""

    def __init__(self, target: Target, recipients: Recipients) -> None:
        self._target = target
        self._recipients = recipients
        earlier = manifests.names_of_sets(target)
        self._kept = dict(manifests.read(target, earlier[-1]).files) if earlier else {}
        self._copied: dict[str, KeptFile] = {}
        self.written = 0
        self.bytes_written = 0

    def copy_all(self, names: Iterable[str]) -> tuple[dict[str, KeptFile], set[str]]:
        """Copy files; what the target has of each now, and which are nowhere."""
        found: dict[str, KeptFile] = {}
        missing = set()
        for name in names:
            kept = self._copy(name)
            if kept is None:
                missing.add(name)
            else:
                found[name] = self._copied[name] = kept
        return found, missing

    def _copy(self, name: str) -> KeptFile | None:
        known = self._copied.get(name)
        try:
            # Before it is opened: a file that is replaced meanwhile is copied again by the next pass.
            version = f"{default_storage.get_modified_time(name).timestamp():.6f}"
            for kept in (known, self._kept.get(name)):
                if kept is not None and kept.version == version:
                    return kept
            with default_storage.open(name) as source:
                new = KeptFile(name, version, manifests.NOTHING)
                piece = self._target.write(new.kept_name, partial(_encrypt, source, self._recipients))
        except FileNotFoundError:
            return known
        self.written += 1
        self.bytes_written += piece.size
        return replace(new, piece=piece)


@contextmanager
def _snapshot() -> Generator[tuple[str, datetime], None, None]:
    """A snapshot of the database that `pg_dump` can use, seen by the body's queries too, and its time."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        yield snapshot, timezone.now().astimezone(UTC)


def _encrypt(source: Any, recipients: Recipients, out: BinaryIO) -> None:
    try:
        pyrage.encrypt_io(source, out, list(recipients))
    except (pyrage.EncryptError, OSError) as error:
        what = type(error).__name__
        raise BackupError(f"A file cannot be read, or its copy not be written ({what}).") from None
