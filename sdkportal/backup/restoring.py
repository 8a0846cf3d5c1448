"""Restoring a backup set into an empty database and an empty storage."""

import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pyrage
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import connection

from mailbox.models import LoginSession
from transport.jobs import LeasedJob

from . import manifests, postgresql
from .errors import BackupError
from .manifests import KeptFile, Manifest
from .stored_files import named_by_rows
from .targets import Target, verified

logger = logging.getLogger(__name__)
_REPORT_EACH: Final = 10_000

Identities = Sequence[pyrage.x25519.Identity]


def restore(
    target: Target,
    identities: Identities,
    *,
    name: str = "",
    digest: str = "",
    report: Callable[[str], None] = lambda line: None,
) -> Manifest:
    """Restore a set, the latest without a name: its files, then its database. Returns its manifest.

    Every piece is verified before it is used. Raises `BackupError`, before anything is written, where the
    database or the storage is not empty, or the manifest's digest is not the one that was kept; and later
    where a piece is not what was written. What was restored by then may be restored again.
    """
    manifest = manifests.read(target, name or _latest(target))
    if digest and manifest.digest != digest:
        raise BackupError(
            f"The manifest of {manifest.name} is not the one that was kept: its digest differs."
        )
    _check_database_is_empty()
    _check_storage_is_empty(manifest)
    for number, file in enumerate(manifest.files.values(), 1):
        _restore_file(target, identities, file)
        if number % _REPORT_EACH == 0:
            report(f"{number} of {len(manifest.files)} files")
    report(f"{len(manifest.files)} files restored; restoring the database.")
    with (
        verified(target, manifest.database_name, manifest.database) as source,
        postgresql.restoring() as database,
    ):
        _decrypt(manifest.database_name, source, identities, database)
    _begin_anew()
    logger.info("backup_restored", extra={"fields": {"set": manifest.name, "files": len(manifest.files)}})
    return manifest


@dataclass(frozen=True, slots=True)
class RestoredFiles:
    """How many missing files were restored, and those that no set has."""

    number: int
    missing: tuple[str, ...]


def restore_missing_files(target: Target, identities: Identities) -> RestoredFiles:
    """Restore the files that rows name and the storage does not have, each from the latest set that has it.

    For a database that PostgreSQL's own means have restored to a point in time: it may name files that have
    been erased since. Nothing that is there is changed. Raises `BackupError` where a piece is not what was
    written.
    """
    wanted = {file.name for file in named_by_rows() if not default_storage.exists(file.name)}
    number = len(wanted)
    for name in reversed(manifests.names_of_sets(target)):
        if not wanted:
            break
        manifest = manifests.read(target, name)
        for found in sorted(wanted & manifest.files.keys()):
            _restore_file(target, identities, manifest.files[found])
            wanted.remove(found)
    restored = RestoredFiles(number - len(wanted), tuple(sorted(wanted)))
    fields = {"files": restored.number, "missing": len(restored.missing)}
    logger.info("missing_files_restored", extra={"fields": fields})
    return restored


def _latest(target: Target) -> str:
    names = manifests.names_of_sets(target)
    if not names:
        raise BackupError("There is no complete backup set.")
    return names[-1]


def _check_database_is_empty() -> None:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    if tables:
        name = connection.settings_dict["NAME"]
        raise BackupError(
            f"The database {name} is not empty: it has {len(tables)} tables. Restore into a new one; nothing "
            "was changed."
        )


def _check_storage_is_empty(manifest: Manifest) -> None:
    """Files of the set itself may be there: an earlier restoration was interrupted."""
    for name in _names_in_storage(""):
        if name not in manifest.files:
            raise BackupError(
                "The storage is not empty, and holds files that are not of this set. Restore into a new "
                "one; nothing was changed."
            )


def _names_in_storage(folder: str) -> Any:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    prefix = f"{folder}/" if folder else ""
    yield from (f"{prefix}{name}" for name in files)
    for each in folders:
        yield from _names_in_storage(f"{prefix}{each}")


def _restore_file(target: Target, identities: Identities, file: KeptFile) -> None:
    with verified(target, file.kept_name, file.piece) as source:
        try:
            path = Path(default_storage.path(file.name))
        except NotImplementedError:
            _restore_object(source, identities, file)
            return
        path.parent.mkdir(mode=settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS, parents=True, exist_ok=True)
        partial_file = path.with_name(f"{path.name}.partial")
        with open(os.open(partial_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            _decrypt(file.kept_name, source, identities, out)
            out.flush()
            os.fsync(out.fileno())
        partial_file.replace(path)


def _restore_object(source: BinaryIO, identities: Identities, file: KeptFile) -> None:
    with tempfile.TemporaryFile(dir=settings.SDK_WORK_DIR) as content:
        _decrypt(file.kept_name, source, identities, cast(BinaryIO, content))
        content.seek(0)
        default_storage.delete(file.name)
        default_storage.save(file.name, File(content))


def _decrypt(name: str, source: BinaryIO, identities: Identities, out: BinaryIO) -> None:
    try:
        pyrage.decrypt_io(source, out, list(identities))
    except pyrage.DecryptError:
        raise BackupError(f"{name} was not encrypted to any of these keys.") from None
    except BrokenPipeError:
        raise
    except OSError:
        raise BackupError(f"{name} cannot be opened, or what is in it not be written.") from None


def _begin_anew() -> None:
    """End what was going on when the snapshot was taken: leases of workers that are gone, and logins."""
    for model in apps.get_models():
        if issubclass(model, LeasedJob):
            model.objects.exclude(lease=None).update(lease=None, lease_until=None)
    Session.objects.all().delete()
    LoginSession.objects.all().delete()
